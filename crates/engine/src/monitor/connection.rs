//! One connection to a monitor: calls with their answers, and the journal as it grows.

use crate::Error;
use sampan_spec::ContainerId;
use sampan_spec::journal::{Entry, Failure, Summary};
use sampan_spec::monitor::{
    Answer, Call, FDS_MAX, FRAME_HEADER, Message, Refusal, Request, VERSION, encode_frame, parse_header,
};
use sampan_sys::socket;
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};

/// How long a monitor may take for what needs no waiting. It builds mounts on the way, so a busy disk counts in.
const DEADLINE: Duration = Duration::from_secs(30);

/// The journal's entries as they come; ends when the monitor does.
pub(crate) type Entries = mpsc::UnboundedReceiver<Entry>;

type Reply = (Result<Answer, Refusal>, Vec<OwnedFd>);

/// A connection. Clones share it; it ends with the last clone and its reader.
#[derive(Clone)]
pub(crate) struct Connection {
    id: ContainerId,
    shared: Arc<Shared>,
}

struct Shared {
    stream: UnixStream,
    writing: tokio::sync::Mutex<()>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    last: u64,
    ended: bool,
    replies: HashMap<u64, oneshot::Sender<Reply>>,
}

/// Why a call did not succeed.
#[derive(Debug)]
pub(crate) enum CallError {
    /// The monitor would not.
    Refused(Refusal),
    /// The monitor ended, or its connection broke.
    Gone(io::Error),
    /// No answer in time.
    Late,
}

/// What a monitor knows of its container.
pub(crate) struct Known {
    pub(crate) summary: Summary,
    /// Process 1 waits for its start.
    pub(crate) prepared: bool,
}

/// Process 1 waits in its new name spaces.
pub(crate) struct Prepared {
    /// The network name space and a route socket in it, where the daemon is to configure one.
    pub(crate) network: Option<(OwnedFd, OwnedFd)>,
}

impl Connection {
    /// Connects, says hello, and subscribes to the journal behind `after`.
    pub(crate) async fn open(
        id: &ContainerId,
        path: &Path,
        after: u64,
    ) -> Result<(Self, Known, Entries), CallError> {
        let stream = socket::connect_unix(path).map_err(CallError::Gone)?;
        rustix::io::ioctl_fionbio(&stream, true).map_err(|e| CallError::Gone(e.into()))?;
        let stream = UnixStream::from_std(stream.into()).map_err(CallError::Gone)?;
        let shared = Shared { stream, writing: tokio::sync::Mutex::default(), waiting: Mutex::default() };
        let connection = Self { id: id.clone(), shared: Arc::new(shared) };
        let (sender, entries) = mpsc::unbounded_channel();
        tokio::spawn(read_all(connection.shared.clone(), sender));
        let known = connection.hello().await?;
        connection.call(Request::Subscribe { after }).await?;
        Ok((connection, known, entries))
    }

    /// Whose monitor it is.
    pub(crate) fn id(&self) -> &ContainerId {
        &self.id
    }

    /// What the monitor knows of its container by now.
    pub(crate) async fn hello(&self) -> Result<Known, CallError> {
        match self.call(Request::Hello { version: VERSION }).await? {
            Answer::Hello { version: VERSION, summary, prepared, .. } => {
                Ok(Known { summary: *summary, prepared })
            }
            answer => Err(unexpected(&answer)),
        }
    }

    /// Makes the sandbox and process 1.
    pub(crate) async fn prepare(&self) -> Result<Prepared, CallError> {
        let (answer, mut fds) =
            self.exchange(Request::Prepare, Vec::new(), Vec::new(), Some(DEADLINE)).await?;
        let Answer::Prepared { .. } = answer else { return Err(unexpected(&answer)) };
        let route = fds.pop();
        Ok(Prepared { network: fds.pop().zip(route) })
    }

    /// Has the root file system built: a detached mount.
    pub(crate) async fn root(&self) -> Result<OwnedFd, CallError> {
        let (answer, mut fds) = self.exchange(Request::Root, Vec::new(), Vec::new(), Some(DEADLINE)).await?;
        fds.pop().ok_or_else(|| unexpected(&answer))
    }

    /// A call that needs no waiting.
    pub(crate) async fn call(&self, request: Request) -> Result<Answer, CallError> {
        Ok(self.exchange(request, Vec::new(), Vec::new(), Some(DEADLINE)).await?.0)
    }

    /// A call that is answered when something has ended.
    pub(crate) async fn call_and_wait(&self, request: Request) -> Result<Answer, CallError> {
        Ok(self.exchange(request, Vec::new(), Vec::new(), None).await?.0)
    }

    /// A call that hands over a client's socket and what it had sent already.
    pub(crate) async fn hand_over(
        &self,
        request: Request,
        early: Vec<u8>,
        client: OwnedFd,
    ) -> Result<Answer, CallError> {
        Ok(self.exchange(request, early, vec![client], Some(DEADLINE)).await?.0)
    }

    /// A call that comes with descriptors, at most [`FDS_MAX`].
    pub(crate) async fn send_with(&self, request: Request, fds: Vec<OwnedFd>) -> Result<Answer, CallError> {
        Ok(self.exchange(request, Vec::new(), fds, Some(DEADLINE)).await?.0)
    }

    async fn exchange(
        &self,
        request: Request,
        bytes: Vec<u8>,
        fds: Vec<OwnedFd>,
        deadline: Option<Duration>,
    ) -> Result<(Answer, Vec<OwnedFd>), CallError> {
        let (call, reply) = self.shared.expect().map_err(CallError::Gone)?;
        let _forget = Forget { shared: &self.shared, call };
        let json = serde_json::to_vec(&Call { call, request }).map_err(|e| CallError::Gone(e.into()))?;
        let frame = encode_frame(&json, &bytes)
            .map_err(|e| CallError::Refused(Refusal::BadRequest { reason: e.to_string() }))?;
        let exchange = async {
            let borrowed: Vec<BorrowedFd<'_>> = fds.iter().map(AsFd::as_fd).collect();
            self.shared.send(&frame, &borrowed).await.map_err(CallError::Gone)?;
            drop(fds);
            reply.await.map_err(|_| CallError::Gone(io::ErrorKind::ConnectionReset.into()))
        };
        let (result, fds) = match deadline {
            Some(limit) => tokio::time::timeout(limit, exchange).await.map_err(|_| CallError::Late)??,
            None => exchange.await?,
        };
        Ok((result.map_err(CallError::Refused)?, fds))
    }
}

/// Takes a call that nobody waits for any more out of the table.
struct Forget<'a> {
    shared: &'a Shared,
    call: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.shared.waiting().replies.remove(&self.call);
    }
}

/// A frame on its way. Given up in its middle, by a time-out or an error, it ends the connection: what came next would be
/// read as the rest of it.
struct Sending<'a> {
    stream: &'a UnixStream,
    rest: &'a [u8],
    begun: bool,
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        if self.begun && !self.rest.is_empty() {
            // It has ended already where this fails.
            let _ = rustix::net::shutdown(self.stream, rustix::net::Shutdown::Both);
        }
    }
}

impl Shared {
    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn expect(&self) -> io::Result<(u64, oneshot::Receiver<Reply>)> {
        let mut waiting = self.waiting();
        if waiting.ended {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        waiting.last += 1;
        let (sender, receiver) = oneshot::channel();
        let call = waiting.last;
        waiting.replies.insert(call, sender);
        Ok((call, receiver))
    }

    async fn send(&self, frame: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let _whole_frames = self.writing.lock().await;
        let mut sending = Sending { stream: &self.stream, rest: frame, begun: false };
        while !sending.rest.is_empty() {
            let fds: &[BorrowedFd<'_>] = if sending.begun { &[] } else { fds };
            let write = || socket::send_with_fds(&self.stream, sending.rest, fds);
            let sent = self.stream.async_io(Interest::WRITABLE, write).await?;
            sending.begun = true;
            sending.rest = &sending.rest[sent..];
        }
        Ok(())
    }

    fn deliver(&self, call: u64, reply: Reply) {
        if let Some(sender) = self.waiting().replies.remove(&call) {
            let _nobody_waits_any_more = sender.send(reply);
        }
    }
}

/// Reads messages until the monitor ends, then fails every call that still waits.
async fn read_all(shared: Arc<Shared>, entries: mpsc::UnboundedSender<Entry>) {
    let mut reader = Reader { shared: &shared, buffer: Vec::new(), fds: Vec::new() };
    loop {
        match reader.next().await {
            Ok(Message::Answer { call, result }) => {
                shared.deliver(call, (result, std::mem::take(&mut reader.fds)))
            }
            Ok(Message::Entry(entry)) => {
                let _nobody_subscribed = entries.send(*entry);
            }
            Err(e) => {
                tracing::debug!("a monitor's connection ended: {e}");
                break;
            }
        }
    }
    let mut waiting = shared.waiting();
    waiting.ended = true;
    waiting.replies.clear();
}

struct Reader<'a> {
    shared: &'a Shared,
    buffer: Vec<u8>,
    fds: Vec<OwnedFd>,
}

impl Reader<'_> {
    async fn next(&mut self) -> io::Result<Message> {
        self.fill(FRAME_HEADER).await?;
        let mut header = [0; FRAME_HEADER];
        header.copy_from_slice(&self.buffer[..FRAME_HEADER]);
        let (json, bytes) = parse_header(header).map_err(io::Error::other)?;
        let end = FRAME_HEADER + json;
        let all = end + bytes;
        self.fill(all).await?;
        let message = serde_json::from_slice(&self.buffer[FRAME_HEADER..end]);
        self.buffer.drain(..all);
        Ok(message?)
    }

    /// Reads until the buffer holds this much. Never reads beyond, so that descriptors stay with their frame.
    async fn fill(&mut self, length: usize) -> io::Result<()> {
        while self.buffer.len() < length {
            let mut piece = vec![0; (length - self.buffer.len()).min(1 << 16)];
            let read = || socket::recv_with_fds(&self.shared.stream, &mut piece, FDS_MAX);
            let (count, fds) = self.shared.stream.async_io(Interest::READABLE, read).await?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.fds.extend(fds);
            self.buffer.extend_from_slice(&piece[..count]);
        }
        Ok(())
    }
}

fn unexpected(answer: &Answer) -> CallError {
    CallError::Gone(io::Error::other(format!("unexpected answer {answer:?}")))
}

impl CallError {
    /// Whether the monitor is not there any more.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self, Self::Gone(_))
    }

    /// The failure to start a process, if it is that.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Refused(Refusal::Failed { failure }) => Some(failure),
            _ => None,
        }
    }

    /// The engine's error for it, about a container that the caller named `name`.
    pub(crate) fn about(self, id: &ContainerId, name: &str) -> Error {
        let reason = match self {
            Self::Refused(refusal) => match refusal {
                Refusal::Failed { failure } => return Error::Start(failure),
                Refusal::NotRunning => return Error::NotRunning(id.to_string()),
                Refusal::AlreadyStarted => return Error::AlreadyStarted(name.to_owned()),
                Refusal::Paused => return Error::Paused(name.to_owned()),
                Refusal::NoSuchExec => return Error::NoSuchExec(name.to_owned()),
                Refusal::NoTerminal => return Error::NoTerminal(name.to_owned()),
                Refusal::BadRequest { reason } => reason,
                Refusal::System { message } => message,
            },
            Self::Gone(e) => e.to_string(),
            Self::Late => format!("no answer in {} s", DEADLINE.as_secs()),
        };
        Error::Monitor { id: id.short().to_owned(), reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[tokio::test]
    async fn half_a_frame_ends_the_connection() {
        let (ours, mut theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let stream = UnixStream::from_std(ours).unwrap();
        let shared = Shared { stream, writing: tokio::sync::Mutex::default(), waiting: Mutex::default() };
        let connection = Connection { id: ContainerId::from_bytes([1; 32]), shared: Arc::new(shared) };
        let (sender, _entries) = mpsc::unbounded_channel();
        let reading = tokio::spawn(read_all(connection.shared.clone(), sender));
        // Nobody reads, so it waits in its middle.
        let large =
            connection.hand_over(Request::Removed, vec![0; 1 << 20], theirs.try_clone().unwrap().into());
        assert!(tokio::time::timeout(Duration::from_millis(50), large).await.is_err());
        reading.await.unwrap();
        assert!(matches!(connection.call(Request::Removed).await, Err(CallError::Gone(_))));
        let mut got = Vec::new();
        theirs.read_to_end(&mut got).unwrap();
        assert!(!got.is_empty() && got.len() < 1 << 20, "{}", got.len());
    }
}
