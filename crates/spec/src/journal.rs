//! The journal: how a monitor tells what happened to its container.
//!
//! One append-only file per container, a JSON object a line, each with the next sequence number. The monitor is the
//! only writer; after its death the daemon may append, holding the file's flock. A torn last line is cut. A container's
//! state is the fold of its journal, [`Summary`]; a file that has grown is replaced by one [`Event::Snapshot`].

pub use crate::failure::Failure;
use crate::health::{Health, HealthStatus, Probe};
use crate::{ExecId, Signal};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many ended exec processes a [`Summary`] remembers, so that their exit codes can be asked for.
const ENDED_EXECS_KEPT: usize = 64;

/// One line. Format break.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Counts up by one from 1.
    pub seq: u64,
    /// When, by the wall clock.
    pub time: Timestamp,
    /// When, in nanoseconds since boot (`CLOCK_BOOTTIME`).
    pub boot_ns: u64,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// Process 1 was let run.
    Started {
        /// Its pid on the host.
        pid: i32,
        /// The host's boot (`/proc/sys/kernel/random/boot_id`): pids of another boot mean nothing.
        boot_id: String,
        /// Whether its health is probed.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        probed: bool,
    },
    /// The container could not be started, or not again.
    StartFailed {
        /// Why.
        failure: Failure,
    },
    /// A user asked it to stop: no restart policy but `always` at the engine's start holds after this.
    StopRequested {
        /// With this signal first.
        signal: Signal,
        /// By a signal alone: nobody waits for its end and sees to it.
        #[serde(default)]
        kill: bool,
    },
    /// A user asked it to be restarted: its next end is followed by a start, and its restarts count from 0 again.
    RestartRequested {
        /// With this signal first.
        signal: Signal,
    },
    /// The host goes down: the stop that follows is not a user's.
    Shutdown,
    /// Process 1 ended, for good: what was made for it is released.
    Exited(Exit),
    /// Process 1 ended and is started again after a delay, by the restart policy or because a user asked for
    /// that: the sandbox stays. Written instead of `Exited`.
    Restarting {
        /// How it ended.
        exit: Exit,
        /// The delay in milliseconds.
        delay_ms: u64,
    },
    /// Limits and restart policy are those of its record of this number.
    Updated {
        /// The number.
        revision: u32,
    },
    /// All its processes are frozen.
    Paused,
    /// They run again.
    Resumed,
    /// The kernel killed one of its processes for want of memory.
    OutOfMemory,
    /// A process to be executed in it is known.
    ExecCreated {
        /// Its id.
        exec: ExecId,
        /// What it will be.
        process: ExecProcess,
    },
    /// The process runs.
    ExecStarted {
        /// Its id.
        exec: ExecId,
        /// Its pid on the host.
        pid: i32,
    },
    /// The process could not be started.
    ExecFailed {
        /// Its id.
        exec: ExecId,
        /// Why.
        failure: Failure,
    },
    /// The process ended.
    ExecEnded {
        /// Its id.
        exec: ExecId,
        /// Its exit code, or 128 and the signal that ended it.
        code: i32,
    },
    /// A probe of its health begins. It is an exec process of its own kind: it is not made known, and its end is told as
    /// another's.
    ProbeStarted {
        /// Its process's id.
        exec: ExecId,
    },
    /// A probe is over.
    Probed {
        /// What came of it.
        probe: Probe,
        /// What follows from it.
        status: HealthStatus,
        /// How many failed in a row.
        failing_streak: u32,
    },
    /// Output was lost because the log could not be written.
    LogGap {
        /// How much.
        bytes: u64,
        /// Why.
        reason: String,
    },
    /// Written by the daemon: the monitor died, and the container's processes were killed after it.
    MonitorLost,
    /// Stands for all entries before it.
    Snapshot {
        /// Their fold.
        summary: Box<Summary>,
    },
}

/// How process 1 ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Its exit code, or 128 and the signal's number.
    pub code: i32,
    /// The signal that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<Signal>,
    /// The kernel had killed one of the container's processes for want of memory.
    #[serde(default)]
    pub oom: bool,
}

/// A process to be executed in a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecProcess {
    /// The OCI process: arguments, environment, directory, user, capabilities, terminal.
    pub process: Box<crate::oci::Process>,
    /// Whether its standard input is a pipe from the client.
    pub stdin: bool,
    /// Whether the client gets its standard output.
    pub stdout: bool,
    /// Whether the client gets its standard error.
    pub stderr: bool,
    /// Detach keys for a client that attaches to its terminal; empty for none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub detach_keys: Vec<u8>,
}

/// The fold of a journal: what is so now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The last entry's number.
    pub seq: u64,
    /// Whether it runs.
    pub status: Status,
    /// The boot in which it was last started.
    pub boot_id: String,
    /// When it was last started.
    pub started: Option<Timestamp>,
    /// When it last ended.
    pub finished: Option<Timestamp>,
    /// How it last ended.
    pub exit: Option<Exit>,
    /// Why it could not be started, or its monitor died; empty when all went well.
    pub error: String,
    /// How often it was started again by its restart policy since a user started it.
    pub restarts: u32,
    /// A user asked it to stop since it was last started.
    pub stop_requested: bool,
    /// A user asked it to be restarted since it was last started.
    #[serde(default)]
    pub restart_requested: bool,
    /// The host went down while it ran: it was not a user who stopped it.
    #[serde(default)]
    pub shutdown: bool,
    /// The number of its record whose limits it was told last.
    #[serde(default)]
    pub revision: u32,
    /// The kernel killed one of its processes for want of memory since it was last started.
    pub oom: bool,
    /// Its health, where that is probed, since it was first started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// The processes executed in it.
    pub execs: BTreeMap<ExecId, Exec>,
}

/// A container's status, as its monitor knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Status {
    /// It never ran.
    #[default]
    Created,
    /// Process 1 runs.
    Running {
        /// Its pid on the host.
        pid: i32,
    },
    /// Process 1 is frozen.
    Paused {
        /// Its pid on the host.
        pid: i32,
    },
    /// It waits to be started again.
    Restarting,
    /// It has ended, or its start failed.
    Exited,
}

/// A process executed in a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exec {
    /// What it is; once ended, without environment, capabilities and limits.
    pub process: ExecProcess,
    /// Its pid on the host, once started.
    pub pid: Option<i32>,
    /// Its exit code, once ended.
    pub code: Option<i32>,
    /// The number of the entry that ended it: the oldest are forgotten first.
    #[serde(default)]
    pub ended: Option<u64>,
}

impl Summary {
    /// The fold of all these entries.
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Self {
        let mut summary = Self::default();
        entries.into_iter().for_each(|entry| summary.apply(entry));
        summary
    }

    /// Takes one more entry in. One that is known already is ignored.
    pub fn apply(&mut self, entry: &Entry) {
        if entry.seq <= self.seq {
            return;
        }
        match &entry.event {
            Event::Snapshot { summary } => *self = (**summary).clone(),
            Event::Started { pid, boot_id, probed } => {
                self.begin(*pid, boot_id, entry.time);
                self.begin_probes(*probed);
            }
            Event::StartFailed { failure } => self.fail(failure, entry.time),
            Event::Shutdown => self.shutdown = true,
            Event::StopRequested { .. } => {
                self.stop_requested = true;
                self.restart_requested = false;
            }
            Event::RestartRequested { .. } => {
                self.restart_requested = true;
                self.restarts = 0;
            }
            Event::Exited(exit) => self.end(*exit, entry.time),
            Event::MonitorLost => self.lose(entry.time),
            Event::Restarting { exit, .. } => {
                self.end(*exit, entry.time);
                self.status = Status::Restarting;
                self.restarts = self.restarts.saturating_add(u32::from(!self.restart_requested));
            }
            Event::Paused => {
                self.status = self.pid().map_or(self.status, |pid| Status::Paused { pid });
                self.end_probes();
            }
            Event::Resumed => self.status = self.pid().map_or(self.status, |pid| Status::Running { pid }),
            Event::Updated { revision } => self.revision = *revision,
            Event::OutOfMemory => self.oom = true,
            Event::ExecCreated { exec, process } => {
                self.execs.insert(
                    exec.clone(),
                    Exec { process: process.clone(), pid: None, code: None, ended: None },
                );
            }
            Event::ExecStarted { exec, pid } => self.exec(exec, |e| e.pid = Some(*pid)),
            Event::ExecFailed { exec, failure } => {
                self.end_exec(exec, failure.exit_code(), entry.seq);
            }
            Event::ExecEnded { exec, code } => self.end_exec(exec, *code, entry.seq),
            Event::Probed { probe, status, failing_streak } => {
                let health = self.health.get_or_insert_default();
                (health.status, health.failing_streak) = (*status, *failing_streak);
                health.take(probe.clone());
            }
            Event::ProbeStarted { .. } | Event::LogGap { .. } => {}
        }
        self.seq = entry.seq;
    }

    /// Process 1's pid on the host while there is one.
    pub fn pid(&self) -> Option<i32> {
        match self.status {
            Status::Running { pid } | Status::Paused { pid } => Some(pid),
            Status::Created | Status::Restarting | Status::Exited => None,
        }
    }

    fn begin(&mut self, pid: i32, boot_id: &str, time: Timestamp) {
        if self.status != Status::Restarting {
            self.restarts = 0;
        }
        self.status = Status::Running { pid };
        boot_id.clone_into(&mut self.boot_id);
        self.started = Some(time);
        self.stop_requested = false;
        self.shutdown = false;
        self.restart_requested = false;
        self.oom = false;
        self.error.clear();
    }

    fn end(&mut self, exit: Exit, time: Timestamp) {
        self.status = Status::Exited;
        self.finished = Some(time);
        self.exit = Some(exit);
        self.execs.retain(|_, exec| exec.ended.is_some());
        self.end_probes();
    }

    fn begin_probes(&mut self, probed: bool) {
        if probed {
            self.health.get_or_insert_default().begin();
        } else {
            self.health = None;
        }
    }

    /// As with Docker, what is not probed any more counts as unhealthy.
    fn end_probes(&mut self) {
        if let Some(health) = &mut self.health {
            health.status = HealthStatus::Unhealthy;
        }
    }

    /// A container that never ran is still `created`, as with Docker.
    fn fail(&mut self, failure: &Failure, time: Timestamp) {
        let (finished, never_ran) = (self.finished, self.started.is_none());
        self.end(Exit { code: failure.exit_code(), signal: None, oom: false }, time);
        self.finished = finished;
        if never_ran {
            self.status = Status::Created;
        }
        self.error = failure.start_text();
    }

    fn lose(&mut self, time: Timestamp) {
        self.end(Exit { code: 128 + Signal::KILL.number(), signal: Some(Signal::KILL), oom: false }, time);
        self.error = "the container's monitor was killed".into();
    }

    fn exec(&mut self, id: &ExecId, change: impl FnOnce(&mut Exec)) {
        if let Some(exec) = self.execs.get_mut(id) {
            change(exec);
        }
    }

    fn end_exec(&mut self, id: &ExecId, code: i32, seq: u64) {
        self.exec(id, |exec| {
            exec.code = Some(code);
            exec.ended = Some(seq);
            // What nobody asks for any more, and is the most of it in memory.
            let process = &mut exec.process.process;
            (process.env, process.capabilities, process.rlimits) = (None, None, None);
        });
        let ended = || self.execs.iter().filter_map(|(id, exec)| Some((exec.ended?, id.clone())));
        if ended().count() > ENDED_EXECS_KEPT
            && let Some((_, oldest)) = ended().min()
        {
            self.execs.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests;
