//! `restart`: process 1 is ended as by a stop and runs again. The monitor does both, so that a daemon that is killed in
//! between leaves nothing stopped; the sandbox stays, and with it address and ports. Only who is in another container's name
//! spaces is stopped and started.

use super::driver::{Command, Handle};
use super::phase::{Verdict, Wish, allow};
use super::start::start;
use super::stop::stop;
use super::{Config, Container, IpcMode, NetworkMode, PidMode};
use crate::engine::Engine;
use crate::event::{self, Attributes};
use crate::{Error, Result};
use sampan_spec::Signal;
use sampan_spec::monitor::Request;

/// Restarts a container, or starts one that does not run. `signal` and `timeout` (seconds; negative waits for ever)
/// replace the container's own.
///
/// # Errors
/// When there is none, or it cannot be started again.
pub async fn restart(
    engine: &Engine,
    name: &str,
    signal: Option<Signal>,
    timeout: Option<i64>,
) -> Result<()> {
    let handle = engine.containers().resolve(name)?;
    match allow(handle.snapshot().state.phase, Wish::Restart) {
        Verdict::Go => {}
        _ => return Err(Error::Removing(name.to_owned())),
    }
    if joins_another(&handle.container()) {
        return anew(engine, &handle, name, (signal, timeout)).await;
    }
    let Some(connection) = handle.ask(Command::Running).await? else {
        return begin(engine, &handle, name).await;
    };
    let restarted = connection.call_and_wait(Request::Restart { signal, timeout }).await;
    let restarted = match restarted {
        // It has ended meanwhile, with its monitor or without.
        Err(error) if error.is_gone() => Err(Error::NotRunning(handle.id().to_string())),
        other => other.map_err(|error| error.about(handle.id(), name)),
    };
    match restarted {
        Err(Error::NotRunning(_)) => {
            handle.wait_until(|snapshot| !snapshot.state.phase.is_active()).await;
            begin(engine, &handle, name).await
        }
        other => {
            handle.current().await;
            other.map(drop)
        }
    }
}

/// Whether it is in other containers' name spaces, which may be others by now: only a start looks them up. A container with
/// `--rm` would be gone after its stop; it stays where it is.
fn joins_another(container: &Container) -> bool {
    let Config { host, .. } = &container.config;
    let joins = matches!(host.network, NetworkMode::Container(_))
        || matches!(host.pid, PidMode::Container(_))
        || matches!(host.ipc, IpcMode::Container(_));
    joins && !host.auto_remove
}

/// A stop and a start.
async fn anew(
    engine: &Engine,
    handle: &Handle,
    name: &str,
    (signal, timeout): (Option<Signal>, Option<i64>),
) -> Result<()> {
    match stop(engine, name, signal, timeout).await {
        Err(Error::AlreadyStopped(_)) => {}
        other => other?,
    }
    begin(engine, handle, name).await
}

/// Starts it, unless somebody else has.
async fn begin(engine: &Engine, handle: &Handle, name: &str) -> Result<()> {
    match start(engine, name).await {
        Err(Error::AlreadyStarted(_)) => {}
        other => other?,
    }
    event::container(engine, &handle.container(), "restart", Attributes::new());
    Ok(())
}
