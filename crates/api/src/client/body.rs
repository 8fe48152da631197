//! Bodies on their way: what is sent, and what comes piece by piece.

use crate::{Error, Result, json};
use bytes::{Buf, Bytes, BytesMut};
use http::{Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use serde::de::DeserializeOwned;
use std::io;
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

const PIECE: usize = 64 << 10;

/// A request's body.
pub enum Body {
    /// None.
    Empty,
    /// A JSON document.
    Json(Bytes),
    /// A tar archive, read as it is sent.
    Tar(Box<dyn AsyncRead + Send + Unpin>),
}

impl Body {
    /// The same body for a second attempt, if it can be sent twice.
    pub(super) fn again(&self) -> Option<Self> {
        match self {
            Self::Empty => Some(Self::Empty),
            Self::Json(bytes) => Some(Self::Json(bytes.clone())),
            Self::Tar(_) => None,
        }
    }

    pub(super) fn content_type(&self) -> Option<&'static str> {
        match self {
            Self::Empty => None,
            Self::Json(_) => Some("application/json"),
            Self::Tar(_) => Some("application/x-tar"),
        }
    }
}

/// A body as hyper takes it.
pub(super) enum RequestBody {
    Full(Full<Bytes>),
    Read(Box<dyn AsyncRead + Send + Unpin>),
}

impl From<Body> for RequestBody {
    fn from(body: Body) -> Self {
        match body {
            Body::Empty => Self::Full(Full::default()),
            Body::Json(bytes) => Self::Full(Full::new(bytes)),
            Body::Tar(reader) => Self::Read(reader),
        }
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let reader = match self.get_mut() {
            Self::Full(full) => {
                return Pin::new(full).poll_frame(cx).map_err(|never| match never {});
            }
            Self::Read(reader) => reader,
        };
        let mut piece = BytesMut::with_capacity(PIECE);
        let count = ready!(pin!(reader.read_buf(&mut piece)).poll(cx))?;
        Poll::Ready((count > 0).then(|| Ok(Frame::data(piece.freeze()))))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(full) => full.size_hint(),
            Self::Read(_) => SizeHint::default(),
        }
    }
}

/// An answer's bytes as they come.
#[derive(Debug)]
pub struct ByteStream {
    content_type: String,
    body: Incoming,
    ready: Bytes,
}

impl ByteStream {
    pub(super) fn new(response: Response<Incoming>) -> Self {
        let kind = response.headers().get(http::header::CONTENT_TYPE);
        let content_type = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
        Self { content_type, body: response.into_body(), ready: Bytes::new() }
    }

    /// What the daemon says the bytes are.
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// The next bytes, as many as there are; `None` at the end.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn piece(&mut self) -> io::Result<Option<Bytes>> {
        while self.ready.is_empty() {
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            self.ready = frame.map_err(io::Error::other)?.into_data().unwrap_or_default();
        }
        Ok(Some(std::mem::take(&mut self.ready)))
    }
}

impl AsyncRead for ByteStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.ready.is_empty() {
            match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                None => return Poll::Ready(Ok(())),
                Some(frame) => this.ready = frame.map_err(io::Error::other)?.into_data().unwrap_or_default(),
            }
        }
        let count = this.ready.len().min(buf.remaining());
        buf.put_slice(&this.ready[..count]);
        this.ready.advance(count);
        Poll::Ready(Ok(()))
    }
}

/// An answer of JSON documents, one a line.
#[derive(Debug)]
pub struct JsonLines<T> {
    stream: ByteStream,
    path: String,
    buffer: BytesMut,
    kind: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> JsonLines<T> {
    pub(super) fn new(stream: ByteStream, path: &str) -> Self {
        Self { stream, path: path.to_owned(), buffer: BytesMut::new(), kind: PhantomData }
    }

    /// The next document; `None` at the end.
    ///
    /// # Errors
    /// When the connection breaks or a line is no such document.
    pub async fn next(&mut self) -> Result<Option<T>> {
        loop {
            let end = self.buffer.iter().position(|b| *b == b'\n');
            let line = match end {
                Some(end) => self.buffer.split_to(end + 1),
                None if self.fill().await? => continue,
                None => self.buffer.split(),
            };
            let line = line.trim_ascii();
            if !line.is_empty() {
                return json::read(line).map(Some).map_err(|source| self.wrong(source));
            }
            if end.is_none() {
                return Ok(None);
            }
        }
    }

    async fn fill(&mut self) -> Result<bool> {
        match self.stream.body.frame().await {
            None => Ok(false),
            Some(Ok(frame)) => {
                self.buffer.extend_from_slice(&frame.into_data().unwrap_or_default());
                Ok(true)
            }
            Some(Err(source)) => Err(self.wrong(serde_json::Error::io(io::Error::other(source)))),
        }
    }

    fn wrong(&self, source: serde_json::Error) -> Error {
        Error::Answer { path: self.path.clone(), source }
    }
}

/// An answer of which the head is here and the one JSON document is still to come.
#[derive(Debug)]
pub struct Pending<T> {
    lines: JsonLines<T>,
}

impl<T: DeserializeOwned> Pending<T> {
    pub(super) fn new(lines: JsonLines<T>) -> Self {
        Self { lines }
    }

    /// Waits for it.
    ///
    /// # Errors
    /// When the connection breaks before it came.
    pub async fn finish(mut self) -> Result<T> {
        let ended = || Error::Daemon {
            status: StatusCode::BAD_GATEWAY,
            message: "the daemon ended the connection before it answered".into(),
        };
        self.lines.next().await?.ok_or_else(ended)
    }
}
