//! A container's health: what its probes found, and what follows from that. The rules are Docker's.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How many probes are remembered.
const PROBES_KEPT: usize = 5;
/// The code of a probe that took too long or could not be made.
pub const NO_CODE: i32 = -1;

/// What is known of a container's health. Part of the journal: format break.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// What follows from the probes.
    pub status: HealthStatus,
    /// How many of the last probes failed in a row, since failures count.
    pub failing_streak: u32,
    /// The last probes, oldest first; those before a restart too.
    pub log: Vec<Probe>,
}

/// Whether a container is well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HealthStatus {
    /// No probe succeeded yet, and not enough failed.
    #[default]
    Starting,
    /// The last probe succeeded, or not enough have failed since one did.
    Healthy,
    /// Too many failed in a row; or it is not probed now, as it is paused or does not run.
    Unhealthy,
}

/// A probe that is over. Part of the journal: format break.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// When it was begun.
    pub start: Timestamp,
    /// When it was over.
    pub end: Timestamp,
    /// Its exit code, 0 for well, or [`NO_CODE`].
    pub code: i32,
    /// The beginning of what it said, or why it has no code.
    pub output: String,
}

impl Health {
    /// The status and the failing streak after one more probe; `counts`: also if it failed.
    pub fn after(&self, code: i32, counts: bool, retries: u32) -> (HealthStatus, u32) {
        if code == 0 {
            return (HealthStatus::Healthy, 0);
        }
        let streak = self.failing_streak.saturating_add(u32::from(counts));
        let enough = counts && streak >= retries;
        (if enough { HealthStatus::Unhealthy } else { self.status }, streak)
    }

    /// Remembers a probe.
    pub(crate) fn take(&mut self, probe: Probe) {
        self.log.push(probe);
        let forgotten = self.log.len().saturating_sub(PROBES_KEPT);
        self.log.drain(..forgotten);
    }

    /// It runs anew.
    pub(crate) fn begin(&mut self) {
        (self.status, self.failing_streak) = (HealthStatus::Starting, 0);
    }
}

impl HealthStatus {
    /// Docker's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::HealthStatus::{Healthy, Starting, Unhealthy};
    use super::*;

    #[test]
    fn what_follows_from_a_probe() {
        for ((status, failing_streak), (code, counts), want) in [
            ((Starting, 0), (0, false), (Healthy, 0)),
            ((Starting, 0), (1, false), (Starting, 0)),
            ((Starting, 0), (1, true), (Starting, 1)),
            ((Starting, 1), (NO_CODE, true), (Unhealthy, 2)),
            ((Healthy, 0), (1, true), (Healthy, 1)),
            ((Healthy, 1), (1, true), (Unhealthy, 2)),
            ((Unhealthy, 2), (1, true), (Unhealthy, 3)),
            ((Unhealthy, 2), (0, true), (Healthy, 0)),
        ] {
            let health = Health { status, failing_streak, log: Vec::new() };
            assert_eq!(health.after(code, counts, 2), want, "{status:?} {failing_streak} {code} {counts}");
        }
    }
}
