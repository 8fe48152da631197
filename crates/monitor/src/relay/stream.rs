//! A relayed connection: two sockets, each with what waits to be written to it.
//!
//! Nothing is read for an end that does not take what was read before: whoever is slow slows the other one down. Each
//! direction ends for itself. What breaks on one side is broken off on the other: half a transfer must not look whole.

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SendFlags, Shutdown, SocketFlags, SocketType, sockopt};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// So many pieces are carried one way before other connections have their turn.
const TURN: usize = 16;

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Its events will tell when it can go on.
    Waits,
    /// It can go on now.
    More,
    /// Both directions have ended, or it is broken.
    Over,
}

/// The client's end, and the container's.
pub(super) struct Stream {
    ends: [End; 2],
}

struct End {
    socket: OwnedFd,
    /// What is to be written, and was not taken yet.
    waiting: Vec<u8>,
    readable: bool,
    writable: bool,
    /// Nothing more comes from here.
    ended: bool,
    /// It was told that nothing more comes from the other end.
    told: bool,
}

impl Stream {
    /// Takes the next connection of a listening socket, and begins one to `to`. `None`: it has gone again, or nobody is
    /// there to connect to.
    pub(super) fn accept(listener: &OwnedFd, to: SocketAddr) -> rustix::io::Result<Option<Self>> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let client = match rustix::net::accept_with(listener, flags) {
            Ok(client) => client,
            Err(error @ (Errno::AGAIN | Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)) => {
                return Err(error);
            }
            // Pending errors of the connection itself (accept(2)).
            Err(_) => return Ok(None),
        };
        let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let server = rustix::net::socket_with(family, SocketType::STREAM, flags, None);
        let connected = server.and_then(|server| match rustix::net::connect(&server, &to) {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(server),
            Err(error) => Err(error),
        });
        let client = End::new(client);
        Ok(match connected {
            Ok(server) => Some(Self { ends: [client, End::new(server)] }),
            Err(_) => {
                client.reset();
                None
            }
        })
    }

    /// Has its events told under twice this number.
    pub(super) fn watch(&self, poll: &OwnedFd, number: u64) -> rustix::io::Result<()> {
        let events = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        for (token, end) in (number * 2..).zip(&self.ends) {
            super::watch(poll, &end.socket, token, events)?;
        }
        Ok(())
    }

    /// Remembers what an event says of an end: of the second, the container's, or of the first.
    pub(super) fn note(&mut self, second: bool, flags: EventFlags) {
        let over = EventFlags::HUP | EventFlags::ERR;
        let end = &mut self.ends[usize::from(second)];
        end.readable |= flags.intersects(over | EventFlags::IN | EventFlags::RDHUP);
        end.writable |= flags.intersects(over | EventFlags::OUT);
    }

    /// Carries what can be carried now.
    pub(super) fn pump(&mut self, buffer: &mut [u8]) -> Progress {
        let [client, server] = &mut self.ends;
        let carried = carry(client, server, buffer).and_then(|up| Ok(carry(server, client, buffer)? || up));
        match carried {
            Ok(_) if self.ends.iter().all(|end| end.told) => Progress::Over,
            Ok(true) => Progress::More,
            Ok(false) => Progress::Waits,
            Err(_) => {
                self.ends.iter().for_each(End::reset);
                Progress::Over
            }
        }
    }
}

/// Carries one way. Says whether there may be more to carry at once.
fn carry(from: &mut End, to: &mut End, buffer: &mut [u8]) -> rustix::io::Result<bool> {
    for _ in 0..TURN {
        to.flush()?;
        // Also while the connection is being made.
        if !to.writable {
            return Ok(false);
        }
        if from.ended {
            to.tell_end();
            return Ok(false);
        }
        if !from.readable {
            return Ok(false);
        }
        match rustix::io::read(&from.socket, &mut *buffer) {
            Ok(0) => from.ended = true,
            Ok(length) => to.write(&buffer[..length])?,
            Err(Errno::AGAIN) => from.readable = false,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

impl End {
    fn new(socket: OwnedFd) -> Self {
        // Without these it works, too.
        let _ = sockopt::set_tcp_nodelay(&socket, true);
        let _ = sockopt::set_socket_keepalive(&socket, true);
        Self { socket, waiting: Vec::new(), readable: false, writable: false, ended: false, told: false }
    }

    fn write(&mut self, bytes: &[u8]) -> rustix::io::Result<()> {
        let sent = self.send(bytes)?;
        self.waiting.extend_from_slice(&bytes[sent..]);
        Ok(())
    }

    fn flush(&mut self) -> rustix::io::Result<()> {
        if self.writable && !self.waiting.is_empty() {
            let waiting = std::mem::take(&mut self.waiting);
            self.write(&waiting)?;
        }
        Ok(())
    }

    /// Sends until all is sent, or no more is taken.
    fn send(&mut self, bytes: &[u8]) -> rustix::io::Result<usize> {
        let mut sent = 0;
        while self.writable && sent < bytes.len() {
            match rustix::net::send(&self.socket, &bytes[sent..], SendFlags::NOSIGNAL) {
                Ok(length) => sent += length,
                Err(Errno::AGAIN) => self.writable = false,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(sent)
    }

    fn tell_end(&mut self) {
        if !self.told {
            // It has gone already where this fails.
            let _ = rustix::net::shutdown(&self.socket, Shutdown::Write);
            self.told = true;
        }
    }

    /// Closing it will tell its peer that the connection broke.
    fn reset(&self) {
        let _ = sockopt::set_socket_linger(&self.socket, Some(Duration::ZERO));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::epoll::EventFlags;
    use std::io::{ErrorKind, Read, Write};
    use std::net::{TcpListener, TcpStream};

    /// A relayed connection, the client's end of it, and the container's.
    fn relayed() -> (Stream, TcpStream, TcpStream) {
        let [front, back] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let client = TcpStream::connect(front.local_addr().unwrap()).unwrap();
        let stream = Stream::accept(&front.into(), back.local_addr().unwrap()).unwrap().unwrap();
        (stream, client, back.accept().unwrap().0)
    }

    /// As if everything had happened.
    fn pump(stream: &mut Stream) -> Progress {
        let mut buffer = vec![0; super::super::BLOCK];
        for second in [false, true] {
            stream.note(second, EventFlags::IN | EventFlags::OUT);
        }
        loop {
            match stream.pump(&mut buffer) {
                Progress::More => {}
                other => return other,
            }
        }
    }

    #[test]
    fn whoever_is_slow_slows_the_other_down() {
        let (mut stream, mut client, mut server) = relayed();
        client.set_nonblocking(true).unwrap();
        let (block, mut sent) = (vec![7; 1 << 20], 0);
        // Until nothing more is taken, though all was carried that could be.
        let mut stuck = 0;
        while stuck < 3 {
            match client.write(&block) {
                Ok(length) => (sent, stuck) = (sent + length, 0),
                Err(error) if error.kind() == ErrorKind::WouldBlock => stuck += 1,
                Err(error) => panic!("{error}"),
            }
            assert_eq!(pump(&mut stream), Progress::Waits);
            assert!(stream.ends[1].waiting.len() <= super::super::BLOCK);
            assert!(sent < 1 << 30, "it takes without end");
        }
        client.shutdown(std::net::Shutdown::Write).unwrap();
        server.set_nonblocking(true).unwrap();
        let (mut got, mut buffer) = (0, vec![0; 1 << 20]);
        loop {
            match server.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => got += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    pump(&mut stream);
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(got, sent);
    }

    #[test]
    fn each_direction_ends_for_itself() {
        for server_first in [false, true] {
            let (mut stream, client, server) = relayed();
            let (mut one, mut other) = if server_first { (server, client) } else { (client, server) };
            one.write_all(b"one").unwrap();
            one.shutdown(std::net::Shutdown::Write).unwrap();
            let mut got = String::new();
            // It may still be on its way.
            while stream.ends.iter().all(|end| !end.ended) {
                assert_eq!(pump(&mut stream), Progress::Waits);
            }
            other.read_to_string(&mut got).unwrap();
            assert_eq!(got, "one");
            other.write_all(b"other").unwrap();
            drop(other);
            while pump(&mut stream) != Progress::Over {}
            drop(stream);
            got.clear();
            one.read_to_string(&mut got).unwrap();
            assert_eq!(got, "other");
        }
    }

    #[test]
    fn what_breaks_on_one_side_breaks_on_the_other() {
        let (mut stream, mut client, server) = relayed();
        sockopt::set_socket_linger(&server, Some(Duration::ZERO)).unwrap();
        drop(server);
        while pump(&mut stream) != Progress::Over {}
        drop(stream);
        assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    }

    #[test]
    fn nobody_to_connect_to() {
        let front = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut client = TcpStream::connect(front.local_addr().unwrap()).unwrap();
        if let Some(mut stream) = Stream::accept(&front.into(), to).unwrap() {
            while pump(&mut stream) != Progress::Over {}
        }
        assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    }
}
