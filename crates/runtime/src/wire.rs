//! What parent and child say to each other: packets of one letter, with a failure's JSON behind `F`.

use crate::failure::{OrFail, failure, stage};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use sampan_spec::journal::Failure;
use sampan_sys::socket;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// One packet. The numbers are those of the script in the crate's documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// 3: the users of the child's new user name space are known.
    Mapped,
    /// 3: the child is in its name spaces; with a netlink socket, if one is wanted.
    Ready,
    /// 4: more detached mounts, in the plan's order, the root first.
    Mounts,
    /// 5: it is time for the hooks before pivot_root(2); and back, when they have come to a good end.
    Hooks,
    /// 5: all is mounted; with the terminal's master, if there is one.
    Mounted,
    /// 6: execute.
    Go,
    /// The child cannot go on.
    Failed(Failure),
}

/// A failure's text may quote a configuration, but not a long one.
const PACKET_MAX: usize = 64 << 10;

/// Gives the other side so long for each packet, or as long as it takes. A process that is in the container already can be stopped there.
///
/// # Errors
/// A failure of step `sync`.
pub(crate) fn limit(socket: impl AsFd, time: Option<Duration>) -> Result<(), Failure> {
    set_socket_timeout(socket, Timeout::Recv, time).or_fail(stage::SYNC, || "set a time-out")
}

/// Sends a packet.
///
/// # Errors
/// A failure of step `sync`.
pub(crate) fn send(socket: impl AsFd, message: &Message, fds: &[BorrowedFd<'_>]) -> Result<(), Failure> {
    let mut packet = vec![match message {
        Message::Mapped => b'I',
        Message::Ready => b'R',
        Message::Mounts => b'M',
        Message::Hooks => b'H',
        Message::Mounted => b'D',
        Message::Go => b'G',
        Message::Failed(_) => b'F',
    }];
    if let Message::Failed(failure) = message {
        let mut json = serde_json::to_vec(failure).unwrap_or_default();
        json.truncate(PACKET_MAX - 1);
        packet.extend(json);
    }
    socket::send_with_fds(socket, &packet, fds)
        .or_fail(stage::SYNC, || "cannot send to the container's process")?;
    Ok(())
}

/// Receives a packet and its descriptors; `None` if the other side is gone.
///
/// # Errors
/// A failure of step `sync`.
pub(crate) fn receive(socket: impl AsFd) -> Result<Option<(Message, Vec<OwnedFd>)>, Failure> {
    let mut packet = vec![0; PACKET_MAX];
    let received = socket::recv_with_fds(socket, &mut packet, socket::FDS_MAX);
    let (n, fds) = match received {
        Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => return Ok(None),
        Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {
            return Err(failure(stage::SYNC, "the process did not go on: was it stopped?"));
        }
        other => other.or_fail(stage::SYNC, || "cannot receive from the container's process")?,
    };
    let message = match packet[..n] {
        [] => return Ok(None),
        [b'I'] => Message::Mapped,
        [b'R'] => Message::Ready,
        [b'M'] => Message::Mounts,
        [b'H'] => Message::Hooks,
        [b'D'] => Message::Mounted,
        [b'G'] => Message::Go,
        [b'F', ref json @ ..] => Message::Failed(serde_json::from_slice(json).map_err(|_| garbled())?),
        _ => return Err(garbled()),
    };
    Ok(Some((message, fds)))
}

fn garbled() -> Failure {
    failure(stage::SYNC, "the container's process sent something else than expected")
}

/// Receives this packet, or the other side's failure as an error.
///
/// # Errors
/// The failure that was sent, or one of step `sync`.
pub(crate) fn expect(socket: impl AsFd, expected: &Message) -> Result<Vec<OwnedFd>, Failure> {
    match receive(socket)? {
        Some((message, fds)) if message == *expected => Ok(fds),
        Some((Message::Failed(failure), _)) => Err(failure),
        Some(_) => Err(garbled()),
        None => Err(failure(stage::SYNC, "the container's process ended before it could be started")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sampan_sys::socket::{Kind, pair, send_with_fds};

    #[test]
    fn packets_read_back() {
        let (a, b) = pair(Kind::Packets).unwrap();
        let failed = Failure { stage: "exec".into(), errno: 2, message: "m".into() };
        for message in [
            Message::Ready,
            Message::Mounts,
            Message::Hooks,
            Message::Mounted,
            Message::Go,
            Message::Failed(failed.clone()),
        ] {
            send(&a, &message, &[a.as_fd()]).unwrap();
            let (got, fds) = receive(&b).unwrap().unwrap();
            assert_eq!((got, fds.len()), (message, 1));
        }
        send(&a, &Message::Failed(failed.clone()), &[]).unwrap();
        assert_eq!(expect(&b, &Message::Ready).unwrap_err(), failed);
        send_with_fds(&a, b"?", &[]).unwrap();
        assert_eq!(expect(&b, &Message::Ready).unwrap_err().stage, "sync");
        drop(a);
        assert!(receive(&b).unwrap().is_none());
    }
}
