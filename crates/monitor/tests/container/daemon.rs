//! A daemon's side of a connection to a monitor.

use sampan_spec::ClientId;
use sampan_spec::journal::{Entry, Event, Summary};
use sampan_spec::monitor::{
    Answer, Call, Client, FDS_MAX, FRAME_HEADER, Framing, Message, Refusal, Request, VERSION, encode_frame,
    parse_header,
};
use sampan_sys::socket::{Kind, connect_unix, pair, recv_with_fds, send_with_fds};
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Nothing here takes so long unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const RAW: Framing = Framing { multiplexed: false, chunked: false };
pub(crate) const MULTIPLEXED: Framing = Framing { multiplexed: true, chunked: false };
pub(crate) const CHUNKED: Framing = Framing { multiplexed: false, chunked: true };
/// What every client's stream begins with.
pub(crate) const HEAD: &str = "HEAD\r\n\r\n";

/// A connection that follows the journal.
pub(crate) struct Daemon {
    pub(crate) socket: UnixStream,
    pub(crate) summary: Summary,
    pub(crate) entries: Vec<Entry>,
    seen: usize,
    last: u64,
    pub(crate) fds: Vec<OwnedFd>,
}

/// A client's own end.
pub(crate) struct Peer(pub(crate) UnixStream);

impl Daemon {
    pub(crate) fn connect(path: &Path, after: u64) -> Self {
        let socket = UnixStream::from(connect_unix(path).unwrap());
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut this =
            Self { socket, summary: Summary::default(), entries: vec![], seen: 0, last: 0, fds: vec![] };
        match this.call(Request::Hello { version: VERSION }).unwrap() {
            Answer::Hello { summary, .. } => this.summary = *summary,
            other => panic!("{other:?}"),
        }
        assert_eq!(this.call(Request::Subscribe { after }), Ok(Answer::Done));
        this
    }

    /// Sends a request without waiting for the answer; gives its number.
    pub(crate) fn send(&mut self, request: Request, bytes: &[u8], fd: Option<&OwnedFd>) -> u64 {
        self.last += 1;
        let json = serde_json::to_vec(&Call { call: self.last, request }).unwrap();
        let frame = encode_frame(&json, bytes).unwrap();
        let fds: Vec<_> = fd.into_iter().map(AsFd::as_fd).collect();
        let sent = send_with_fds(&self.socket, &frame, &fds).unwrap();
        self.socket.write_all(&frame[sent..]).unwrap();
        self.last
    }

    pub(crate) fn call(&mut self, request: Request) -> Result<Answer, Refusal> {
        let call = self.send(request, &[], None);
        self.answer_to(call)
    }

    pub(crate) fn answer_to(&mut self, wanted: u64) -> Result<Answer, Refusal> {
        loop {
            match self.message() {
                Message::Answer { call, result } if call == wanted => return result,
                Message::Answer { call, result } => panic!("{call}: {result:?}"),
                Message::Entry(entry) => self.entries.push(*entry),
            }
        }
    }

    /// Hands a client over and gives its own end.
    pub(crate) fn hand(
        &mut self,
        framing: Framing,
        early: &[u8],
        request: impl FnOnce(Client) -> Request,
    ) -> Result<Peer, Refusal> {
        let (ours, theirs) = pair(Kind::Stream).unwrap();
        let call = self.send(request(client(framing)), early, Some(&theirs));
        self.answer_to(call)?;
        let peer = UnixStream::from(ours);
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        Ok(Peer(peer))
    }

    /// Reads on until the journal has such an event.
    pub(crate) fn until(&mut self, wanted: impl Fn(&Event) -> bool) -> Entry {
        loop {
            while self.seen < self.entries.len() {
                self.seen += 1;
                if wanted(&self.entries[self.seen - 1].event) {
                    return self.entries[self.seen - 1].clone();
                }
            }
            match self.message() {
                Message::Entry(entry) => self.entries.push(*entry),
                other => panic!("{other:?}"),
            }
        }
    }

    pub(crate) fn until_exit(&mut self) -> i32 {
        match self.until(|event| matches!(event, Event::Exited(_))).event {
            Event::Exited(exit) => exit.code,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn message(&mut self) -> Message {
        let mut header = [0; FRAME_HEADER];
        let (count, fds) = recv_with_fds(&self.socket, &mut header, FDS_MAX).unwrap();
        assert!(count > 0, "the monitor has ended");
        self.fds.extend(fds);
        self.socket.read_exact(&mut header[count..]).unwrap();
        let (json, bytes) = parse_header(header).unwrap();
        let mut text = vec![0; json + bytes];
        self.socket.read_exact(&mut text).unwrap();
        serde_json::from_slice(&text[..json]).unwrap()
    }
}

/// A client with an id of its own.
pub(crate) fn client(framing: Framing) -> Client {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Client { id: ClientId(NEXT.fetch_add(1, Ordering::Relaxed)), head: HEAD.into(), framing }
}

impl Peer {
    /// All that comes, to the end, without the head.
    pub(crate) fn read_all(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        self.0.read_to_end(&mut all).unwrap();
        assert!(all.starts_with(HEAD.as_bytes()), "{:?}", String::from_utf8_lossy(&all));
        all.drain(..HEAD.len());
        all
    }

    pub(crate) fn text(&mut self) -> String {
        String::from_utf8(self.read_all()).unwrap()
    }

    /// Reads until what came ends with this.
    pub(crate) fn read_until(&mut self, end: &str) -> String {
        let mut got = Vec::new();
        let mut byte = [0];
        while !got.ends_with(end.as_bytes()) {
            self.0.read_exact(&mut byte).unwrap();
            got.push(byte[0]);
        }
        String::from_utf8(got).unwrap()
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }
}
