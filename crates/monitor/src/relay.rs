//! `sampan-runtime relay`: carries what arrives at published IPv6 ports to a container that has IPv4 only.
//!
//! A monitor starts it when something arrives for the first time, and gives it the listening sockets through the socket
//! that it inherits as [`CONTROL_FD`]: packets of up to 253 descriptors, each packet a JSON list of where what arrives at each
//! is to go. It has no privilege, and needs nobody. When the monitor closes its half (or is gone), it closes what it listens
//! on, closes the control socket to say so, and stays for what is still on its way. Without work it ends by itself.
//!
//! Here are the program's privileges and its loop around epoll(7); a connection is in `stream`, datagrams are in `flows`.

mod flows;
mod stream;

use crate::monitor::inherited;
use flows::Flows;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::SocketType;
use rustix::thread::{Gid, Uid};
use sampan_spec::monitor::FDS_MAX;
use sampan_sys::{datagram, socket};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};
use stream::{Progress, Stream};

/// The descriptor of the socket to the monitor.
pub(crate) const CONTROL_FD: i32 = 3;
/// Docker's user and group for the same work: `nobody` and `nogroup`.
const NOBODY: u32 = 65534;
/// A relay without work ends after this.
const IDLE: Duration = Duration::from_secs(10);
/// So long connections are served after the container's end.
const LAST_BYTES: Duration = Duration::from_secs(10);
/// When to look again for what could not be taken because no descriptor was free.
const NO_ROOM_PAUSE: Duration = Duration::from_millis(100);
/// How often old exchanges of datagrams are looked for.
const SWEEP: Duration = Duration::from_secs(5);
/// So many connections or datagrams are taken from one socket before the others have their turn.
const TURN: usize = 64;
/// As much is read at once, in bytes: no datagram is longer.
const BLOCK: usize = 64 << 10;
/// So many events are taken at once.
const EVENTS: usize = 128;
/// The control socket's number.
const CONTROL: u64 = 0;

/// The relay cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The inherited socket is none, or speaks nonsense.
    #[error("cannot take the ports from the monitor: {0}")]
    Control(#[source] io::Error),
    /// It must not run with them.
    #[error("cannot give up privileges: {0}")]
    Privileges(#[source] io::Error),
    /// Waiting failed.
    #[error("cannot wait: {0}")]
    Poll(#[source] io::Error),
}

/// Relays until the monitor has closed its end and all is done, or nothing is to do.
///
/// # Errors
/// See [`RelayError`].
pub fn relay() -> Result<(), RelayError> {
    let control = inherited(CONTROL_FD).map_err(RelayError::Control)?;
    sampan_sys::process::raise_open_files().map_err(RelayError::Privileges)?;
    give_up_privileges().map_err(|e| RelayError::Privileges(e.into()))?;
    Relay::new(control)?.run()
}

fn give_up_privileges() -> rustix::io::Result<()> {
    let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    rustix::thread::set_thread_groups(&[])?;
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    rustix::thread::set_no_new_privs(true)
}

/// Where something arrives, and where it is to go.
struct Source {
    socket: OwnedFd,
    to: SocketAddr,
    datagrams: bool,
}

/// Everything that has descriptors has a number; an event's number is twice that, and one more for a stream's second end.
struct Relay {
    poll: OwnedFd,
    /// Until the monitor has closed its end.
    control: Option<OwnedFd>,
    sources: BTreeMap<u64, Source>,
    streams: BTreeMap<u64, Stream>,
    flows: Flows,
    /// Whose turn was over before their work.
    again: BTreeSet<u64>,
    /// Where something waits for a free descriptor.
    starved: BTreeSet<u64>,
    last: u64,
    buffer: Vec<u8>,
    /// When there was work for the last time.
    busy: Instant,
}

impl Relay {
    fn new(control: OwnedFd) -> Result<Self, RelayError> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(|e| RelayError::Poll(e.into()))?;
        rustix::io::ioctl_fionbio(&control, true).map_err(|e| RelayError::Control(e.into()))?;
        watch(&poll, &control, CONTROL, EventFlags::IN).map_err(|e| RelayError::Poll(e.into()))?;
        Ok(Self {
            poll,
            control: Some(control),
            sources: BTreeMap::new(),
            streams: BTreeMap::new(),
            flows: Flows::default(),
            again: BTreeSet::new(),
            starved: BTreeSet::new(),
            last: CONTROL,
            buffer: vec![0; BLOCK],
            busy: Instant::now(),
        })
    }

    fn run(mut self) -> Result<(), RelayError> {
        loop {
            let now = Instant::now();
            if !self.streams.is_empty() || !self.flows.is_empty() {
                // After the end the last work counts.
                self.busy = if self.control.is_some() { now } else { self.busy };
            } else if self.control.is_none() {
                return Ok(());
            }
            if self.patience_ends() <= now {
                return Ok(());
            }
            let pause = self.pause(now);
            for (token, flags) in self.wait(pause).map_err(|e| RelayError::Poll(e.into()))? {
                self.event(token, flags)?;
            }
            self.flows.forget_old(Instant::now());
            let again: Vec<u64> = std::mem::take(&mut self.again).into_iter().collect();
            again.into_iter().for_each(|number| self.work(number));
        }
    }

    /// When this ends whatever is still open.
    fn patience_ends(&self) -> Instant {
        self.busy + if self.control.is_some() { IDLE } else { LAST_BYTES }
    }

    fn pause(&mut self, now: Instant) -> Duration {
        if !self.starved.is_empty() {
            self.again.append(&mut self.starved);
            return NO_ROOM_PAUSE;
        }
        if !self.again.is_empty() {
            return Duration::ZERO;
        }
        self.patience_ends().saturating_duration_since(now).min(SWEEP)
    }

    fn wait(&self, pause: Duration) -> rustix::io::Result<Vec<(u64, EventFlags)>> {
        let mut events = Vec::with_capacity(EVENTS);
        let pause = Timespec { tv_sec: pause.as_secs() as i64, tv_nsec: pause.subsec_nanos().into() };
        match epoll::wait(&self.poll, spare_capacity(&mut events), Some(&pause)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
        // The structure is packed: its fields are copied out.
        Ok(events.into_iter().map(|event| ({ event.data }.u64(), { event.flags })).collect())
    }

    fn event(&mut self, token: u64, flags: EventFlags) -> Result<(), RelayError> {
        if token == CONTROL {
            return self.read_control().map_err(RelayError::Control);
        }
        if let Some(stream) = self.streams.get_mut(&(token / 2)) {
            stream.note(token % 2 == 1, flags);
        }
        self.work(token / 2);
        Ok(())
    }

    /// Does what there is to do for a number, up to a turn.
    fn work(&mut self, number: u64) {
        if let Some(stream) = self.streams.get_mut(&number) {
            match stream.pump(&mut self.buffer) {
                Progress::Waits => {}
                Progress::More => {
                    self.again.insert(number);
                }
                Progress::Over => drop(self.streams.remove(&number)),
            }
        } else if let Some(source) = self.flows.source_of(number).and_then(|n| self.sources.get(&n)) {
            if self.flows.answer(number, &source.socket, &mut self.buffer) {
                self.again.insert(number);
            }
        } else if self.sources.get(&number).is_some_and(|source| source.datagrams) {
            self.take_datagrams(number);
        } else if self.sources.contains_key(&number) {
            self.take_connections(number);
        }
    }

    fn take_connections(&mut self, number: u64) {
        for _ in 0..TURN {
            let Some(source) = self.sources.get(&number) else { return };
            let stream = match Stream::accept(&source.socket, source.to) {
                Ok(Some(stream)) => stream,
                Ok(None) => continue,
                Err(Errno::AGAIN) => return,
                // No descriptor or memory is free.
                Err(_) => {
                    self.starved.insert(number);
                    return;
                }
            };
            self.last += 1;
            if stream.watch(&self.poll, self.last).is_ok() {
                self.streams.insert(self.last, stream);
            }
        }
        self.again.insert(number);
    }

    fn take_datagrams(&mut self, number: u64) {
        for _ in 0..TURN {
            let Some(source) = self.sources.get(&number) else { return };
            let (length, ends) = match datagram::receive(&source.socket, &mut self.buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // An error that is told once, of something that was sent.
                Err(_) => continue,
            };
            let flow = (number, ends);
            if let Some(known) = self.flows.find(&flow) {
                self.flows.forward(known, &self.buffer[..length]);
            } else if let Ok(socket) = flows::connect(source.to) {
                self.last += 1;
                let events = EventFlags::IN | EventFlags::ET;
                if watch(&self.poll, &socket, self.last * 2, events).is_ok() {
                    self.flows.add(self.last, flow, socket);
                    self.flows.forward(self.last, &self.buffer[..length]);
                }
            }
        }
        self.again.insert(number);
    }

    /// Takes more sockets, or learns that it is over.
    fn read_control(&mut self) -> io::Result<()> {
        let Some(control) = &self.control else { return Ok(()) };
        let (length, sockets) = match socket::recv_with_fds(control, &mut self.buffer, FDS_MAX) {
            Ok((0, _)) => {
                self.sources.clear();
                self.flows = Flows::default();
                // This tells the monitor that they are closed.
                self.control = None;
                return Ok(());
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            received => received?,
        };
        let targets: Vec<SocketAddr> = serde_json::from_slice(&self.buffer[..length])?;
        for (socket, to) in sockets.into_iter().zip(targets) {
            self.add_source(socket, to)?;
        }
        Ok(())
    }

    fn add_source(&mut self, socket: OwnedFd, to: SocketAddr) -> io::Result<()> {
        let datagrams = rustix::net::sockopt::socket_type(&socket)? == SocketType::DGRAM;
        if datagrams {
            datagram::tell_destination(&socket)?;
        }
        self.last += 1;
        watch(&self.poll, &socket, self.last * 2, EventFlags::IN | EventFlags::ET)?;
        self.sources.insert(self.last, Source { socket, to, datagrams });
        Ok(())
    }
}

fn watch(poll: &OwnedFd, fd: impl AsFd, token: u64, events: EventFlags) -> rustix::io::Result<()> {
    epoll::add(poll, fd, EventData::new_u64(token), events)
}
