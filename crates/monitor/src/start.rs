//! From a bundle to a running process 1: prepared, mounted, started; and started again.

use crate::monitor::{Monitor, State};
use crate::oom::Memory;
use crate::output::Output;
use crate::process::{Ends, Pipes, Process, Streams};
use crate::requests::Failed;
use crate::streams::MAIN;
use sampan_runtime::{Launch, Prepared, Running, Sandbox, Stdio, Unusual};
use sampan_spec::bundle::{Sandbox as Network, Stdin};
use sampan_spec::journal::{Event, Failure};
use sampan_spec::monitor::{Answer, Refusal, WaitCondition};
use std::os::fd::OwnedFd;
use std::time::Instant;

/// A process 1 that waits, and the monitor's ends of its pipes.
#[derive(Debug)]
pub(crate) struct Waiting {
    prepared: Prepared,
    streams: Streams,
}

impl Monitor {
    /// Makes process 1; gives its pid, and the descriptors that the daemon needs to configure the network.
    pub(crate) fn prepare(&mut self) -> Result<(i32, Vec<OwnedFd>), Refusal> {
        if !matches!(self.state, State::Created) {
            return Err(Refusal::AlreadyStarted);
        }
        let result = self.open_output().and_then(|()| self.launch(None)).and_then(|mut waiting| {
            let fds = self.network_of(&mut waiting.prepared)?;
            Ok((waiting, fds))
        });
        match result {
            Ok((waiting, fds)) => {
                let pid = waiting.prepared.pid();
                self.state = State::Prepared(Ok(Box::new(waiting)));
                Ok((pid, fds))
            }
            Err(failure) => Err(self.start_failed(failure)),
        }
    }

    /// Opens the log where that was not done before.
    pub(crate) fn open_output(&mut self) -> Result<(), Failure> {
        if !self.output_open {
            self.output = Output::open(self.bundle.supervise.log.as_ref())?;
            self.output_open = true;
        }
        Ok(())
    }

    fn launch(&self, sandbox: Option<&Sandbox>) -> Result<Waiting, Failure> {
        let stdin = self.bundle.supervise.stdin != Stdin::Null;
        let terminal = self.bundle.terminal();
        let (streams, ends) = if terminal {
            (Streams::default(), None)
        } else {
            let pipes = Streams::pipes(Pipes { stdin, stdout: true, stderr: true });
            let (streams, ends) = pipes.map_err(|error| failure("streams", "make pipes", &error))?;
            (streams, Some(ends))
        };
        let launch = Launch {
            id: self.bundle.supervise.id.as_str(),
            bundle: &self.bundle.folder,
            config: &self.bundle.config,
            rootfs: &self.bundle.supervise.rootfs,
            stdio: ends.as_ref().map_or(Stdio::Terminal { size: self.size }, Ends::stdio),
            sandbox,
            want_netlink: sandbox.is_none() && self.bundle.supervise.sandbox == Network::Configured,
            die_with_parent: true,
            unusual: Unusual::default(),
        };
        Ok(Waiting { prepared: sampan_runtime::prepare(&launch)?, streams })
    }

    fn network_of(&self, prepared: &mut Prepared) -> Result<Vec<OwnedFd>, Failure> {
        if self.bundle.supervise.sandbox != Network::Configured {
            return Ok(Vec::new());
        }
        let netns = prepared.netns().map(|fd| fd.try_clone_to_owned()).transpose();
        let netns = netns.map_err(|error| failure("namespaces", "copy the network namespace", &error))?;
        match (netns, prepared.take_netlink()) {
            (Some(netns), Some(netlink)) => Ok(vec![netns, netlink]),
            _ => Err(Failure {
                stage: "namespaces".into(),
                errno: 0,
                message: "the container has no network namespace of its own to configure".into(),
            }),
        }
    }

    /// Builds the mounts of a process that waits. What goes wrong is told at its start.
    pub(crate) fn mount(&mut self) {
        if let State::Prepared(Ok(waiting)) = &mut self.state
            && let Err(failure) = waiting.prepared.mount()
        {
            self.state = State::Prepared(Err(failure));
        }
    }

    /// Lets process 1 run; gives its pid.
    pub(crate) fn start(&mut self) -> Result<i32, Refusal> {
        if matches!(self.state, State::Created) {
            self.prepare()?;
        }
        if !matches!(self.state, State::Prepared(_)) {
            return Err(Refusal::AlreadyStarted);
        }
        let State::Prepared(waiting) = std::mem::replace(&mut self.state, State::Ended) else {
            return Err(Refusal::AlreadyStarted);
        };
        let result = waiting.and_then(|waiting| self.let_run(*waiting));
        result.map_err(|failure| self.start_failed(failure))
    }

    /// From a process that waits to one that runs.
    fn let_run(&mut self, waiting: Waiting) -> Result<i32, Failure> {
        let Running { pid, pidfd, console, sandbox, root } = waiting.prepared.start()?;
        let stdin = self.bundle.supervise.stdin != Stdin::Null;
        let streams = match console {
            Some(master) => Streams::terminal(master, stdin),
            None => waiting.streams,
        };
        if self.memory.events.is_none() {
            self.memory = Memory::watch(&sandbox.cgroup);
        }
        let process = Process::new(pid, pidfd, streams);
        if let Some((rows, columns)) = self.size {
            // The size may have been set after the terminal was made; without one nothing happens.
            let _ = process.resize(rows, columns);
        }
        self.processes.insert(MAIN, process);
        self.untidy = true;
        self.state = State::Running { sandbox, root, since: Instant::now(), paused: false, ended: None };
        let probed = self.bundle.supervise.health.is_some();
        self.report(Event::Started { pid, boot_id: self.boot_id.clone(), probed });
        self.begin_probes();
        Ok(pid)
    }

    /// After the restart policy's delay, or at a user's wish. A restart that fails is the end, as with Docker.
    pub(crate) fn restart(&mut self) {
        let state = std::mem::replace(&mut self.state, State::Ended);
        let State::Restarting { sandbox, .. } = state else {
            self.state = state;
            return;
        };
        match self.launch(Some(&sandbox)).and_then(|waiting| self.let_run(waiting)) {
            Ok(pid) => self.answer_restarts(&Ok(Answer::Started { pid })),
            Err(failure) => {
                let refusal = self.start_failed(failure);
                self.answer_restarts(&Err(refusal));
                self.release(sandbox, None);
            }
        }
    }

    /// Whether a daemon has begun to start it, and has not let it run.
    pub(crate) fn start_has_begun(&self) -> bool {
        match self.state {
            State::Created => !self.ports.is_empty(),
            State::Prepared(_) => true,
            _ => false,
        }
    }

    /// Undoes what was done for a start. Clients go on to wait for one.
    pub(crate) fn abandon(&mut self) {
        if !matches!(self.state, State::Created | State::Prepared(_)) {
            return;
        }
        self.life.abandoned = !self.start_has_begun() || self.clients.is_empty();
        if let State::Prepared(Ok(waiting)) = std::mem::replace(&mut self.state, State::Created) {
            waiting.prepared.abandon();
        }
        self.ports.close();
    }

    /// Writes down and tells that there is no process 1, and why.
    fn start_failed(&mut self, failure: Failure) -> Refusal {
        self.state = State::Ended;
        self.ports.close();
        self.report(Event::StartFailed { failure: failure.clone() });
        self.tell_end(&[WaitCondition::NotRunning, WaitCondition::NextExit]);
        Failed(failure).into()
    }
}

fn failure(stage: &str, what: &str, error: &std::io::Error) -> Failure {
    Failure {
        stage: stage.into(),
        errno: error.raw_os_error().unwrap_or(0),
        message: format!("{what}: {error}"),
    }
}
