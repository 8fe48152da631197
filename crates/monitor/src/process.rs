//! A process's standard streams as the monitor holds them: the other ends of its pipes, or its terminal's master.

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::pipe::PipeFlags;
use rustix::termios::Winsize;
use sampan_runtime::Stdio;
use sampan_spec::stream::Stream;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// So much input may wait for a process before its client is not read any more, in bytes.
const INPUT_MAX: usize = 64 << 10;
/// A terminal that no process has open may be opened again: look after this time.
const REOPEN: Duration = Duration::from_millis(100);

/// A process that runs, or has just ended, with its streams.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    /// Until the process was waited for.
    pub(crate) pidfd: Option<OwnedFd>,
    /// When it was waited for.
    pub(crate) ended: Option<Instant>,
    streams: Streams,
    input: Vec<u8>,
    close_input: bool,
    /// Nobody has the terminal open until then, or longer.
    unopened: Option<Instant>,
}

/// The monitor's ends.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    pub(crate) stdin: Option<Rc<OwnedFd>>,
    pub(crate) stdout: Option<Rc<OwnedFd>>,
    pub(crate) stderr: Option<Rc<OwnedFd>>,
    pub(crate) terminal: bool,
}

/// The process's ends.
#[derive(Debug)]
pub(crate) struct Ends {
    stdin: OwnedFd,
    stdout: OwnedFd,
    stderr: OwnedFd,
}

/// Which streams are pipes; the others are `/dev/null`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pipes {
    pub(crate) stdin: bool,
    pub(crate) stdout: bool,
    pub(crate) stderr: bool,
}

/// What reading a stream gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    Bytes(usize),
    NotNow,
    End,
}

impl Streams {
    /// Pipes for a process without a terminal.
    pub(crate) fn pipes(wanted: Pipes) -> io::Result<(Self, Ends)> {
        let null = || File::options().read(true).write(true).open("/dev/null").map(OwnedFd::from);
        let (mut ours, mut ends) =
            (Self::default(), Ends { stdin: null()?, stdout: null()?, stderr: null()? });
        if wanted.stdin {
            let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
            (ends.stdin, ours.stdin) = (read, Some(nonblocking(write)?));
        }
        if wanted.stdout {
            let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
            (ends.stdout, ours.stdout) = (write, Some(nonblocking(read)?));
        }
        if wanted.stderr {
            let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
            (ends.stderr, ours.stderr) = (write, Some(nonblocking(read)?));
        }
        Ok((ours, ends))
    }

    /// A terminal's master, for both directions. Its process runs already and must be supervised, so nothing here may fail:
    /// no descriptor is copied, and a terminal that could block the monitor would be hung up.
    pub(crate) fn terminal(master: OwnedFd, stdin: bool) -> Self {
        let master = nonblocking(master).ok();
        Self { stdin: master.clone().filter(|_| stdin), stdout: master, stderr: None, terminal: true }
    }
}

impl Ends {
    pub(crate) fn stdio(&self) -> Stdio<'_> {
        Stdio::Pipes { stdin: self.stdin.as_fd(), stdout: self.stdout.as_fd(), stderr: self.stderr.as_fd() }
    }
}

/// Pipes and masters are descriptions of their own: the process's ends stay as they are.
fn nonblocking(fd: OwnedFd) -> io::Result<Rc<OwnedFd>> {
    rustix::io::ioctl_fionbio(&fd, true)?;
    Ok(Rc::new(fd))
}

impl Process {
    pub(crate) fn new(pid: i32, pidfd: OwnedFd, streams: Streams) -> Self {
        Self {
            pid,
            pidfd: Some(pidfd),
            ended: None,
            streams,
            input: Vec::new(),
            close_input: false,
            unopened: None,
        }
    }

    pub(crate) fn is_terminal(&self) -> bool {
        self.streams.terminal
    }

    /// Sets the terminal's size; false if there is none.
    pub(crate) fn resize(&self, rows: u16, columns: u16) -> io::Result<bool> {
        let Some(master) = self.streams.stdout.as_ref().filter(|_| self.streams.terminal) else {
            return Ok(false);
        };
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(master, size)?;
        Ok(true)
    }

    /// Whether all output was read.
    pub(crate) fn output_ended(&self) -> bool {
        self.streams.stdout.is_none() && self.streams.stderr.is_none()
    }

    /// The streams to read from, now.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = (Stream, BorrowedFd<'_>)> {
        let now = Instant::now();
        let readable = self.unopened.is_none_or(|until| until <= now);
        [(Stream::Stdout, &self.streams.stdout), (Stream::Stderr, &self.streams.stderr)]
            .into_iter()
            .filter(move |_| readable)
            .filter_map(|(stream, fd)| fd.as_ref().map(|fd| (stream, fd.as_fd())))
    }

    /// When to look at the streams again without an event.
    pub(crate) fn look_again(&self) -> Option<Instant> {
        self.unopened.filter(|at| self.streams.stdout.is_some() && *at > Instant::now())
    }

    /// Reads from a stream; at its end closes it.
    pub(crate) fn read(&mut self, stream: Stream, buffer: &mut [u8]) -> Read {
        let slot = match stream {
            Stream::Stderr => &mut self.streams.stderr,
            _ => &mut self.streams.stdout,
        };
        let Some(fd) = slot else { return Read::End };
        self.unopened = None;
        match rustix::io::read(&*fd, buffer) {
            Ok(0) => {}
            Ok(count) => return Read::Bytes(count),
            Err(Errno::AGAIN | Errno::INTR) => return Read::NotNow,
            Err(Errno::IO) if self.streams.terminal && self.ended.is_none() => {
                self.unopened = Some(Instant::now() + REOPEN);
                return Read::NotNow;
            }
            Err(_) => {}
        }
        *slot = None;
        Read::End
    }

    /// Whether input can be taken. A process that does not read any more takes all of it, for nothing.
    pub(crate) fn has_room(&self) -> bool {
        self.input.len() < INPUT_MAX
    }

    /// The stream that waits to be written to.
    pub(crate) fn blocked_input(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        let fd = self.streams.stdin.as_ref().filter(|_| !self.input.is_empty());
        fd.map(|fd| (fd.as_fd(), PollFlags::OUT))
    }

    /// Gives input to the process, or keeps it until there is room.
    pub(crate) fn write_input(&mut self, bytes: &[u8]) {
        if self.streams.stdin.is_some() && !self.close_input {
            self.input.extend_from_slice(bytes);
            self.flush_input();
        }
    }

    /// The input ends with what was given so far. A terminal's does not: that is for the process to say.
    pub(crate) fn end_input(&mut self) {
        if !self.streams.terminal {
            self.close_input = true;
            self.flush_input();
        }
    }

    pub(crate) fn flush_input(&mut self) {
        let Some(fd) = &self.streams.stdin else { return };
        let mut written = 0;
        let gone = loop {
            if written == self.input.len() {
                break self.close_input;
            }
            match rustix::io::write(fd, &self.input[written..]) {
                Ok(count) => written += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break false,
                // It has closed its end.
                Err(_) => break true,
            }
        };
        self.input.drain(..written);
        if gone {
            self.streams.stdin = None;
        }
        if gone || self.input.is_empty() {
            self.input = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::pty::{OpenptFlags, openpt};

    #[test]
    fn a_terminal_takes_one_descriptor() {
        for stdin in [true, false] {
            let streams = Streams::terminal(openpt(OpenptFlags::RDWR).unwrap(), stdin);
            assert_eq!(Rc::strong_count(streams.stdout.as_ref().unwrap()), 1 + usize::from(stdin));
            assert_eq!(streams.stdin.is_some(), stdin);
            assert_eq!(rustix::io::read(streams.stdout.unwrap(), &mut [0; 1]), Err(Errno::AGAIN));
        }
    }
}
