//! One client's connection: what goes out to it, framed, and how it ends.
//!
//! The socket is used with MSG_DONTWAIT: its description is shared with the daemon that handed it over.

use crate::detach::DetachKeys;
use crate::streams::Key;
use rustix::event::PollFlags;
use rustix::io::{Errno, IoSlice};
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown, recv, sendmsg, shutdown};
use sampan_logs::log::{Reader, Renderer};
use sampan_spec::ClientId;
use sampan_spec::monitor::{self, Framing, WaitCondition};
use sampan_spec::stream::{Stream, frame_header};
use sampan_sys::socket::not_taken;
use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// A client that has so much to take stops what it is attached to, in bytes.
pub(crate) const QUEUE_MAX: usize = 256 << 10;
/// How long a client may take to close its side after the end was sent.
const DRAIN: Duration = Duration::from_secs(5);
/// How long a process's output waits for a client to have read the head, and how often that is looked at.
const HEAD_WAIT: Duration = Duration::from_secs(5);
const HEAD_GLANCE: Duration = Duration::from_micros(200);

/// A connection.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) id: ClientId,
    pub(crate) socket: OwnedFd,
    pub(crate) role: Role,
    framing: Framing,
    queue: Vec<u8>,
    sent: usize,
    phase: Phase,
    /// Until when output waits for the client to have read the head: one that reads the head through a buffer and then goes
    /// on with the bare socket, as docker-py does, loses what comes with it.
    head_until: Option<Instant>,
    /// Input that was read before the connection was handed over.
    pub(crate) early: VecDeque<u8>,
    /// Nothing more will come from it.
    pub(crate) input_ended: bool,
    /// It takes nothing any more: its other end is closed.
    pub(crate) hung_up: bool,
}

/// What a client is for.
#[derive(Debug)]
pub(crate) enum Role {
    /// It has a process's streams.
    Streams(Attached),
    /// It follows the log.
    Logs(Follower),
    /// It waits for an end.
    Wait(WaitCondition),
    /// It has got all that it will.
    Over,
}

/// How a client is attached to a process.
#[derive(Debug)]
pub(crate) struct Attached {
    pub(crate) process: Key,
    pub(crate) stdin: bool,
    pub(crate) stdout: bool,
    pub(crate) stderr: bool,
    pub(crate) keys: DetachKeys,
    /// What was logged before, until it has been sent.
    pub(crate) replay: Option<Follower>,
    /// Go on after the replay.
    pub(crate) follow: bool,
}

/// Goes through the log for a client.
#[derive(Debug)]
pub(crate) struct Follower {
    pub(crate) reader: Reader,
    pub(crate) renderer: Renderer,
    /// The log's version at which all was read.
    pub(crate) seen: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// What is queued still goes out.
    Ending,
    /// The end was sent; its input is read and dropped, because closing with unread input would reset the connection.
    Draining(Instant),
    Gone,
}

impl Client {
    /// Takes a connection over and writes the head.
    pub(crate) fn new(client: monitor::Client, socket: OwnedFd, early: Vec<u8>, role: Role) -> Self {
        let streams = matches!(role, Role::Streams(_));
        let mut this = Self {
            id: client.id,
            socket,
            role,
            framing: client.framing,
            queue: Vec::new(),
            sent: 0,
            phase: Phase::Open,
            head_until: None,
            early: early.into(),
            input_ended: false,
            hung_up: false,
        };
        this.write(&[client.head.as_bytes()]);
        this.head_until = streams.then(|| Instant::now() + HEAD_WAIT);
        this
    }

    /// Sends a piece of a stream.
    pub(crate) fn push(&mut self, stream: Stream, bytes: &[u8]) {
        if self.phase != Phase::Open || bytes.is_empty() {
            return;
        }
        let length = bytes.len() + if self.framing.multiplexed { monitor::FRAME_HEADER } else { 0 };
        let chunk = if self.framing.chunked { format!("{length:x}\r\n") } else { String::new() };
        let header = frame_header(stream, bytes.len() as u32);
        let header: &[u8] = if self.framing.multiplexed { &header } else { &[] };
        let end: &[u8] = if self.framing.chunked { b"\r\n" } else { b"" };
        self.write(&[chunk.as_bytes(), header, bytes, end]);
    }

    /// Ends the stream once all that is queued has gone out.
    pub(crate) fn end(&mut self) {
        if self.phase != Phase::Open {
            return;
        }
        self.role = Role::Over;
        self.early = VecDeque::new();
        self.phase = Phase::Ending;
        if self.framing.chunked {
            self.write(&[b"0\r\n\r\n"]);
        }
        self.flush();
    }

    /// It is not to be heard of again.
    pub(crate) fn drop_now(&mut self) {
        self.phase = Phase::Gone;
        self.queue = Vec::new();
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.phase == Phase::Gone
    }

    pub(crate) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// How many bytes wait to go out.
    pub(crate) fn queued(&self) -> usize {
        self.queue.len() - self.sent
    }

    /// What to wait for, where input is wanted or not. `None`: nothing, not even its end, which would be told at once
    /// and for ever.
    pub(crate) fn interest(&self, wants_input: bool) -> Option<PollFlags> {
        let mut flags = PollFlags::empty();
        if self.queued() > 0 && self.head_until.is_none() {
            flags |= PollFlags::OUT;
        }
        if (wants_input || self.phase != Phase::Open) && !self.input_ended {
            flags |= PollFlags::IN;
        }
        (!self.hung_up).then_some(flags)
    }

    /// When to look at it again: its drain is over, or it may have read the head.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Draining(until) => Some(until),
            _ => self.waits_for_head().then(|| Instant::now() + HEAD_GLANCE),
        }
    }

    /// Whether output waits until it has read the head.
    pub(crate) fn waits_for_head(&self) -> bool {
        self.head_until.is_some() && self.queued() > 0
    }

    /// Takes note that the other end is closed: what is queued is for nobody.
    pub(crate) fn hang_up(&mut self) {
        self.hung_up = true;
        (self.queue, self.sent) = (Vec::new(), 0);
        if self.phase != Phase::Open {
            self.phase = Phase::Gone;
        }
    }

    /// Reads input; 0 is its end, `None` that there is none now.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> Option<usize> {
        match recv(&self.socket, &mut *buffer, RecvFlags::DONTWAIT) {
            Ok((_, count)) => {
                self.input_ended |= count == 0;
                Some(count)
            }
            Err(Errno::AGAIN | Errno::INTR) => None,
            Err(_) => {
                self.input_ended = true;
                self.hang_up();
                Some(0)
            }
        }
    }

    /// Reads and drops some of what the client still sends after its end.
    pub(crate) fn drain(&mut self, buffer: &mut [u8], now: Instant) {
        if !self.input_ended {
            self.receive(buffer);
        }
        if let Phase::Draining(until) = self.phase
            && (self.input_ended || until <= now)
        {
            self.phase = Phase::Gone;
        }
    }

    /// Sends what is queued.
    pub(crate) fn flush(&mut self) {
        if self.queued() > 0 && self.holds_back() {
            return;
        }
        while self.queued() > 0 && !self.hung_up {
            match rustix::net::send(
                &self.socket,
                &self.queue[self.sent..],
                SendFlags::DONTWAIT | SendFlags::NOSIGNAL,
            ) {
                Ok(count) => self.sent += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(_) => self.hang_up(),
            }
        }
        if self.queued() == 0 {
            (self.queue, self.sent) = (Vec::new(), 0);
            self.finish();
        } else if self.sent >= QUEUE_MAX {
            self.queue.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Sends parts in one go, as far as there is room; the rest is queued.
    fn write(&mut self, parts: &[&[u8]]) {
        if self.hung_up || self.phase == Phase::Gone {
            return;
        }
        let mut skip = 0;
        if self.queued() == 0 && !self.holds_back() {
            let slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
            let mut control = SendAncillaryBuffer::default();
            match sendmsg(&self.socket, &slices, &mut control, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(count) => skip = count,
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(_) => return self.hang_up(),
            }
        }
        for part in parts {
            let from = skip.min(part.len());
            skip -= from;
            self.queue.extend_from_slice(&part[from..]);
        }
    }

    /// Whether nothing may follow the head yet.
    fn holds_back(&mut self) -> bool {
        let unread = || not_taken(&self.socket).is_ok_and(|count| count > 0);
        let holds = self.head_until.is_some_and(|until| Instant::now() < until) && unread();
        self.head_until.take_if(|_| !holds);
        holds
    }

    /// After the last byte of an ended stream.
    fn finish(&mut self) {
        if self.phase != Phase::Ending {
            return;
        }
        self.phase = match shutdown(&self.socket, Shutdown::Write) {
            Ok(()) if !self.hung_up && !self.input_ended => Phase::Draining(Instant::now() + DRAIN),
            _ => Phase::Gone,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sampan_sys::socket::{Kind, pair};
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    fn client(multiplexed: bool, chunked: bool) -> (Client, UnixStream) {
        client_as(multiplexed, chunked, Role::Over)
    }

    fn client_as(multiplexed: bool, chunked: bool, role: Role) -> (Client, UnixStream) {
        let (ours, theirs) = pair(Kind::Stream).unwrap();
        let framing = Framing { multiplexed, chunked };
        let client = monitor::Client { id: ClientId(1), head: "H".into(), framing };
        (Client::new(client, ours, Vec::new(), role), theirs.into())
    }

    #[test]
    fn framings() {
        for (multiplexed, chunked, want) in [
            (false, false, &b"Hab"[..]),
            (true, false, b"H\x02\0\0\0\0\0\0\x02ab"),
            (false, true, b"H2\r\nab\r\n0\r\n\r\n"),
            (true, true, b"Ha\r\n\x02\0\0\0\0\0\0\x02ab\r\n0\r\n\r\n"),
        ] {
            let (mut client, mut peer) = client(multiplexed, chunked);
            client.push(Stream::Stderr, b"ab");
            client.end();
            let mut got = Vec::new();
            peer.read_to_end(&mut got).unwrap();
            assert_eq!(got, want);
        }
    }

    fn attached() -> Role {
        Role::Streams(Attached {
            process: crate::streams::MAIN,
            stdin: false,
            stdout: true,
            stderr: true,
            keys: DetachKeys::new(Vec::new()),
            replay: None,
            follow: true,
        })
    }

    #[test]
    fn output_waits_until_the_head_is_read() {
        let (mut client, mut peer) = client_as(false, false, attached());
        client.push(Stream::Stdout, b"early");
        client.end();
        assert!(client.waits_for_head() && client.deadline().is_some());
        assert_eq!(client.interest(false), Some(PollFlags::IN), "it would be told at once and for ever");
        client.flush();
        let mut got = [0; 64];
        assert_eq!(peer.read(&mut got).unwrap(), 1);
        client.flush();
        assert!(!client.waits_for_head());
        assert_eq!(peer.read(&mut got).unwrap(), 5);
        assert_eq!(peer.read(&mut got).unwrap(), 0);
    }

    #[test]
    fn who_never_reads_the_head_does_not_hold_for_ever() {
        let (mut client, _peer) = client_as(false, false, attached());
        client.push(Stream::Stdout, b"early");
        client.head_until = Some(Instant::now());
        client.flush();
        assert_eq!((client.queued(), client.deadline()), (0, None));
    }

    #[test]
    fn what_does_not_go_out_at_once_goes_out_later() {
        let (mut client, mut peer) = client(false, false);
        let piece: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
        client.push(Stream::Stdout, &piece);
        client.end();
        assert!(client.queued() > QUEUE_MAX && client.deadline().is_none());
        peer.set_nonblocking(true).unwrap();
        let mut got = Vec::new();
        while client.deadline().is_none() {
            let _ = peer.read_to_end(&mut got);
            client.flush();
        }
        let _ = peer.read_to_end(&mut got);
        assert_eq!(got[1..], piece);
        drop(peer);
        client.drain(&mut [0; 64], Instant::now());
        assert!(client.is_gone());
    }

    #[test]
    fn a_closed_peer_is_noticed_when_writing() {
        let (mut client, peer) = client(false, false);
        drop(peer);
        client.push(Stream::Stdout, b"x");
        assert!(client.hung_up && client.interest(true).is_none());
    }
}
