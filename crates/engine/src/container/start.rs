//! `start`: from a record to a running process 1.

use super::driver::{Command, Driver};
use super::{Endpoint, links, mounts};
use crate::blocking::blocking;
use crate::engine::Engine;
use crate::monitor::{CallError, Connection, Prepared};
use crate::steps::{Doing, Step, nothing, run, step};
use crate::{Error, Result, sandbox};
use sampan_spec::journal::{Event, Failure};
use sampan_spec::monitor::Request;
use sampan_spec::{Signal, with_sources};
use std::os::fd::OwnedFd;

/// Starts a container.
///
/// # Errors
/// When there is none, it runs already (kind `NotModified`), or a step fails; then nothing of the attempt stays but the
/// error in its state.
pub async fn start(engine: &Engine, name: &str) -> Result<()> {
    let handle = engine.containers().resolve(name)?;
    loop {
        match handle.ask(Command::Start).await? {
            // A process must not meet a second mount of its files.
            Err(Error::RootLent(mut returned)) => returned.wait().await,
            other => return other,
        }
    }
}

/// What the steps need and make.
pub(crate) struct Start<'d> {
    driver: &'d mut Driver,
    connection: Option<Connection>,
    prepared: Option<Prepared>,
    endpoint: Option<Endpoint>,
    /// They hold the endpoint's ports until the monitor does.
    sockets: Vec<OwnedFd>,
    reported: bool,
}

impl<'d> Start<'d> {
    const STEPS: [Step<Self>; 8] = [
        step("monitor", launch_monitor, end_monitor),
        step("ready", see_whether_ready, nothing),
        step("mounts", prepare_mounts, release_mounts),
        step("address", reserve_address, release_address),
        step("ports", hand_ports_over, take_ports_back),
        step("prepare", prepare_process, nothing),
        step("network", attach_endpoint, detach_endpoint),
        step("go", let_process_run, kill_process),
    ];

    /// Takes the steps. A failure that the monitor did not write down is written down here.
    pub(crate) async fn run(driver: &'d mut Driver) -> Result<()> {
        let mut start = Start {
            driver,
            connection: None,
            prepared: None,
            endpoint: None,
            sockets: Vec::new(),
            reported: false,
        };
        let result = run("start", &Self::STEPS, &mut start).await;
        let Start { driver, reported, .. } = start;
        if let Err(error) = &result {
            if !reported {
                let failure = Failure { stage: "engine".into(), errno: 0, message: with_sources(error) };
                super::bundle::write_entry(driver, Event::StartFailed { failure }).await;
            }
            driver.over().await;
        }
        result
    }
}

fn launch_monitor<'a>(start: &'a mut Start<'_>) -> Doing<'a, Result<()>> {
    Box::pin(async {
        start.connection = Some(start.driver.monitor().await?);
        Ok(())
    })
}

/// Its mounts, cgroup and name spaces go with it, and so do the clients that waited for the start.
fn end_monitor<'a>(start: &'a mut Start<'_>) -> Doing<'a, ()> {
    Box::pin(async {
        super::bundle::end_monitor(start.driver).await;
    })
}

/// What the bundle names may not have been found when it was written.
fn see_whether_ready<'a>(start: &'a mut Start<'_>) -> Doing<'a, Result<()>> {
    Box::pin(async { start.driver.unready.take().map_or(Ok(()), Err) })
}

fn prepare_mounts<'a>(start: &'a mut Start<'_>) -> Doing<'a, Result<()>> {
    Box::pin(async {
        let (engine, container) = (start.driver.engine.clone(), start.driver.container.clone());
        if container.mounts.is_empty() {
            return Ok(());
        }
        let result = blocking(move || mounts::prepare(&engine, &container)).await;
        if result.is_err() {
            start.driver.release_mounts().await;
        }
        result
    })
}

fn release_mounts<'a>(start: &'a mut Start<'_>) -> Doing<'a, ()> {
    Box::pin(async { start.driver.release_mounts().await })
}

fn reserve_address<'a>(start: &'a mut Start<'_>) -> Doing<'a, Result<()>> {
    Box::pin(async {
        if let Some((endpoint, sockets)) = sandbox::reserve(start.driver).await? {
            (start.endpoint, start.sockets) = (Some(endpoint), sockets);
        }
        Ok(())
    })
}

fn release_address<'a>(start: &'a mut Start<'_>) -> Doing<'a, ()> {
    Box::pin(async {
        start.sockets.clear();
        sandbox::give_back(start.driver, start.endpoint.take()).await;
    })
}

fn hand_ports_over<'a>(start: &'a mut Start<'_>) -> Doing<'a, Result<()>> {
    Box::pin(async {
        let monitor = connection(start)?;
        let sockets = std::mem::take(&mut start.sockets);
        let ports = start.endpoint.as_ref().map_or(&[][..], |endpoint| &endpoint.ports);
        let result = sandbox::hand_over(&monitor, ports, sockets).await.map_err(|e| start.failed(e));
        if result.is_err() {
            // It may have some of them.
            take_ports_back(start).await;
        }
        result
    })
}

/// They are free again before the address is given back.
fn take_ports_back<'a>(start: &'a mut Start<'_>) -> Doing<'a, ()> {
    Box::pin(async {
        if start.endpoint.as_ref().is_some_and(|endpoint| !endpoint.ports.is_empty())
            && let Ok(monitor) = connection(start)
        {
            let _it_may_be_gone_already = monitor.call(Request::Abandon).await;
        }
    })
}

fn prepare_process<'a>(start: &'a mut Start<'_>) -> Doing<'a, Result<()>> {
    Box::pin(async {
        let prepared = connection(start)?.prepare().await;
        start.prepared = Some(prepared.map_err(|e| start.failed(e))?);
        Ok(())
    })
}

fn attach_endpoint<'a>(start: &'a mut Start<'_>) -> Doing<'a, Result<()>> {
    Box::pin(async {
        let network = start.prepared.as_mut().and_then(|p| p.network.take());
        if let (Some(endpoint), Some((name_space, route))) = (&start.endpoint, network) {
            sandbox::attach(start.driver, endpoint, name_space, route).await?;
        }
        Ok(())
    })
}

fn detach_endpoint<'a>(start: &'a mut Start<'_>) -> Doing<'a, ()> {
    Box::pin(async {
        if let Some(endpoint) = &start.endpoint {
            sandbox::detach(start.driver, endpoint).await;
        }
    })
}

fn let_process_run<'a>(start: &'a mut Start<'_>) -> Doing<'a, Result<()>> {
    Box::pin(async {
        start.driver.endpoint = start.endpoint.clone();
        let answer = connection(start)?.call(Request::Start).await;
        if let Err(error) = answer {
            start.driver.endpoint = None;
            return Err(start.failed(error));
        }
        start.see_it_run().await;
        let driver = &*start.driver;
        if let Some(place) = &driver.endpoint {
            links::tell(&driver.engine, &driver.container.id, place).await;
        }
        Ok(())
    })
}

fn kill_process<'a>(start: &'a mut Start<'_>) -> Doing<'a, ()> {
    Box::pin(async {
        if let Ok(connection) = connection(start) {
            let kill = Request::Stop { signal: Some(Signal::KILL), timeout: Some(0) };
            let _it_may_have_ended = connection.call_and_wait(kill).await;
        }
    })
}

fn connection(start: &Start<'_>) -> Result<Connection> {
    start.connection.clone().ok_or(Error::Stopping)
}

impl Start<'_> {
    /// Takes entries in up to the one that says that process 1 runs, so that an inspect after the answer shows it.
    async fn see_it_run(&mut self) {
        while let Some(monitor) = &mut self.driver.monitor
            && let Some(entry) = monitor.entries.recv().await
        {
            self.driver.take_in(&entry).await;
            if matches!(entry.event, Event::Started { .. } | Event::Exited(_)) {
                return;
            }
        }
    }

    /// The engine's error for a failed call; one that the monitor reported stands in the journal already.
    fn failed(&mut self, error: CallError) -> Error {
        self.reported = error.failure().is_some();
        error.about(&self.driver.container.id, &self.driver.container.name)
    }
}
