//! A container's streams on one connection: what is typed goes in, what comes out is taken apart.
//!
//! Each direction is a thread with blocking calls, so that neither can hold up the other, whoever reads or does not
//! read our output.

use crate::error::os_text;
use crate::terminal::{DetachKeys, Typed};
use rustix::net::Shutdown;
use sampan_api::stdcopy::{Demultiplexer, FrameError};
use sampan_spec::stream::Stream;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use tokio::sync::oneshot;

const BUFFER: usize = 128 << 10;

/// How to treat an attached connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// Send our standard input.
    pub stdin: bool,
    /// Write what comes to standard output.
    pub stdout: bool,
    /// Write what comes to standard error.
    pub stderr: bool,
    /// The process has a terminal: its output is not framed, and typed keys may detach.
    pub tty: bool,
    /// Those keys, as the user names them.
    pub detach_keys: String,
}

/// Why the copying ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The process's output ended.
    Output(io::Result<()>),
    /// The user typed the keys that detach.
    Detached,
}

/// Two directions in progress.
pub(crate) struct Copying {
    output: Option<oneshot::Receiver<io::Result<()>>>,
    input: oneshot::Receiver<Input>,
}

/// Why the input ended.
enum Input {
    Eof,
    Detached,
}

/// Starts copying on `socket`, of which `early` has been read already. `socket` must be blocking.
pub(crate) fn start(socket: OwnedFd, early: Vec<u8>, options: Options) -> io::Result<Copying> {
    let socket = Arc::new(socket);
    let (input_done, input) = oneshot::channel();
    let reader = Arc::clone(&socket);
    let output = if options.stdout || options.stderr {
        let (done, output) = oneshot::channel();
        let sinks = Sinks { stdout: options.stdout, stderr: options.stderr };
        let tty = options.tty;
        spawn("output", move || {
            let mut from = io::Cursor::new(early).chain(Socket(reader));
            let result = if tty { copy(&mut from, &sinks) } else { demultiplex(&mut from, &sinks) };
            let _ = done.send(result);
        })?;
        Some(output)
    } else {
        None
    };
    if options.stdin {
        let keys = options.tty.then(|| DetachKeys::new(&options.detach_keys));
        spawn("input", move || {
            let _ = input_done.send(send_input(&socket, keys));
        })?;
    } else {
        // Docker closes its side at once as well: the process reads an end of input, not ours.
        let _ = rustix::net::shutdown(&*socket, Shutdown::Write);
        let _ = input_done.send(Input::Eof);
    }
    Ok(Copying { output, input })
}

impl Copying {
    /// Waits for the end: that of the output where there is one, else that of the input.
    pub(crate) async fn end(self) -> End {
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        let Some(mut output) = self.output else {
            return match self.input.await {
                Ok(Input::Detached) => End::Detached,
                _ => End::Output(Ok(())),
            };
        };
        tokio::select! {
            biased;
            result = &mut output => End::Output(result.unwrap_or_else(|_| Err(gone()))),
            Ok(Input::Detached) = self.input => End::Detached,
        }
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).stack_size(256 << 10).spawn(work).map(drop)
}

/// Reads and writes a shared descriptor.
struct Socket(Arc<OwnedFd>);

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::retry_on_intr(|| rustix::io::read(self.0.as_fd(), &mut *buffer))?)
    }
}

/// Sends standard input until it ends or cannot be sent, and then its end.
fn send_input(socket: &OwnedFd, mut keys: Option<DetachKeys>) -> Input {
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = rustix::io::retry_on_intr(|| rustix::io::read(rustix::stdio::stdin(), &mut buffer[..]));
        let Ok(length @ 1..) = read else { break };
        let typed = keys.as_mut().map(|keys| keys.feed(&buffer[..length]));
        let sent = match &typed {
            None => send(socket, &buffer[..length]),
            Some(Typed::Pass(bytes)) => send(socket, bytes),
            Some(Typed::Detach(bytes)) => {
                let _ = send(socket, bytes);
                return Input::Detached;
            }
        };
        if sent.is_err() {
            break;
        }
    }
    let _ = rustix::net::shutdown(socket, Shutdown::Write);
    Input::Eof
}

fn send(socket: &OwnedFd, mut bytes: &[u8]) -> io::Result<()> {
    use rustix::net::SendFlags;
    while !bytes.is_empty() {
        let sent = rustix::io::retry_on_intr(|| rustix::net::send(socket, bytes, SendFlags::NOSIGNAL))?;
        bytes = &bytes[sent..];
    }
    Ok(())
}

/// Which of our outputs are wanted.
struct Sinks {
    stdout: bool,
    stderr: bool,
}

impl Sinks {
    fn write(&self, stream: Stream, mut bytes: &[u8]) -> io::Result<()> {
        let fd = match stream {
            Stream::Stderr if self.stderr => rustix::stdio::stderr(),
            Stream::Stdout | Stream::Stdin if self.stdout => rustix::stdio::stdout(),
            _ => return Ok(()),
        };
        while !bytes.is_empty() {
            let written = rustix::io::retry_on_intr(|| rustix::io::write(fd, bytes));
            let written = written.map_err(|error| cannot_write(stream, error.into()))?;
            bytes = &bytes[written..];
        }
        Ok(())
    }
}

fn copy(from: &mut impl Read, sinks: &Sinks) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(()),
            length => sinks.write(Stream::Stdout, &buffer[..length])?,
        }
    }
}

fn demultiplex(from: &mut impl Read, sinks: &Sinks) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    let mut frames = Frames::default();
    loop {
        match from.read(&mut buffer)? {
            0 => return frames.finish(),
            length => frames.feed(&buffer[..length], |stream, piece| sinks.write(stream, piece))?,
        }
    }
}

/// Takes framed output apart.
#[derive(Debug, Default)]
struct Frames {
    frames: Demultiplexer,
    /// What the engine has to say; its stream ends with it.
    message: Vec<u8>,
}

impl Frames {
    fn feed(
        &mut self,
        mut bytes: &[u8],
        mut sink: impl FnMut(Stream, &[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        while let Some((stream, piece)) = self.frames.next(&mut bytes).map_err(damaged)? {
            match stream {
                Stream::System => self.message.extend_from_slice(piece),
                _ => sink(stream, piece)?,
            }
        }
        Ok(())
    }

    fn finish(&self) -> io::Result<()> {
        if !self.message.is_empty() {
            return Err(io::Error::other(String::from_utf8_lossy(&self.message).into_owned()));
        }
        self.frames.finish().map_err(damaged)
    }
}

fn cannot_write(stream: Stream, error: io::Error) -> io::Error {
    let file = if stream == Stream::Stderr { "stderr" } else { "stdout" };
    io::Error::new(error.kind(), format!("write /dev/{file}: {}", os_text(&error)))
}

fn damaged(error: FrameError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// Writes to standard output and standard error what comes in pieces, as `logs` gets it.
#[derive(Default)]
pub(crate) struct Printer {
    frames: Frames,
    raw: bool,
}

impl Printer {
    /// For output that is not framed when `raw`.
    pub(crate) fn new(raw: bool) -> Self {
        Self { frames: Frames::default(), raw }
    }

    /// Writes the next piece.
    pub(crate) fn print(&mut self, bytes: &[u8]) -> io::Result<()> {
        let sinks = Sinks { stdout: true, stderr: true };
        if self.raw {
            return sinks.write(Stream::Stdout, bytes);
        }
        self.frames.feed(bytes, |stream, piece| sinks.write(stream, piece))
    }

    /// The end came.
    pub(crate) fn finish(&self) -> io::Result<()> {
        if self.raw { Ok(()) } else { self.frames.finish() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sampan_spec::stream::frame_header;

    #[test]
    fn a_message_of_the_engine_is_an_error() {
        let mut frames = Frames::default();
        let mut got = Vec::new();
        for (stream, text) in [(Stream::Stdout, b"ab"), (Stream::System, b"no"), (Stream::Stderr, b"cd")] {
            let wire = [&frame_header(stream, 2)[..], text].concat();
            let mut sink = |stream, piece: &[u8]| {
                got.push((stream, piece.to_vec()));
                Ok(())
            };
            frames.feed(&wire, &mut sink).unwrap();
        }
        assert_eq!(got, [(Stream::Stdout, b"ab".to_vec()), (Stream::Stderr, b"cd".to_vec())]);
        assert_eq!(frames.finish().unwrap_err().to_string(), "no");
    }

    #[test]
    fn damage_is_an_error() {
        assert!(Frames::default().feed(&[9; 8], |_, _| Ok(())).is_err());
        let mut frames = Frames::default();
        frames.feed(&frame_header(Stream::Stdout, 5), |_, _| Ok(())).unwrap();
        assert!(frames.finish().is_err());
    }
}
