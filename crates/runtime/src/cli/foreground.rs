//! A process in the foreground: its terminal is ours, signals to us go to it, and its exit code is ours.

use super::CliError;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize};
use sampan_sys::process::{signal, wait};
use sampan_sys::signals;
use std::io::{self, Stdin};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A process to follow to its end.
pub(super) struct Ending<'a> {
    pub(super) pidfd: BorrowedFd<'a>,
    /// Its terminal's master.
    pub(super) console: Option<&'a OwnedFd>,
}

const SIGWINCH: i32 = 28;
/// Signals that are passed on: HUP, INT, QUIT, USR1, USR2, TERM; and the one for the terminal's size.
const SIGNALS: [i32; 7] = [1, 2, 3, 10, 12, 15, SIGWINCH];

/// Follows a process, and returns its exit code, or 128 and the signal that ended it.
pub(super) fn follow(process: &Ending<'_>) -> Result<i32, CliError> {
    let stdin = io::stdin();
    let _raw = process.console.map(|_| RawMode::set(&stdin));
    let followed = relay(process, &stdin);
    followed.map_err(|source| CliError::System { what: "follow the process", source })?;
    let ended = wait(process.pidfd);
    Ok(ended.map_err(|source| CliError::System { what: "wait for the process", source })?.shell_code())
}

fn relay(process: &Ending<'_>, stdin: &Stdin) -> io::Result<()> {
    let arrived = signals::descriptor(&SIGNALS)?;
    let stdout = io::stdout();
    let (mut input, mut output) = (process.console, process.console);
    resize(process, stdin);
    loop {
        let mut fds = vec![
            PollFd::from_borrowed_fd(process.pidfd, PollFlags::IN),
            PollFd::new(&arrived, PollFlags::IN),
        ];
        let stdin_at = fds.len() + usize::from(output.is_some());
        fds.extend(output.map(|master| PollFd::new(master, PollFlags::IN)));
        fds.extend(input.map(|_| PollFd::new(stdin, PollFlags::IN)));
        match poll(&mut fds, None) {
            Err(Errno::INTR) => continue,
            polled => polled?,
        };
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(fds);
        while let Some(number) = signals::next(&arrived)? {
            pass_on(process, stdin, number);
        }
        let stdin_ready = ready.get(stdin_at) == Some(&true);
        if input.is_some_and(|_| stdin_ready) && !copy_input(stdin, input)? {
            input = None;
        }
        if output.is_some() && ready[2] && !copy(output, stdout.as_fd())? {
            (input, output) = (None, None);
        }
        if ready[0] {
            // What the process has written last is in the terminal still.
            while output.is_some() && readable(output) && copy(output, stdout.as_fd())? {}
            return Ok(());
        }
    }
}

fn readable(fd: Option<&OwnedFd>) -> bool {
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    fd.is_some_and(|fd| matches!(poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&now)), Ok(1)))
}

/// Copies what is there. `false` at the end; a terminal whose other side is closed says EIO.
fn copy(from: Option<&OwnedFd>, to: BorrowedFd<'_>) -> io::Result<bool> {
    let Some(from) = from else { return Ok(false) };
    let mut buffer = [0; 8192];
    let n = match rustix::io::read(from, &mut buffer) {
        Ok(0) | Err(Errno::IO) => return Ok(false),
        read => read?,
    };
    write_all(to, &buffer[..n])?;
    Ok(true)
}

fn copy_input(stdin: &Stdin, master: Option<&OwnedFd>) -> io::Result<bool> {
    let Some(master) = master else { return Ok(false) };
    let mut buffer = [0; 4096];
    let n = rustix::io::read(stdin, &mut buffer)?;
    if n == 0 {
        return Ok(false);
    }
    match write_all(master.as_fd(), &buffer[..n]) {
        Err(e) if e.raw_os_error() == Some(Errno::IO.raw_os_error()) => Ok(false),
        written => written.map(|()| true),
    }
}

fn write_all(to: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Err(Errno::INTR) => {}
            written => bytes = &bytes[written?..],
        }
    }
    Ok(())
}

/// A process that has ended needs neither a signal nor a size.
fn pass_on(process: &Ending<'_>, stdin: &Stdin, number: i32) {
    if number == SIGWINCH {
        resize(process, stdin);
    } else {
        let _ = signal(process.pidfd, number);
    }
}

fn resize(process: &Ending<'_>, stdin: &Stdin) {
    if let (Some(master), Ok(size)) = (process.console, tcgetwinsize(stdin)) {
        let _ = tcsetwinsize(master, size);
    }
}

/// Our own terminal, without a meaning of its own for any key, until this is dropped.
struct RawMode<'a> {
    stdin: &'a Stdin,
    before: Option<Termios>,
}

impl<'a> RawMode<'a> {
    fn set(stdin: &'a Stdin) -> Self {
        let before = isatty(stdin).then(|| tcgetattr(stdin).ok()).flatten();
        if let Some(mut raw) = before.clone() {
            raw.make_raw();
            let _ = tcsetattr(stdin, OptionalActions::Now, &raw);
        }
        Self { stdin, before }
    }
}

impl Drop for RawMode<'_> {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = tcsetattr(self.stdin, OptionalActions::Now, before);
        }
    }
}
