//! The host's ports that the container has: the sockets that occupy them, kept from before its start to its end, and the
//! relay for those whose traffic the firewall does not carry.
//!
//! The relay ([`crate::relay`]) is a process of its own, started when something arrives for the first time: the monitor is
//! root and must not be bothered by what strangers send, and a container that nobody calls by IPv6 costs nothing.

use crate::monitor::{Monitor, State};
use crate::relay::CONTROL_FD;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::Shutdown;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use sampan_spec::ContainerId;
use sampan_spec::monitor::{Answer, ENVIRONMENT, FDS_MAX, Refusal};
use sampan_sys::process::{Ended, signal, spawn_detached, try_wait, wait};
use sampan_sys::socket::{self, Kind, send_with_fds};
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// After a relay has failed, nothing is done about what arrives for so long.
const PAUSE: Duration = Duration::from_millis(200);
/// How long a relay may take to take sockets, or to close them, before it is killed.
const PATIENCE: Duration = Duration::from_secs(1);

/// Sockets of published ports.
#[derive(Debug, Default)]
pub(crate) struct Ports {
    held: Vec<OwnedFd>,
    relayed: Vec<Relayed>,
    /// An epoll(7) descriptor, readable when something arrives: one to wait for instead of thousands.
    bell: Option<OwnedFd>,
    relay: Option<Relay>,
    pub(crate) silent_until: Option<Instant>,
}

/// A socket where something arrives, and where that goes.
#[derive(Debug)]
struct Relayed {
    socket: OwnedFd,
    to: SocketAddr,
}

/// The relay's process, and the socket to it.
#[derive(Debug)]
struct Relay {
    pidfd: OwnedFd,
    control: OwnedFd,
}

impl Ports {
    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty() && self.relayed.is_empty()
    }

    /// The relay's process, as long as there is one.
    pub(crate) fn relay(&self) -> Option<BorrowedFd<'_>> {
        self.relay.as_ref().map(|relay| relay.pidfd.as_fd())
    }

    /// What is readable when something arrives, where nobody takes that yet.
    pub(crate) fn bell(&self) -> Option<BorrowedFd<'_>> {
        let nobody = self.relay.is_none() && self.silent_until.is_none();
        self.bell.as_ref().filter(|_| nobody).map(AsFd::as_fd)
    }

    fn hold(&mut self, socket: OwnedFd, relay: Option<SocketAddr>) -> io::Result<()> {
        let Some(to) = relay else {
            self.held.push(socket);
            return Ok(());
        };
        let bell = match self.bell.take() {
            Some(bell) => bell,
            None => epoll::create(epoll::CreateFlags::CLOEXEC)?,
        };
        epoll::add(&bell, &socket, EventData::new_u64(0), EventFlags::IN)?;
        self.bell = Some(bell);
        self.relayed.push(Relayed { socket, to });
        Ok(())
    }

    /// The ports are free for others. The relay goes on with what it has already.
    pub(crate) fn close(&mut self) {
        let relay = self.relay.take();
        *self = Self::default();
        self.relay = relay.and_then(Relay::dismiss);
    }

    /// Something has arrived: has a relay take it.
    pub(crate) fn start_relay(&mut self, id: &ContainerId) {
        match Relay::start(id, &self.relayed) {
            Ok(relay) => self.relay = Some(relay),
            Err(error) => self.relay_failed(&format!("cannot start the relay: {error}")),
        }
    }

    /// The relay's descriptor says that it has ended: what arrives next starts another one.
    pub(crate) fn relay_ended(&mut self) {
        let Some(relay) = &self.relay else { return };
        match try_wait(&relay.pidfd) {
            Ok(None) => return,
            // It had nothing more to do.
            Ok(Some(Ended::Code(0))) => {}
            Ok(Some(how)) => self.relay_failed(&format!("the relay has ended: {how:?}")),
            Err(error) => self.relay_failed(&format!("cannot wait for the relay: {error}")),
        }
        self.relay = None;
    }

    fn relay_failed(&mut self, message: &str) {
        // There is nowhere else to tell it.
        let _ = writeln!(io::stderr(), "sampan-runtime: published ports: {message}");
        self.silent_until = Some(Instant::now() + PAUSE);
    }
}

impl Relay {
    /// Starts this same program again, as a relay for these sockets.
    fn start(id: &ContainerId, relayed: &[Relayed]) -> io::Result<Self> {
        let program = File::open("/proc/self/exe")?;
        let null = || File::options().read(true).write(true).open("/dev/null").map(OwnedFd::from);
        let log = rustix::stdio::stderr().try_clone_to_owned()?;
        let (control, theirs) = socket::pair(Kind::Packets)?;
        set_socket_timeout(&control, Timeout::Send, Some(PATIENCE))?;
        let argv = [c"sampan-runtime".to_owned(), c"relay".to_owned(), CString::new(id.as_str())?];
        let fds = [(null()?, 0), (null()?, 1), (log, 2), (theirs, CONTROL_FD)];
        let (_, pidfd) = spawn_detached(program.as_fd(), &argv, &[ENVIRONMENT.to_owned()], &fds, None)?;
        let relay = Self { pidfd, control };
        match relay.give(relayed) {
            Ok(()) => Ok(relay),
            Err(error) => {
                relay.kill();
                Err(error)
            }
        }
    }

    fn give(&self, relayed: &[Relayed]) -> io::Result<()> {
        for some in relayed.chunks(FDS_MAX) {
            let to: Vec<SocketAddr> = some.iter().map(|relayed| relayed.to).collect();
            let sockets: Vec<BorrowedFd<'_>> = some.iter().map(|relayed| relayed.socket.as_fd()).collect();
            send_with_fds(&self.control, &serde_json::to_vec(&to)?, &sockets)?;
        }
        Ok(())
    }

    /// Has it close what it listens on, and waits for that. `None` if it is gone altogether.
    fn dismiss(self) -> Option<Self> {
        let closed = rustix::net::shutdown(&self.control, Shutdown::Write).is_ok() && self.has_closed();
        if closed {
            return Some(self);
        }
        self.kill();
        None
    }

    fn has_closed(&self) -> bool {
        let mut fds = [PollFd::new(&self.control, PollFlags::IN)];
        let timeout = Timespec { tv_sec: PATIENCE.as_secs() as i64, tv_nsec: 0 };
        poll(&mut fds, Some(&timeout)) == Ok(1)
    }

    fn kill(self) {
        // It has ended by itself where these fail.
        let _ = signal(&self.pidfd, rustix::process::Signal::KILL.as_raw());
        let _ = wait(&self.pidfd);
    }
}

impl Monitor {
    /// Keeps these sockets too.
    pub(crate) fn hold_ports(
        &mut self,
        relay: &[Option<SocketAddr>],
        sockets: Vec<OwnedFd>,
    ) -> Result<Answer, Refusal> {
        if !matches!(self.state, State::Created) {
            return Err(Refusal::AlreadyStarted);
        }
        if relay.len() != sockets.len() {
            return Err(Refusal::BadRequest { reason: "each port comes with one descriptor".into() });
        }
        for (socket, relay) in sockets.into_iter().zip(relay) {
            let held = self.ports.hold(socket, *relay);
            held.map_err(|error| Refusal::System { message: format!("hold a port: {error}") })?;
        }
        Ok(Answer::Done)
    }
}
