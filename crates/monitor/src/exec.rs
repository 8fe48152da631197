//! Processes executed beside process 1.

use crate::client::{Attached, Role};
use crate::clients::Handed;
use crate::detach::DetachKeys;
use crate::monitor::{Monitor, State};
use crate::process::{Ends, Pipes, Process, Streams};
use crate::requests::Failed;
use crate::streams::{Key, MAIN};
use sampan_runtime::{ExecTarget, Stdio, Unusual};
use sampan_spec::ExecId;
use sampan_spec::journal::{Event, ExecProcess, Failure};
use sampan_spec::monitor::{Answer, Refusal};
use sampan_sys::process::Ended;
use std::io;
use std::os::fd::AsFd;

impl Monitor {
    /// Remembers a process to execute.
    pub(crate) fn exec_create(&mut self, exec: ExecId, process: ExecProcess) -> Result<Answer, Refusal> {
        self.may_execute()?;
        if self.record.summary().execs.contains_key(&exec) {
            return Err(Refusal::BadRequest { reason: format!("there is an exec process {exec} already") });
        }
        self.report(Event::ExecCreated { exec, process });
        Ok(Answer::Done)
    }

    /// Executes a process; gives its pid. Its client's head is written only then.
    pub(crate) fn exec_start(
        &mut self,
        exec: ExecId,
        handed: Option<Handed>,
        size: Option<(u16, u16)>,
    ) -> Result<i32, Refusal> {
        let known = self.record.summary().execs.get(&exec).ok_or(Refusal::NoSuchExec)?;
        if known.pid.is_some() || known.ended.is_some() {
            return Err(Refusal::AlreadyStarted);
        }
        let process = known.process.clone();
        self.may_execute()?;
        match self.execute(&process, handed.is_some(), size) {
            Ok(started) => Ok(self.exec_started(exec, process, started, handed)),
            Err(failure) => {
                self.report(Event::ExecFailed { exec, failure: failure.clone() });
                Err(Failed(failure).into())
            }
        }
    }

    fn may_execute(&self) -> Result<(), Refusal> {
        match self.state {
            State::Running { paused: true, .. } => Err(Refusal::Paused),
            State::Running { ended: None, .. } => Ok(()),
            _ => Err(Refusal::NotRunning),
        }
    }

    pub(crate) fn execute(
        &self,
        process: &ExecProcess,
        attached: bool,
        size: Option<(u16, u16)>,
    ) -> Result<Process, Failure> {
        let main = self.processes.get(&MAIN).and_then(|main| main.pidfd.as_ref());
        let (State::Running { sandbox, .. }, Some(pidfd)) = (&self.state, main) else {
            return Err(failure("the container does not run", None));
        };
        let target = ExecTarget {
            id: self.bundle.supervise.id.as_str(),
            pidfd: pidfd.as_fd(),
            cgroup: &sandbox.cgroup,
            config: &self.bundle.config,
            die_with_parent: true,
            unusual: Unusual::default(),
        };
        let (streams, ends) = pipes_for(process, attached).map_err(|e| failure("make pipes", Some(&e)))?;
        let stdio = ends.as_ref().map_or(Stdio::Terminal { size }, Ends::stdio);
        let started = sampan_runtime::exec(&target, &process.process, stdio)?;
        let streams = match started.console {
            Some(master) => Streams::terminal(master, attached && process.stdin),
            None => streams,
        };
        Ok(Process::new(started.pid, started.pidfd, streams))
    }

    fn exec_started(
        &mut self,
        exec: ExecId,
        described: ExecProcess,
        process: Process,
        handed: Option<Handed>,
    ) -> i32 {
        let pid = process.pid;
        let key = self.keep(exec.clone(), process);
        self.report(Event::ExecStarted { exec, pid });
        if let Some(handed) = handed {
            let attached = Attached {
                process: key,
                stdin: described.stdin,
                stdout: described.stdout,
                stderr: described.stderr,
                keys: DetachKeys::new(described.detach_keys),
                replay: None,
                follow: true,
            };
            self.adopt(handed, Role::Streams(attached));
        }
        pid
    }

    /// Takes a process in that runs.
    pub(crate) fn keep(&mut self, exec: ExecId, process: Process) -> Key {
        let key = Key(self.next_number());
        self.execs.insert(key, exec);
        self.processes.insert(key, process);
        key
    }

    /// A running exec process.
    pub(crate) fn exec_key(&self, exec: &ExecId) -> Result<Key, Refusal> {
        if !self.record.summary().execs.contains_key(exec) {
            return Err(Refusal::NoSuchExec);
        }
        let running = self.execs.iter().find(|(_, id)| *id == exec);
        running.map(|(key, _)| *key).ok_or(Refusal::NotRunning)
    }

    /// Tells the end of one. Its streams may go on for a moment.
    pub(crate) fn exec_ended(&mut self, key: Key, ended: Ended) {
        self.look_at_memory();
        self.probe_ended(key, ended);
        if let Some(exec) = self.execs.remove(&key) {
            self.report(Event::ExecEnded { exec, code: ended.shell_code() });
        }
    }
}

/// Pipes for what its client gets; without a client, nobody hears it.
fn pipes_for(process: &ExecProcess, attached: bool) -> io::Result<(Streams, Option<Ends>)> {
    if process.process.terminal.unwrap_or(false) {
        return Ok((Streams::default(), None));
    }
    let wanted = Pipes {
        stdin: attached && process.stdin,
        stdout: attached && process.stdout,
        stderr: attached && process.stderr,
    };
    Streams::pipes(wanted).map(|(streams, ends)| (streams, Some(ends)))
}

fn failure(what: &str, error: Option<&io::Error>) -> Failure {
    Failure {
        stage: "streams".into(),
        errno: error.and_then(io::Error::raw_os_error).unwrap_or(0),
        message: error.map_or_else(|| what.to_owned(), |error| format!("{what}: {error}")),
    }
}
