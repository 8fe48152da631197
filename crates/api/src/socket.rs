//! A connected socket of either kind. The client makes them; the server accepts them.

use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// A connected socket in tokio's poll set. Shutting it down ends only our half.
#[derive(Debug)]
pub enum Socket {
    /// Of the file system.
    Unix(UnixStream),
    /// Of TCP.
    Tcp(TcpStream),
}

/// The same outside tokio.
#[derive(Debug)]
pub enum Plain {
    /// Of the file system.
    Unix(std::os::unix::net::UnixStream),
    /// Of TCP.
    Tcp(std::net::TcpStream),
}

impl Socket {
    /// Takes it out of tokio's poll set. It stays non-blocking.
    ///
    /// # Errors
    /// epoll_ctl(2).
    pub fn into_plain(self) -> io::Result<Plain> {
        Ok(match self {
            Self::Unix(stream) => Plain::Unix(stream.into_std()?),
            Self::Tcp(stream) => Plain::Tcp(stream.into_std()?),
        })
    }
}

impl Plain {
    /// A second descriptor of the same socket.
    ///
    /// # Errors
    /// fcntl(2).
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Unix(stream) => Self::Unix(stream.try_clone()?),
            Self::Tcp(stream) => Self::Tcp(stream.try_clone()?),
        })
    }

    /// Whether calls return at once, with nothing done where they would have to wait.
    ///
    /// # Errors
    /// ioctl(2).
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.set_nonblocking(nonblocking),
            Self::Tcp(stream) => stream.set_nonblocking(nonblocking),
        }
    }

    /// Puts it into tokio's poll set.
    ///
    /// # Errors
    /// epoll_ctl(2).
    pub fn into_socket(self) -> io::Result<Socket> {
        self.set_nonblocking(true)?;
        match self {
            Self::Unix(stream) => UnixStream::from_std(stream).map(Socket::Unix),
            Self::Tcp(stream) => TcpStream::from_std(stream).map(Socket::Tcp),
        }
    }
}

impl From<Plain> for OwnedFd {
    fn from(socket: Plain) -> Self {
        match socket {
            Plain::Unix(stream) => stream.into(),
            Plain::Tcp(stream) => stream.into(),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
