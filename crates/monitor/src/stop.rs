//! Signals, stops, and pauses.

use crate::monitor::{Monitor, State};
use crate::requests::Asker;
use crate::streams::MAIN;
use rustix::process::Signal as Number;
use sampan_spec::Signal;
use sampan_spec::journal::Event;
use sampan_spec::monitor::{Answer, Refusal, WaitCondition};
use sampan_sys::signals;
use std::time::{Duration, Instant};

/// The signals that do not end a monitor, and its container with it, on the spot.
pub(crate) const HELD_SIGNALS: [i32; 4] =
    [Number::HUP.as_raw(), Number::TERM.as_raw(), Number::INT.as_raw(), Number::QUIT.as_raw()];

/// A stop that was asked for.
#[derive(Debug, Default)]
pub(crate) struct Stopping {
    /// When patience ends.
    pub(crate) kill_at: Option<Instant>,
    askers: Vec<Asker>,
    /// Those who asked for a restart.
    restarters: Vec<Asker>,
    /// This monitor was told to end: process 1 is not started again.
    pub(crate) for_good: bool,
}

impl Monitor {
    /// Sends a signal to process 1. One that is meant to end it also ends restarts and a pause.
    pub(crate) fn send_signal(&mut self, signal: Signal) -> Result<(), Refusal> {
        let ends = signal == Signal::KILL || signal == self.bundle.supervise.stop.signal;
        if ends {
            return self.send_last_signal(signal, true);
        }
        if matches!(self.state, State::Restarting { .. }) {
            return Err(Refusal::NotRunning);
        }
        self.signal_main(signal)
    }

    /// The host goes down. Written down before the stop: whoever reads of that knows whose it was.
    pub(crate) fn shut_down(&mut self, asker: Asker) -> Result<(), Refusal> {
        if self.is_active() {
            self.report(Event::Shutdown);
        }
        self.stop(asker, None, None)
    }

    pub(crate) fn stop(
        &mut self,
        asker: Asker,
        signal: Option<Signal>,
        timeout: Option<i64>,
    ) -> Result<(), Refusal> {
        let stop = self.bundle.supervise.stop;
        self.stopping.askers.push(asker);
        let first = signal.unwrap_or(stop.signal);
        // A removal by force says it so.
        let kill = first == Signal::KILL && timeout == Some(0);
        if let Err(refusal) = self.send_last_signal(first, kill) {
            self.stopping
                .askers
                .retain(|other| other.call != asker.call || other.connection != asker.connection);
            return Err(refusal);
        }
        // One that waited for a restart has ended by now, and the stop was answered.
        if !self.stopping.askers.is_empty() {
            self.be_patient(timeout);
        }
        Ok(())
    }

    /// Ends process 1 as a stop does; [`Monitor::conclude_ended`] then finds in the journal that it is to run again.
    pub(crate) fn restart_at_a_wish(
        &mut self,
        asker: Asker,
        signal: Option<Signal>,
        timeout: Option<i64>,
    ) -> Result<(), Refusal> {
        let signal = signal.unwrap_or(self.bundle.supervise.stop.signal);
        if !self.is_active() {
            return Err(Refusal::NotRunning);
        }
        self.report(Event::RestartRequested { signal });
        self.stopping.restarters.push(asker);
        if let State::Restarting { due, .. } = &mut self.state {
            *due = Instant::now();
            return Ok(());
        }
        // It has ended by itself where this fails.
        let _ = self.signal_main(signal);
        self.be_patient(timeout);
        if self.is_paused() { self.resume() } else { Ok(()) }
    }

    /// Sets when patience ends: after so many seconds, or the bundle's; negative is never.
    fn be_patient(&mut self, timeout: Option<i64>) {
        let own = self.bundle.supervise.stop.timeout.map(u64::from);
        let timeout = timeout.map_or(own, |seconds| u64::try_from(seconds).ok());
        if let Some(seconds) = timeout {
            let at = Instant::now() + Duration::from_secs(seconds.min(u64::from(u32::MAX)));
            self.stopping.kill_at = Some(self.stopping.kill_at.map_or(at, |other| other.min(at)));
        }
    }

    /// Answers those who asked for a restart.
    pub(crate) fn answer_restarts(&mut self, result: &Result<Answer, Refusal>) {
        for asker in std::mem::take(&mut self.stopping.restarters) {
            self.answer(asker, result.clone(), Vec::new());
        }
    }

    /// Writes down that it is to stop, then signals.
    fn send_last_signal(&mut self, signal: Signal, kill: bool) -> Result<(), Refusal> {
        match self.state {
            State::Running { .. } => {
                self.report(Event::StopRequested { signal, kill });
                self.signal_main(signal)?;
                // A frozen process takes signals only once it runs again.
                if self.is_paused() { self.resume() } else { Ok(()) }
            }
            State::Restarting { .. } => {
                self.report(Event::StopRequested { signal, kill });
                self.cancel_restart();
                Ok(())
            }
            _ => Err(Refusal::NotRunning),
        }
    }

    /// SIGTERM, SIGINT and SIGQUIT are meant for the container, as with other runtimes' monitors: process 1 is stopped with
    /// its own signal and time-out, and the monitor goes on to tell its end. So systemd's last SIGTERM to all that is left
    /// at shutdown is followed by an end. It is no user's stop: the journal has none, and the restart policy holds for the
    /// next engine. SIGHUP means nothing.
    pub(crate) fn take_signals(&mut self) {
        let mut end = false;
        while let Ok(Some(number)) = signals::next(&self.signals) {
            end |= number != Number::HUP.as_raw();
        }
        if !end {
            return;
        }
        self.stopping.for_good |= self.is_active() || matches!(self.state, State::Ended);
        match self.state {
            State::Running { .. } => {
                // Where these fail it has ended by itself.
                let _ = self.signal_main(self.bundle.supervise.stop.signal);
                self.be_patient(None);
                let _ = if self.is_paused() { self.resume() } else { Ok(()) };
            }
            State::Restarting { .. } => self.cancel_restart(),
            State::Created | State::Prepared(_) | State::Ended => {}
        }
    }

    fn signal_main(&self, signal: Signal) -> Result<(), Refusal> {
        let process = self.processes.get(&MAIN).and_then(|process| process.pidfd.as_ref());
        let pidfd = process.ok_or(Refusal::NotRunning)?;
        sampan_sys::process::signal(pidfd, signal.number())
            .map_err(|error| Refusal::System { message: format!("send {signal}: {error}") })
    }

    /// Patience has ended.
    pub(crate) fn kill_stopping(&mut self) {
        self.stopping.kill_at = None;
        // It has ended by itself where this fails.
        let _ = self.signal_main(Signal::KILL);
    }

    /// Answers those who asked for a stop.
    pub(crate) fn answer_stops(&mut self) {
        self.stopping.kill_at = None;
        for asker in std::mem::take(&mut self.stopping.askers) {
            self.answer(asker, Ok(Answer::Done), Vec::new());
        }
    }

    /// It was between two runs: the last one was the end.
    fn cancel_restart(&mut self) {
        let state = std::mem::replace(&mut self.state, State::Ended);
        let State::Restarting { sandbox, exit, .. } = state else {
            self.state = state;
            return;
        };
        self.report_end(exit);
        self.tell_end(&[WaitCondition::NotRunning, WaitCondition::NextExit]);
        self.answer_restarts(&Err(Refusal::NotRunning));
        self.release(sandbox, None);
    }

    pub(crate) fn is_paused(&self) -> bool {
        matches!(self.state, State::Running { paused: true, .. })
    }

    pub(crate) fn pause(&mut self) -> Result<(), Refusal> {
        let State::Running { sandbox, paused, .. } = &mut self.state else { return Err(Refusal::NotRunning) };
        if *paused {
            return Err(Refusal::Paused);
        }
        sandbox.cgroup.freeze().map_err(|error| system("freeze the container", &error))?;
        *paused = true;
        self.report(Event::Paused);
        self.end_probes();
        Ok(())
    }

    pub(crate) fn resume(&mut self) -> Result<(), Refusal> {
        let State::Running { sandbox, paused, .. } = &mut self.state else { return Err(Refusal::NotRunning) };
        sandbox.cgroup.thaw().map_err(|error| system("thaw the container", &error))?;
        if std::mem::take(paused) {
            self.report(Event::Resumed);
            self.begin_probes();
        }
        Ok(())
    }
}

fn system(what: &str, error: &dyn std::error::Error) -> Refusal {
    let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    Refusal::System { message: format!("{what}: {error}{source}") }
}
