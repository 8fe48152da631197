//! The loop: what to wait for, whom to tell, and when it is over.

use crate::bundle::{Bundle, BundleError};
use crate::client::{Client, Role};
use crate::connection::Connection;
use crate::health::Probing;
use crate::oom::Memory;
use crate::output::Output;
use crate::ports::Ports;
use crate::process::Process;
use crate::record::Record;
use crate::start::Waiting;
use crate::stop::{HELD_SIGNALS, Stopping};
use crate::streams::{BLOCK, Key};
use rustix::event::PollFlags;
use rustix::process::{PidfdFlags, PidfdGetfdFlags};
use sampan_logs::journal::JournalError;
use sampan_runtime::Sandbox;
use sampan_spec::ExecId;
use sampan_spec::journal::{Exit, Failure};
use sampan_spec::monitor::{Answer, LISTENER_FD, Refusal, WaitCondition};
use sampan_sys::process::Ended;
use sampan_sys::signals;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a monitor that nobody has started waits for somebody to ask it for something.
const PATIENCE: Duration = Duration::from_secs(30);
/// The same once it had clients and the last has left: a start may still be on its way.
const PATIENCE_AFTER_CLIENTS: Duration = Duration::from_secs(1);

/// A monitor cannot run.
#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    /// The bundle cannot be used.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The journal cannot be written.
    #[error("{0}")]
    Journal(#[from] JournalError),
    /// The host does not say which boot this is.
    #[error("cannot read the boot id: {0}")]
    BootId(#[source] io::Error),
    /// The inherited socket is none.
    #[error("cannot listen: {0}")]
    Listen(#[source] io::Error),
    /// Waiting failed.
    #[error("cannot wait: {0}")]
    Poll(#[source] io::Error),
    /// The limit of open files stays too low for the ports of some containers.
    #[error("cannot raise the limit of open files: {0}")]
    OpenFiles(#[source] io::Error),
}

/// Supervises the container of a bundle until nobody needs that any more. Daemons connect to the socket that is inherited
/// as [`LISTENER_FD`]. The calling program must have one thread.
///
/// # Errors
/// When it cannot begin, or cannot wait for events.
pub fn run(bundle: &Path) -> Result<(), MonitorError> {
    sampan_sys::process::raise_open_files().map_err(MonitorError::OpenFiles)?;
    Monitor::new(bundle, inherited(LISTENER_FD).map_err(MonitorError::Listen)?)?.run()
}

/// A duplicate of a descriptor that this program was started with, by pidfd_getfd(2) on ourselves.
pub(crate) fn inherited(number: i32) -> io::Result<OwnedFd> {
    let own = rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty())?;
    Ok(rustix::process::pidfd_getfd(own, number, PidfdGetfdFlags::empty())?)
}

/// One container and all that belongs to it.
#[derive(Debug)]
pub(crate) struct Monitor {
    pub(crate) bundle: Bundle,
    pub(crate) boot_id: String,
    pub(crate) listener: OwnedFd,
    /// Until when nobody new is accepted: there was no room for one.
    pub(crate) listen_again: Option<Instant>,
    /// Signals arrive here: see [`Monitor::take_signals`].
    pub(crate) signals: OwnedFd,
    pub(crate) connections: BTreeMap<u64, Connection>,
    pub(crate) clients: BTreeMap<u64, Client>,
    pub(crate) processes: BTreeMap<Key, Process>,
    pub(crate) execs: BTreeMap<Key, ExecId>,
    pub(crate) state: State,
    pub(crate) record: Record,
    pub(crate) output: Output,
    pub(crate) output_open: bool,
    pub(crate) memory: Memory,
    pub(crate) ports: Ports,
    pub(crate) stopping: Stopping,
    pub(crate) probing: Probing,
    /// The last delay before a restart.
    pub(crate) delay: Duration,
    /// Rows and columns that were set before there was a terminal.
    pub(crate) size: Option<(u16, u16)>,
    pub(crate) buffer: Vec<u8>,
    pub(crate) life: Life,
    /// A process has begun or ended since freed memory was given back.
    pub(crate) untidy: bool,
    last_number: u64,
}

/// How far the container is.
#[derive(Debug)]
pub(crate) enum State {
    /// Waits for a daemon.
    Created,
    /// Process 1 waits, or why it cannot.
    Prepared(Result<Box<Waiting>, Failure>),
    /// Process 1 runs, or its output is still being read.
    Running { sandbox: Sandbox, root: OwnedFd, since: Instant, paused: bool, ended: Option<Ended> },
    /// It is started again when that is due: by its restart policy, or because a user asked for that.
    Restarting { sandbox: Sandbox, exit: Exit, due: Instant },
    /// It has ended, or could not be started.
    Ended,
}

/// What decides when this monitor ends.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) met_daemon: bool,
    pub(crate) had_clients: bool,
    pub(crate) abandoned: bool,
    pub(crate) removed: bool,
    quit: bool,
    /// When somebody last asked for something or left.
    pub(crate) last_event: Instant,
}

impl Life {
    /// Until when a monitor waits that nobody has started and that has no clients.
    pub(crate) fn patience_ends(&self) -> Instant {
        self.last_event + if self.had_clients { PATIENCE_AFTER_CLIENTS } else { PATIENCE }
    }
}

impl Monitor {
    fn new(folder: &Path, listener: OwnedFd) -> Result<Self, MonitorError> {
        let bundle = Bundle::read(folder)?;
        let boot_id =
            std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map_err(MonitorError::BootId)?;
        rustix::io::ioctl_fionbio(&listener, true).map_err(|e| MonitorError::Listen(e.into()))?;
        let signals = signals::descriptor(&HELD_SIGNALS).map_err(MonitorError::Poll)?;
        Ok(Self {
            record: Record::open(&bundle.supervise.journal)?,
            bundle,
            boot_id: boot_id.trim().to_owned(),
            listener,
            listen_again: None,
            signals,
            connections: BTreeMap::new(),
            clients: BTreeMap::new(),
            processes: BTreeMap::new(),
            execs: BTreeMap::new(),
            state: State::Created,
            output: Output::default(),
            output_open: false,
            memory: Memory::default(),
            ports: Ports::default(),
            stopping: Stopping::default(),
            probing: Probing::default(),
            delay: Duration::ZERO,
            size: None,
            buffer: vec![0; BLOCK],
            life: Life {
                met_daemon: false,
                had_clients: false,
                abandoned: false,
                removed: false,
                quit: false,
                last_event: Instant::now(),
            },
            untidy: true,
            last_number: 0,
        })
    }

    fn run(mut self) -> Result<(), MonitorError> {
        loop {
            let more = self.settle();
            if self.is_over() {
                self.record.close();
                return Ok(());
            }
            if std::mem::take(&mut self.untidy) {
                sampan_sys::heap::give_back_now();
            }
            let deadline = if more { Some(Instant::now()) } else { self.deadline() };
            for (token, flags) in self.wait_for_events(deadline)? {
                self.event(token, flags);
            }
        }
    }

    /// A number that names nothing else in this monitor.
    pub(crate) fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// Whether process 1 runs or will run again, which is what `docker wait` takes for running.
    pub(crate) fn is_active(&self) -> bool {
        matches!(self.state, State::Running { .. } | State::Restarting { .. })
    }

    /// All that follows from what has happened, without waiting. Says whether there is more to do at once.
    fn settle(&mut self) -> bool {
        let now = Instant::now();
        self.listen_again.take_if(|at| *at <= now);
        self.ports.silent_until.take_if(|at| *at <= now);
        if self.stopping.kill_at.is_some_and(|at| at <= now) {
            self.kill_stopping();
        }
        if self.memory.look_at.is_some_and(|at| at <= now) {
            self.look_at_memory();
        }
        if matches!(self.state, State::Restarting { due, .. } if due <= now) {
            self.restart();
        }
        self.look_at_health(now);
        self.conclude_ended(now);
        self.clients.values_mut().filter(|client| client.waits_for_head()).for_each(Client::flush);
        let more = self.read_silent_inputs();
        self.feed_followers();
        self.sweep(now);
        more
    }

    /// Forgets who is gone.
    fn sweep(&mut self, now: Instant) {
        let mut buffer = std::mem::take(&mut self.buffer);
        for client in self.clients.values_mut().filter(|c| c.deadline().is_some_and(|until| until <= now)) {
            client.drain(&mut buffer, now);
        }
        self.buffer = buffer;
        let before = self.clients.len() + self.connections.len();
        self.clients.retain(|_, client| !client.is_gone());
        self.connections.retain(|_, connection| !connection.is_gone());
        if self.clients.len() + self.connections.len() < before {
            self.life.last_event = now;
        }
        // Nobody else would start it: its daemon died on the way.
        if self.start_has_begun() && self.connections.is_empty() {
            self.abandon();
        }
    }

    /// The daemon has removed the container.
    pub(crate) fn removed(&mut self) {
        self.life.removed = true;
        // Nobody will start it.
        self.abandon();
        self.answer_waiters(&[WaitCondition::Removed]);
    }

    /// Nothing more is asked of this monitor, and the journal is free for others. What process 1 had was released at its
    /// end, so the answer can go out.
    pub(crate) fn quit(&mut self) -> Result<Option<Answer>, Refusal> {
        self.abandon();
        if self.is_active() {
            return Err(Refusal::AlreadyStarted);
        }
        self.state = State::Ended;
        self.life.quit = true;
        self.record.close();
        // There will be no end that they could be told of.
        self.end_clients(|client| matches!(client.role, Role::Wait(WaitCondition::NextExit)));
        self.end_streams_of(crate::streams::MAIN);
        Ok(Some(Answer::Done))
    }

    /// Whether nobody needs this monitor any more.
    fn is_over(&self) -> bool {
        let life = &self.life;
        let alone = self.clients.is_empty()
            && self.connections.values().all(|c| !c.interest().contains(PollFlags::OUT));
        let no_daemon = self.connections.is_empty();
        match self.state {
            State::Created if life.abandoned => alone,
            State::Created => {
                let waited = life.patience_ends() <= Instant::now();
                alone && (waited || (no_daemon && life.met_daemon))
            }
            State::Ended if life.quit || life.removed => {
                alone || (no_daemon && life.quit && self.nobody_can_be_told())
            }
            State::Ended if self.goes_down() => no_daemon && self.nobody_can_be_told(),
            State::Ended => alone && no_daemon && !self.bundle.supervise.remove,
            State::Prepared(_) | State::Running { .. } | State::Restarting { .. } => false,
        }
    }

    /// Whether the host goes down, or this monitor was told to end: no daemon will come for what is left to do.
    fn goes_down(&self) -> bool {
        self.stopping.for_good || self.record.summary().shutdown
    }

    /// Whether all clients wait for a removal, of which nobody is left to tell.
    fn nobody_can_be_told(&self) -> bool {
        self.clients.values().all(|client| matches!(client.role, Role::Wait(WaitCondition::Removed)))
    }
}
