//! A container's phase: exactly one at a time, derived from its journal, and what is allowed in which.

use super::Endpoint;
use sampan_spec::journal::{Exit, Status, Summary};

/// What a container is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Never started.
    Created,
    /// Process 1 runs.
    Running {
        /// Its pid on the host.
        pid: i32,
    },
    /// All its processes are frozen.
    Paused {
        /// Process 1's pid on the host.
        pid: i32,
    },
    /// It waits to be started again by its restart policy.
    Restarting,
    /// It has ended.
    Exited(Exit),
    /// It is being removed.
    Removing,
    /// A removal failed halfway: only another removal is possible.
    Dead,
}

/// What a caller wants of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Let it run.
    Start,
    /// End it with its stop signal.
    Stop,
    /// Send it a signal.
    Kill,
    /// Freeze it.
    Pause,
    /// Let it run again after that.
    Unpause,
    /// End it with its stop signal, and start it again.
    Restart,
    /// Change its record.
    Change,
    /// Look at its processes.
    Top,
    /// Run a process in it.
    Exec,
    /// Connect to its streams.
    Attach,
    /// Take it away.
    Remove,
}

/// The policy's answer to a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It may be done.
    Go,
    /// It is so already.
    Already,
    /// Not while it does not run.
    NotRunning,
    /// Not while it is paused.
    Paused,
    /// Not while it waits to be started again.
    Restarting,
    /// Not while it runs, unless forced.
    Running,
    /// It is being removed.
    Removing,
}

/// Whether a wish can be granted in a phase. The whole policy.
pub(crate) fn allow(phase: Phase, wish: Wish) -> Verdict {
    use Phase::{Created, Dead, Exited, Paused, Removing, Restarting, Running};
    match (wish, phase) {
        (Wish::Remove, Running { .. } | Paused { .. } | Restarting) => Verdict::Running,
        (_, Removing) => Verdict::Removing,
        (Wish::Remove, Created | Exited(_) | Dead) => Verdict::Go,
        (_, Dead) => Verdict::Removing,
        (Wish::Start, Created | Exited(_)) => Verdict::Go,
        (Wish::Start, Running { .. } | Restarting) => Verdict::Already,
        (Wish::Start, Paused { .. }) => Verdict::Paused,
        (Wish::Stop, Created | Exited(_)) => Verdict::Already,
        (Wish::Stop, Running { .. } | Paused { .. } | Restarting) => Verdict::Go,
        (Wish::Kill, Running { .. } | Paused { .. }) => Verdict::Go,
        (Wish::Kill, Created | Exited(_) | Restarting) => Verdict::NotRunning,
        (Wish::Pause, Paused { .. }) => Verdict::Already,
        (Wish::Unpause, Paused { .. }) => Verdict::Go,
        (Wish::Unpause, Created | Running { .. } | Restarting | Exited(_)) => Verdict::Already,
        (Wish::Restart | Wish::Change, Created | Running { .. } | Paused { .. } | Restarting | Exited(_)) => {
            Verdict::Go
        }
        (Wish::Top, Paused { .. }) => Verdict::Go,
        (Wish::Exec | Wish::Pause | Wish::Top, Running { .. }) => Verdict::Go,
        (Wish::Exec | Wish::Attach, Paused { .. }) => Verdict::Paused,
        (Wish::Exec | Wish::Attach | Wish::Pause | Wish::Top, Restarting) => Verdict::Restarting,
        (Wish::Exec | Wish::Pause | Wish::Top, Created | Exited(_)) => Verdict::NotRunning,
        (Wish::Attach, Created | Running { .. } | Exited(_)) => Verdict::Go,
    }
}

impl Phase {
    /// The phase that a journal's fold shows.
    pub fn of(summary: &Summary) -> Self {
        match summary.status {
            Status::Created => Self::Created,
            Status::Running { pid } => Self::Running { pid },
            Status::Paused { pid } => Self::Paused { pid },
            Status::Restarting => Self::Restarting,
            Status::Exited => {
                Self::Exited(summary.exit.unwrap_or(Exit { code: 0, signal: None, oom: false }))
            }
        }
    }

    /// Process 1's pid on the host while there is one.
    pub fn pid(self) -> Option<i32> {
        match self {
            Self::Running { pid } | Self::Paused { pid } => Some(pid),
            _ => None,
        }
    }

    /// Whether processes of it exist or will without a user's doing.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Running { .. } | Self::Paused { .. } | Self::Restarting)
    }

    /// The word that Docker uses: `created`, `running`, `exited`, ...
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running { .. } => "running",
            Self::Paused { .. } => "paused",
            Self::Restarting => "restarting",
            Self::Exited(_) => "exited",
            Self::Removing => "removing",
            Self::Dead => "dead",
        }
    }
}

/// What is so of a container at one moment.
#[derive(Clone, Debug)]
pub struct State {
    /// Its phase.
    pub phase: Phase,
    /// The fold of its journal.
    pub summary: Summary,
    /// Its place in a network while it runs in one.
    pub endpoint: Option<Endpoint>,
}

#[cfg(test)]
mod tests {
    use super::Verdict::{Already, Go, NotRunning};
    use super::*;

    #[test]
    fn what_is_allowed_when() {
        let exited = Phase::Exited(Exit { code: 0, signal: None, oom: false });
        let (running, paused) = (Phase::Running { pid: 1 }, Phase::Paused { pid: 1 });
        let phases =
            [Phase::Created, running, paused, Phase::Restarting, exited, Phase::Removing, Phase::Dead];
        let (p, r, u, x) = (Verdict::Paused, Verdict::Restarting, Verdict::Running, Verdict::Removing);
        for (wish, want) in [
            (Wish::Start, [Go, Already, p, Already, Go, x, x]),
            (Wish::Stop, [Already, Go, Go, Go, Already, x, x]),
            (Wish::Kill, [NotRunning, Go, Go, NotRunning, NotRunning, x, x]),
            (Wish::Pause, [NotRunning, Go, Already, r, NotRunning, x, x]),
            (Wish::Unpause, [Already, Already, Go, Already, Already, x, x]),
            (Wish::Restart, [Go, Go, Go, Go, Go, x, x]),
            (Wish::Change, [Go, Go, Go, Go, Go, x, x]),
            (Wish::Top, [NotRunning, Go, Go, r, NotRunning, x, x]),
            (Wish::Exec, [NotRunning, Go, p, r, NotRunning, x, x]),
            (Wish::Attach, [Go, Go, p, r, Go, x, x]),
            (Wish::Remove, [Go, u, u, u, Go, x, Go]),
        ] {
            assert_eq!(phases.map(|phase| allow(phase, wish)), want, "{wish:?}");
        }
    }
}
