//! Netlink (netlink(7)): one blocking socket that sends a batch of requests with one system call and reads the answers.
//!
//! The kernel works through a batch within `sendmsg`, so when that returns every acknowledgement is in the socket's
//! queue and nothing ever has to be waited for. Bodies of messages are written with [`Messages`] and read with
//! [`Attributes`]: the few messages that are needed here and in [`crate::nft`] do not repay a library per family.

mod answer;
mod attribute;
mod conntrack;
mod route;

pub use attribute::{Attributes, Messages};
pub(crate) use attribute::{be32, text};
pub use conntrack::{Flow, Tuple, forget};
pub use route::{
    Address, Link, NewVeth, add_address, add_bridge, add_bridge_entry, add_default_route, add_veth,
    addresses, changed_link, delete_address, delete_link, link, link_at, link_changes, links,
    mark_bridge_port, routes, set_master, set_up, without_ipv6_address,
};

use answer::{Answer, Answers};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, netlink, recv, send, socket_with,
    sockopt,
};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// NLMSG_ERROR: an acknowledgement or a refusal.
const ERROR: u16 = 2;
/// NLMSG_DONE: the end of a dump.
const DONE: u16 = 3;
const HEADER: usize = 16;
const F_REQUEST: u16 = 1;
const F_MULTI: u16 = 2;
const F_ACK: u16 = 4;
const F_DUMP: u16 = 0x300;
const F_DUMP_INTR: u16 = 0x10;
const F_ACK_TLVS: u16 = 0x200;
/// Make it if it does not exist (NLM_F_CREATE).
pub const CREATE: u16 = 0x400;
/// Fail if it exists (NLM_F_EXCL).
pub const EXCLUSIVE: u16 = 0x200;
/// Change it if it exists (NLM_F_REPLACE).
pub const REPLACE: u16 = 0x100;
/// Put a rule behind the others (NLM_F_APPEND).
pub const APPEND: u16 = 0x800;

/// One answer fits: the kernel fills dumps up to 32 KiB.
const BUFFER: usize = 64 * 1024;
/// How often a dump is begun again that others' changes cut through.
const DUMP_TRIES: usize = 8;

/// A conversation with the kernel failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A request was refused.
    #[error("{}", describe(.errno, .note))]
    Refused {
        /// Which request of the batch, from 0; `None` when the batch as a whole was.
        request: Option<usize>,
        /// Why.
        errno: Errno,
        /// What the kernel says besides (NLMSGERR_ATTR_MSG).
        note: Option<String>,
    },
    /// The socket itself failed.
    #[error("netlink socket: {0}")]
    Socket(#[from] Errno),
    /// An answer is not what the protocol says.
    #[error("malformed netlink answer")]
    Malformed,
    /// A dump was cut through by changes every time.
    #[error("the kernel's tables change too fast to be listed")]
    Unsteady,
}

impl Error {
    /// The error number, where there is one.
    pub const fn errno(&self) -> Option<Errno> {
        match self {
            Self::Refused { errno, .. } | Self::Socket(errno) => Some(*errno),
            Self::Malformed | Self::Unsteady => None,
        }
    }
}

fn describe(errno: &Errno, note: &Option<String>) -> String {
    match note {
        Some(note) => format!("{errno}: {note}"),
        None => errno.to_string(),
    }
}

/// Which part of the kernel to talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Links, addresses, routes (rtnetlink(7)).
    Route,
    /// Firewall and connection tracking.
    Netfilter,
}

/// A netlink socket. It belongs to the network name space that it was opened in, wherever it is used.
#[derive(Debug)]
pub struct Socket(OwnedFd);

impl Socket {
    /// Opens a socket in the calling thread's network name space.
    pub fn open(family: Family) -> Result<Self, Error> {
        let protocol = match family {
            Family::Route => None,
            Family::Netfilter => Some(netlink::NETFILTER),
        };
        Ok(Self::from(socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)?))
    }

    /// A second handle on a socket that somebody else opened, as a rule in another name space.
    pub fn borrowed(socket: BorrowedFd<'_>) -> Result<Self, Error> {
        let copy =
            socket.try_clone_to_owned().map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::BADF))?;
        Ok(Self::from(copy))
    }

    /// Takes part in the multicast groups whose bits are set (group n is bit n - 1).
    pub fn join(&self, groups: u32) -> Result<(), Error> {
        Ok(bind(&self.0, &netlink::SocketAddrNetlink::new(0, groups))?)
    }

    /// Sends all messages and returns for each that asked for an acknowledgement how it went, in order. A later message
    /// is tried even if an earlier one is refused.
    pub fn execute(&self, messages: &Messages) -> Result<Vec<Result<(), Error>>, Error> {
        if messages.count() == 0 {
            return Ok(Vec::new());
        }
        self.send(messages)?;
        let mut results: Vec<Result<(), Error>> = (0..messages.count()).map(|_| Ok(())).collect();
        self.drain(|answer| {
            let index = answer.sequence.wrapping_sub(messages.first_sequence()) as usize;
            if let Some(slot) = results.get_mut(index) {
                *slot = answer.acknowledged(Some(index));
            }
        })?;
        Ok(results)
    }

    /// Sends all messages; the first refusal is the error.
    pub fn execute_all(&self, messages: &Messages) -> Result<(), Error> {
        self.execute(messages)?.into_iter().collect()
    }

    /// Sends messages that succeed or fail together (an nf_tables batch); any refusal is the error.
    pub(crate) fn commit(&self, messages: &Messages) -> Result<(), Error> {
        if messages.bytes().len() > 100 * 1024 {
            sockopt::set_socket_send_buffer_size_force(&self.0, messages.bytes().len() * 2)?;
        }
        self.send(messages)?;
        let mut refused = Ok(());
        let mut answered = false;
        self.drain(|answer| {
            answered = true;
            let index = answer.sequence.wrapping_sub(messages.first_sequence()) as usize;
            if refused.is_ok() {
                refused = answer.acknowledged(Some(index).filter(|i| *i < messages.count()));
            }
        })?;
        if answered { refused } else { Err(Error::Malformed) }
    }

    /// Sends one dump request and gives the type and body of every message of the answer to `each`. `each` starts from
    /// scratch when it is told `None`: the tables changed meanwhile, and the dump begins again.
    pub fn dump(&self, request: &Messages, mut each: impl FnMut(Option<(u16, &[u8])>)) -> Result<(), Error> {
        for _ in 0..DUMP_TRIES {
            self.send(request)?;
            if self.read_dump(&mut each)? {
                return Ok(());
            }
            each(None);
        }
        Err(Error::Unsteady)
    }

    /// Waits for messages of the joined groups and gives the type and body of each to `each`. Messages that were lost
    /// because they came too fast (ENOBUFS) are reported as `None`.
    pub fn receive(&self, mut each: impl FnMut(Option<(u16, &[u8])>)) -> Result<(), Error> {
        let mut buffer = vec![0u8; BUFFER];
        match self.read(&mut buffer, RecvFlags::empty()) {
            Err(Error::Socket(Errno::NOBUFS)) => each(None),
            Err(error) => return Err(error),
            Ok(length) => {
                for answer in Answers(&buffer[..length]) {
                    let answer = answer?;
                    each(Some((answer.kind, answer.body)));
                }
            }
        }
        Ok(())
    }

    /// A netlink socket that is connected to nobody sends to the kernel.
    fn send(&self, messages: &Messages) -> Result<(), Error> {
        rustix::io::retry_on_intr(|| send(&self.0, messages.bytes(), SendFlags::empty()))?;
        Ok(())
    }

    fn drain(&self, mut each: impl FnMut(Answer<'_>)) -> Result<(), Error> {
        let mut buffer = vec![0u8; BUFFER];
        loop {
            let length = match self.read(&mut buffer, RecvFlags::DONTWAIT) {
                Err(Error::Socket(Errno::AGAIN)) => return Ok(()),
                other => other?,
            };
            for answer in Answers(&buffer[..length]) {
                let answer = answer?;
                if answer.kind == ERROR {
                    each(answer);
                }
            }
        }
    }

    fn read_dump(&self, each: &mut impl FnMut(Option<(u16, &[u8])>)) -> Result<bool, Error> {
        let mut buffer = vec![0u8; BUFFER];
        let mut steady = true;
        loop {
            let length = self.read(&mut buffer, RecvFlags::empty())?;
            for answer in Answers(&buffer[..length]) {
                let answer = answer?;
                steady &= answer.flags & F_DUMP_INTR == 0;
                match answer.kind {
                    ERROR => return answer.acknowledged(Some(0)).map(|()| steady),
                    DONE => return answer.done().map(|()| steady),
                    kind => each(Some((kind, answer.body))),
                }
                if answer.flags & F_MULTI == 0 {
                    return Ok(steady);
                }
            }
        }
    }

    fn read(&self, buffer: &mut [u8], flags: RecvFlags) -> Result<usize, Error> {
        let (length, _) =
            rustix::io::retry_on_intr(|| recv(&self.0, &mut *buffer, flags | RecvFlags::TRUNC))?;
        if length > BUFFER { Err(Error::Malformed) } else { Ok(length) }
    }
}

impl From<OwnedFd> for Socket {
    fn from(socket: OwnedFd) -> Self {
        // Both are only comforts: the message behind an errno, and acknowledgements without a copy of the request.
        for option in [libc::NETLINK_EXT_ACK, libc::NETLINK_CAP_ACK] {
            let on: libc::c_int = 1;
            let size = size_of_val(&on) as libc::socklen_t;
            // SAFETY: the descriptor is open for the length of the call and `on` outlives it, `size` is its size.
            unsafe {
                libc::setsockopt(socket.as_raw_fd(), libc::SOL_NETLINK, option, (&raw const on).cast(), size);
            }
        }
        Self(socket)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for answer in Answers(&bytes).flatten() {
                let _ = answer.acknowledged(None);
                let _ = answer.done();
                Attributes(answer.body).for_each(drop);
            }
        }
    }

    #[test]
    fn a_refusal_names_its_request() {
        let socket = Socket::open(Family::Route).unwrap();
        let mut batch = Messages::new();
        delete_link(&mut batch, "no-such-link-a");
        delete_link(&mut batch, "no-such-link-b");
        let results = socket.execute(&batch).unwrap();
        for (index, result) in results.into_iter().enumerate() {
            match result {
                Err(Error::Refused { request, errno: Errno::NODEV, .. }) => assert_eq!(request, Some(index)),
                other => panic!("{other:?}"),
            }
        }
    }
}
