//! Health: probes, executed beside process 1 one at a time, whether there is a daemon or not. What follows from a probe is
//! `sampan_spec::health`'s to say.

use crate::monitor::{Monitor, State};
use crate::streams::Key;
use rustix::process::{Pid, Signal, kill_process_group};
use rustix::rand::{GetRandomFlags, getrandom};
use sampan_spec::bundle::HealthCheck;
use sampan_spec::health::{HealthStatus, NO_CODE, Probe};
use sampan_spec::journal::{Event, ExecProcess, Failure};
use sampan_spec::{ExecId, Timestamp, format_duration};
use sampan_sys::process::Ended;
use std::time::{Duration, Instant};

/// So much of what a probe says is kept, in bytes. Docker's number.
const OUTPUT_KEPT: usize = 4096;

/// How far the health check is.
#[derive(Debug, Default)]
pub(crate) enum Probing {
    /// There is none, or nothing to probe.
    #[default]
    Off,
    /// The next probe comes then.
    Due(Instant),
    /// One is under way.
    Running(Running),
}

/// A probe under way.
#[derive(Debug)]
pub(crate) struct Running {
    key: Key,
    start: Timestamp,
    begun: Instant,
    /// When it will have taken too long; `None` once it has ended or has been killed.
    late_at: Option<Instant>,
    /// It has ended by itself, with this code.
    code: Option<i32>,
    said: Said,
}

/// The beginning of what a probe says.
#[derive(Debug, Default)]
struct Said {
    bytes: Vec<u8>,
    more: bool,
}

impl Probing {
    /// When to look without an event.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Off => None,
            Self::Due(at) => Some(*at),
            Self::Running(probe) => probe.late_at,
        }
    }

    fn running(&mut self, key: Key) -> Option<&mut Running> {
        match self {
            Self::Running(probe) if probe.key == key => Some(probe),
            _ => None,
        }
    }
}

impl Said {
    fn take(&mut self, bytes: &[u8]) {
        let room = OUTPUT_KEPT - self.bytes.len();
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.more |= bytes.len() > room;
    }

    fn text(&self) -> String {
        let end = if self.more { "..." } else { "" };
        String::from_utf8_lossy(&self.bytes).into_owned() + end
    }
}

impl Monitor {
    /// Process 1 runs, or runs on: the first probe comes after an interval.
    pub(crate) fn begin_probes(&mut self) {
        self.probing = match self.interval() {
            Some(interval) => Probing::Due(Instant::now() + interval),
            None => Probing::Off,
        };
    }

    /// There is nothing to probe for now: one that is under way is killed, and nobody asks what came of it.
    pub(crate) fn end_probes(&mut self) {
        if let Probing::Running(probe) = std::mem::take(&mut self.probing) {
            self.kill_probe(probe.key);
        }
    }

    /// Begins a probe that is due, and ends one that takes too long.
    pub(crate) fn look_at_health(&mut self, now: Instant) {
        if self.probing.deadline().is_none_or(|at| at > now) {
            return;
        }
        match &mut self.probing {
            Probing::Off => {}
            Probing::Due(_) => self.probe(now),
            Probing::Running(probe) => {
                probe.late_at = None;
                let key = probe.key;
                self.kill_probe(key);
            }
        }
    }

    /// From now to the next probe; `None` where there is no check.
    fn interval(&self) -> Option<Duration> {
        let check = self.bundle.supervise.health.as_ref()?;
        let early = self.is_starting() && self.ran_at(Instant::now()) < check.start_period;
        Some(Duration::from_nanos(if early { check.start_interval } else { check.interval }))
    }

    fn is_starting(&self) -> bool {
        let health = self.record.summary().health.as_ref();
        health.is_some_and(|health| health.status == HealthStatus::Starting)
    }

    /// How long process 1 had run then, in nanoseconds.
    fn ran_at(&self, then: Instant) -> u64 {
        let State::Running { since, .. } = self.state else { return 0 };
        u64::try_from(then.saturating_duration_since(since).as_nanos()).unwrap_or(u64::MAX)
    }

    fn probe(&mut self, now: Instant) {
        self.probing = Probing::Off;
        let Some(check) = self.bundle.supervise.health.clone() else { return };
        let start = Timestamp::now();
        let timeout = Duration::from_nanos(check.timeout);
        match self.execute_probe(check) {
            Ok(key) => {
                // The time to get it going is not its own.
                let late_at = Some(Instant::now() + timeout);
                let said = Said::default();
                self.probing =
                    Probing::Running(Running { key, start, begun: now, late_at, code: None, said });
            }
            Err(failure) => self.judge(start, now, NO_CODE, failure.exec_text()),
        }
    }

    fn execute_probe(&mut self, check: HealthCheck) -> Result<Key, Failure> {
        let exec = new_id()?;
        self.report(Event::ProbeStarted { exec: exec.clone() });
        let process = ExecProcess {
            process: check.process,
            stdin: false,
            stdout: true,
            stderr: true,
            detach_keys: Vec::new(),
        };
        let process = self.execute(&process, true, None)?;
        Ok(self.keep(exec, process))
    }

    /// Kills all that a probe has begun and that has not left its process group: else what hangs would be more each time.
    fn kill_probe(&self, key: Key) {
        // Until it was waited for, its pid is nobody else's.
        let alive = self.processes.get(&key).filter(|process| process.pidfd.is_some());
        if let Some(group) = alive.and_then(|process| Pid::from_raw(process.pid)) {
            // It has ended by itself where this fails.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// A process says something, perhaps a probe.
    pub(crate) fn probe_said(&mut self, key: Key, bytes: &[u8]) {
        if let Some(probe) = self.probing.running(key) {
            probe.said.take(bytes);
        }
    }

    /// A process has ended, perhaps a probe. What it said may not have been read yet.
    pub(crate) fn probe_ended(&mut self, key: Key, ended: Ended) {
        if let Some(probe) = self.probing.running(key) {
            probe.code = probe.late_at.take().map(|_| ended.shell_code());
        }
    }

    /// A process's output has been read to its end, perhaps a probe's.
    pub(crate) fn probe_over(&mut self, key: Key) {
        let Some(probe) = self.probing.running(key) else { return };
        let (start, begun, said) = (probe.start, probe.begun, probe.said.text());
        let (code, output) = match probe.code {
            Some(code) => (code, said),
            None => (NO_CODE, self.too_long(&said)),
        };
        self.judge(start, begun, code, output);
    }

    /// Docker's text.
    fn too_long(&self, said: &str) -> String {
        let timeout = self.bundle.supervise.health.as_ref().map_or(0, |check| check.timeout);
        let timeout = format_duration(Duration::from_nanos(timeout));
        let before = if said.is_empty() { "" } else { ": " };
        format!("Health check exceeded timeout ({timeout}){before}{said}")
    }

    /// Writes down what a probe has found and what follows from it, and waits for the next.
    fn judge(&mut self, start: Timestamp, begun: Instant, code: i32, output: String) {
        let Some(check) = &self.bundle.supervise.health else { return };
        let counts = !self.is_starting() || self.ran_at(begun) >= check.start_period;
        let health = self.record.summary().health.as_ref();
        let Some((status, failing_streak)) = health.map(|health| health.after(code, counts, check.retries))
        else {
            return;
        };
        let probe = Probe { start, end: Timestamp::now(), code, output };
        self.report(Event::Probed { probe, status, failing_streak });
        self.begin_probes();
    }
}

fn new_id() -> Result<ExecId, Failure> {
    let mut random = [0; 32];
    match getrandom(&mut random, GetRandomFlags::empty()) {
        Ok(_) => Ok(ExecId::from_bytes(random)),
        Err(errno) => Err(Failure {
            stage: "exec".into(),
            errno: errno.raw_os_error(),
            message: format!("getrandom: {errno}"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(parts: &[&[u8]]) -> String {
        let mut said = Said::default();
        parts.iter().for_each(|part| said.take(part));
        said.text()
    }

    #[test]
    fn the_beginning_is_kept() {
        assert_eq!(said(&[]), "");
        assert_eq!(said(&[b"a", b"b\xff"]), "ab\u{fffd}");
        let whole = "x".repeat(OUTPUT_KEPT);
        assert_eq!(said(&[whole.as_bytes()]), whole);
        assert_eq!(said(&[whole.as_bytes(), b"y", b"z"]), whole.clone() + "...");
        assert_eq!(said(&[b"x", whole.as_bytes()]), whole + "...");
    }
}
