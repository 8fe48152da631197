//! Process 1's end: told first, released then; restarts by policy.

use crate::client::{Client, Role};
use crate::monitor::{Monitor, State};
use crate::streams::{Key, MAIN};
use sampan_runtime::Sandbox;
use sampan_spec::Signal;
use sampan_spec::bundle::Restart;
use sampan_spec::journal::{Event, Exit};
use sampan_spec::monitor::{Refusal, WaitCondition};
use sampan_spec::oci::LinuxNamespaceType;
use sampan_sys::process::{Ended, try_wait};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// The delays before restarts: doubled each time, from the shortest again after a run of some length. Docker's numbers.
const SHORTEST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(60);
const SETTLED: Duration = Duration::from_secs(10);
/// How long after a process's end others may hold its streams before clients are told that it is over. Docker's number.
const HELD_STREAMS: Duration = Duration::from_secs(2);

impl Monitor {
    /// A process's descriptor says that it has ended: takes it from the process table and reads what it left.
    pub(crate) fn reap(&mut self, key: Key) {
        let Some(process) = self.processes.get_mut(&key) else { return };
        let Some(pidfd) = &process.pidfd else { return };
        let how = match try_wait(pidfd) {
            Ok(Some(how)) => how,
            Ok(None) => return,
            // Somebody else has waited for it, which leaves no code.
            Err(_) => Ended::Signal(Signal::KILL.number()),
        };
        process.pidfd = None;
        process.ended = Some(Instant::now());
        if key == MAIN {
            self.main_ended(how);
        } else {
            self.exec_ended(key, how);
        }
        self.read_rest(key);
    }

    fn main_ended(&mut self, how: Ended) {
        self.end_probes();
        let own_pids = self.has_own_pids();
        if let State::Running { sandbox, ended, .. } = &mut self.state {
            *ended = Some(how);
            if !own_pids {
                // With its pid name space all would have ended. What cannot be killed now is killed with the cgroup.
                let _ = sandbox.cgroup.kill_all();
            }
        }
    }

    fn has_own_pids(&self) -> bool {
        let namespaces = self.bundle.config.linux.as_ref().and_then(|linux| linux.namespaces.as_ref());
        let mut namespaces = namespaces.into_iter().flatten();
        namespaces.any(|n| n.typ == LinuxNamespaceType::Pid && n.path.is_none())
    }

    /// When an ended process's streams are given up.
    pub(crate) fn streams_held_until(&self) -> impl Iterator<Item = Instant> {
        self.processes.values().filter_map(|process| process.ended).map(|ended| ended + HELD_STREAMS)
    }

    /// Concludes the processes that have ended and whose output has been read.
    pub(crate) fn conclude_ended(&mut self, now: Instant) {
        let over: Vec<Key> = self
            .processes
            .iter()
            .filter(|(_, process)| {
                process.ended.is_some_and(|ended| process.output_ended() || ended + HELD_STREAMS <= now)
            })
            .map(|(key, _)| *key)
            .collect();
        self.untidy |= !over.is_empty();
        for key in over {
            self.processes.remove(&key);
            if key == MAIN {
                self.conclude();
            } else {
                self.end_streams_of(key);
                self.probe_over(key);
            }
        }
    }

    /// Process 1 and its output have ended: writes it down, tells everybody, and only then lets go of what it had.
    fn conclude(&mut self) {
        if let Some(gap) = self.output.finish() {
            self.report(gap);
        }
        self.look_at_memory();
        let State::Running { sandbox, root, since, ended, .. } =
            std::mem::replace(&mut self.state, State::Ended)
        else {
            return;
        };
        let exit = exit_of(ended.unwrap_or(Ended::Code(0)), self.record.summary().oom);
        let delay = self.restart_delay(&exit, since.elapsed());
        match delay {
            Some(delay) => self.report(Event::Restarting { exit, delay_ms: delay.as_millis() as u64 }),
            None => self.report_end(exit),
        }
        self.tell_end(&[WaitCondition::NotRunning, WaitCondition::NextExit]);
        match delay {
            Some(delay) => {
                self.state = State::Restarting { sandbox, exit, due: Instant::now() + delay };
                drop(root);
            }
            None => {
                self.answer_restarts(&Err(Refusal::NotRunning));
                self.release(sandbox, Some(root));
            }
        }
    }

    /// Writes down that it has ended for good. The ports are free before anybody knows: the next may want the same.
    pub(crate) fn report_end(&mut self, exit: Exit) {
        self.ports.close();
        self.report(Event::Exited(exit));
    }

    /// Tells waiters and clients of an end. Those who follow the log get the rest of it first.
    pub(crate) fn tell_end(&mut self, conditions: &[WaitCondition]) {
        self.answer_waiters(conditions);
        self.end_streams_of(MAIN);
        self.answer_stops();
        for client in self.clients.values_mut() {
            if let Role::Logs(follower) = &mut client.role {
                follower.seen = None;
            }
        }
        self.feed_followers();
        self.clients.values_mut().filter(|client| client.queued() > 0).for_each(Client::flush);
    }

    /// Lets go of mounts, cgroup and network. What cannot be removed now is found by the engine, by its name.
    pub(crate) fn release(&mut self, sandbox: Sandbox, root: Option<OwnedFd>) {
        drop(root);
        self.memory = crate::oom::Memory::default();
        let _ = sandbox.cgroup.remove();
    }

    /// Whether to start again, and when.
    fn restart_delay(&mut self, exit: &Exit, ran: Duration) -> Option<Duration> {
        let summary = self.record.summary();
        if self.stopping.for_good {
            return None;
        }
        if summary.restart_requested {
            self.delay = Duration::ZERO;
            return Some(self.delay);
        }
        let wanted = match self.bundle.supervise.restart {
            _ if summary.stop_requested => false,
            Restart::No => false,
            Restart::Always | Restart::UnlessStopped => true,
            Restart::OnFailure { max_retries } => {
                exit.code != 0 && (max_retries == 0 || summary.restarts < max_retries)
            }
        };
        self.delay = next_delay(self.delay, ran);
        wanted.then_some(self.delay)
    }
}

fn exit_of(ended: Ended, oom: bool) -> Exit {
    let signal = match ended {
        Ended::Signal(number) => Signal::try_from(number).ok(),
        Ended::Code(_) => None,
    };
    Exit { code: ended.shell_code(), signal, oom }
}

/// The delay after this one, given how long the process ran; zero is before the first.
fn next_delay(last: Duration, ran: Duration) -> Duration {
    if last.is_zero() || ran >= SETTLED { SHORTEST_DELAY } else { (last * 2).min(LONGEST_DELAY) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_a_minute() {
        let short = Duration::from_secs(1);
        let mut delay = Duration::ZERO;
        let mut delays = Vec::new();
        for _ in 0..12 {
            delay = next_delay(delay, short);
            delays.push(delay.as_millis());
        }
        let want = [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000];
        assert_eq!(delays, want);
        assert_eq!(next_delay(delay, SETTLED), SHORTEST_DELAY);
    }

    #[test]
    fn exits() {
        assert_eq!(exit_of(Ended::Code(3), false), Exit { code: 3, signal: None, oom: false });
        assert_eq!(
            exit_of(Ended::Signal(9), true),
            Exit { code: 137, signal: Some(Signal::KILL), oom: true }
        );
    }
}
