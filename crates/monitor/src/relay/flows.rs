//! Exchanges of datagrams: for each client, and each address of this host that it sends to, a socket towards the container,
//! whose answers go back to that client from that address.

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use sampan_sys::datagram::{self, Ends};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// An exchange ends when nothing was sent either way for so long. Docker's number.
const SILENCE: Duration = Duration::from_secs(90);
/// There are at most so many: then the one that was silent for the longest time is forgotten.
const FLOWS_MAX: usize = 1024;

/// The number of the source that something came from, and the datagram's ends.
pub(super) type Key = (u64, Ends);

struct Flow {
    key: Key,
    socket: OwnedFd,
    used: Instant,
}

/// All exchanges, by their numbers and by what they are.
#[derive(Default)]
pub(super) struct Flows {
    all: BTreeMap<u64, Flow>,
    numbers: BTreeMap<Key, u64>,
    /// When old ones were last looked for.
    swept: Option<Instant>,
}

/// A socket that sends to `to` and gets its answers.
pub(super) fn connect(to: SocketAddr) -> rustix::io::Result<OwnedFd> {
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::DGRAM, flags, None)?;
    rustix::net::connect(&socket, &to)?;
    Ok(socket)
}

impl Flows {
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn find(&self, key: &Key) -> Option<u64> {
        self.numbers.get(key).copied()
    }

    /// The number of the source that an exchange belongs to.
    pub(super) fn source_of(&self, number: u64) -> Option<u64> {
        self.all.get(&number).map(|flow| flow.key.0)
    }

    pub(super) fn add(&mut self, number: u64, key: Key, socket: OwnedFd) {
        if self.all.len() >= FLOWS_MAX
            && let Some(oldest) = self.all.iter().min_by_key(|(_, flow)| flow.used).map(|(n, _)| *n)
        {
            self.remove(oldest);
        }
        self.numbers.insert(key, number);
        self.all.insert(number, Flow { key, socket, used: Instant::now() });
    }

    /// Sends a datagram to the container.
    pub(super) fn forward(&mut self, number: u64, bytes: &[u8]) {
        let Some(flow) = self.all.get_mut(&number) else { return };
        flow.used = Instant::now();
        // What the last one met is told first (nobody may have listened then); and datagrams may get lost.
        if rustix::net::send(&flow.socket, bytes, SendFlags::NOSIGNAL).is_err() {
            let _ = rustix::net::send(&flow.socket, bytes, SendFlags::NOSIGNAL);
        }
    }

    /// Sends what the container answers to the client, through the socket that the client sent to. Says whether there may
    /// be more.
    pub(super) fn answer(&mut self, number: u64, source: &OwnedFd, buffer: &mut [u8]) -> bool {
        let Some(flow) = self.all.get_mut(&number) else { return false };
        for _ in 0..super::TURN {
            match rustix::net::recv(&flow.socket, &mut *buffer, RecvFlags::empty()) {
                Ok((length, _)) => {
                    flow.used = Instant::now();
                    // As above: it may get lost.
                    let _ = datagram::send(source, &buffer[..length], &flow.key.1);
                }
                Err(rustix::io::Errno::AGAIN) => return false,
                // An error that is told once, of something that was sent.
                Err(_) => {}
            }
        }
        true
    }

    /// Ends the exchanges that nobody goes on with.
    pub(super) fn forget_old(&mut self, now: Instant) {
        if self.swept.is_some_and(|last| now.duration_since(last) < super::SWEEP) {
            return;
        }
        self.swept = Some(now);
        let old: Vec<u64> = self
            .all
            .iter()
            .filter(|(_, flow)| now.duration_since(flow.used) >= SILENCE)
            .map(|(number, _)| *number)
            .collect();
        old.into_iter().for_each(|number| self.remove(number));
    }

    fn remove(&mut self, number: u64) {
        if let Some(flow) = self.all.remove(&number) {
            self.numbers.remove(&flow.key);
        }
    }
}
