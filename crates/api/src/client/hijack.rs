//! A connection that became a two-way stream (attach, exec).

use crate::MULTIPLEXED_STREAM;
use crate::socket::Socket;
use bytes::{Buf, Bytes};
use http::{Response, header};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A two-way stream. Reading gives first what came with the answer's head. Shutting down ends only our half: the other
/// side sees the end of input. `tokio::io::split` makes two halves of it.
#[derive(Debug)]
pub struct Hijacked {
    early: Bytes,
    stream: Stream,
    multiplexed: bool,
}

#[derive(Debug)]
enum Stream {
    Plain(Socket),
    /// hyper's own, where it did not give the socket back.
    Upgraded(TokioIo<hyper::upgrade::Upgraded>),
}

impl Hijacked {
    pub(super) async fn take(response: Response<Incoming>) -> hyper::Result<Self> {
        let multiplexed =
            response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == MULTIPLEXED_STREAM);
        let upgraded = hyper::upgrade::on(response).await?;
        Ok(match upgraded.downcast::<TokioIo<Socket>>() {
            Ok(parts) => {
                Self { early: parts.read_buf, stream: Stream::Plain(parts.io.into_inner()), multiplexed }
            }
            Err(other) => {
                Self { early: Bytes::new(), stream: Stream::Upgraded(TokioIo::new(other)), multiplexed }
            }
        })
    }

    /// The connected socket itself, blocking, and what was read from it already.
    ///
    /// # Errors
    /// fcntl(2); `Unsupported` where hyper did not give the socket back.
    pub fn into_socket(self) -> io::Result<(OwnedFd, Bytes)> {
        let Stream::Plain(socket) = self.stream else { return Err(io::ErrorKind::Unsupported.into()) };
        let socket = socket.into_plain()?;
        socket.set_nonblocking(false)?;
        Ok((socket.into(), self.early))
    }

    /// Whether the daemon says that stdout and stderr are told apart by frames. Before version 1.42 it says nothing, and
    /// they are exactly if there is no terminal.
    pub fn is_multiplexed(&self) -> bool {
        self.multiplexed
    }
}

impl AsyncRead for Hijacked {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.early.is_empty() {
            let count = this.early.len().min(buf.remaining());
            buf.put_slice(&this.early[..count]);
            this.early.advance(count);
            return Poll::Ready(Ok(()));
        }
        match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Upgraded(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Hijacked {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Upgraded(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Upgraded(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Upgraded(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
