//! A long-lived request's last step: its client's socket goes to the container's monitor, which writes the head itself,
//! so that a daemon that is killed in between never looks like success.

use crate::answer::{Body, stream_head};
use crate::error::{Error, with_sources};
use bytes::Bytes;
use http::Response;
use http_body_util::BodyExt;
use sampan_api::socket::{Plain, Socket};
use sampan_spec::monitor::Framing;
use sampan_spec::stream::{Stream, frame_header};
use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How long a refused client may take to read the refusal and go away.
const PATIENCE: Duration = Duration::from_secs(10);

/// What comes of giving a socket away.
pub(crate) type Taking = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// Whoever takes a client's socket.
pub(crate) trait Taker: Send {
    /// Takes it, with what the client had sent behind its request, the head to write, and the framing of what follows.
    fn take(self: Box<Self>, socket: OwnedFd, early: Vec<u8>, head: String, framing: Framing) -> Taking;
}

/// An authorised request that waits for its client's socket.
pub(crate) struct Handover {
    pub(crate) taker: Box<dyn Taker>,
    pub(crate) head: String,
    pub(crate) framing: Framing,
    pub(crate) refusal: Refusal,
}

/// How a client hears that its request came to nothing after all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// By a status.
    Status,
    /// By a text in the stream, behind the head of a success: Docker does so for exec.
    Stream,
}

impl Taker for sampan_engine::Handover {
    fn take(self: Box<Self>, socket: OwnedFd, early: Vec<u8>, head: String, framing: Framing) -> Taking {
        Box::pin(async move { self.give(socket, early, head, framing).await.map_err(Error::Engine) })
    }
}

/// Refuses every client with an error that was known before its socket was.
pub(crate) struct Refuses(pub(crate) Error);

impl Taker for Refuses {
    fn take(self: Box<Self>, _: OwnedFd, _: Vec<u8>, _: String, _: Framing) -> Taking {
        Box::pin(std::future::ready(Err(self.0)))
    }
}

impl Handover {
    /// Hands a client over. If nobody takes it, it is told why.
    ///
    /// # Errors
    /// When the socket breaks.
    pub(crate) async fn complete(self, socket: Socket, early: Bytes) -> io::Result<()> {
        let ours = socket.into_plain()?;
        let theirs = ours.try_clone()?;
        let Self { taker, head, framing, refusal } = self;
        match taker.take(theirs.into(), early.into(), head.clone(), framing).await {
            Ok(()) => Ok(()),
            Err(error) => {
                let bytes = match refusal {
                    Refusal::Status => plain_bytes(crate::answer::refusal(&error)).await,
                    Refusal::Stream => stream_bytes(head, framing, &error),
                };
                tell(ours, &bytes).await
            }
        }
    }
}

/// A stream's head and a text in its standard output.
fn stream_bytes(head: String, framing: Framing, error: &Error) -> Vec<u8> {
    let text = with_sources(error) + "\r\n";
    let mut bytes = head.into_bytes();
    if framing.multiplexed {
        bytes.extend(frame_header(Stream::Stdout, text.len() as u32));
    }
    bytes.extend(text.into_bytes());
    bytes
}

/// A response as bytes, for a connection that hyper has given up.
async fn plain_bytes(response: Response<Body>) -> Vec<u8> {
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap_or_else(|never| match never {}).to_bytes();
    let length = body.len().to_string();
    let kind = head.headers.get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let mut headers = vec![("Content-Length", length.as_str()), ("Connection", "close")];
    headers.extend(kind.map(|kind| ("Content-Type", kind)));
    let mut bytes = stream_head(&head.status.to_string(), &headers).into_bytes();
    bytes.extend(&body);
    bytes
}

/// Writes the last bytes to a client. Its unread input is read and dropped: closing over it would reset the connection
/// and with it what was written.
async fn tell(socket: Plain, bytes: &[u8]) -> io::Result<()> {
    let mut socket = socket.into_socket()?;
    let goodbye = async {
        socket.write_all(bytes).await?;
        socket.shutdown().await?;
        let mut waste = [0; 4096];
        while socket.read(&mut waste).await? > 0 {}
        Ok(())
    };
    tokio::time::timeout(PATIENCE, goodbye).await.unwrap_or(Ok(()))
}

#[cfg(test)]
mod tests;
