//! Standard streams of a process, and the terminal of the container's own devpts (pty(7), devpts in
//! Documentation/filesystems).

use super::{attach, resolve};
use crate::failure::{OrFail, failure, stage};
use rustix::fs::{CWD, Mode, OFlags, fstatfs};
use rustix::mount::{OpenTreeFlags, open_tree};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use sampan_spec::journal::Failure;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// What becomes descriptors 0, 1 and 2.
#[derive(Debug)]
pub(crate) struct Standard {
    pub(crate) streams: [OwnedFd; 3],
    /// The terminal's other end, to be sent to the parent.
    pub(crate) master: Option<OwnedFd>,
    pub(crate) is_terminal: bool,
}

const DEVPTS_MAGIC: i64 = 0x1cd1;
/// Copies get numbers above the standard ones.
const ABOVE_STANDARD: i32 = 3;

impl Standard {
    /// Copies of descriptors of the caller.
    pub(crate) fn copies(
        stdin: BorrowedFd<'_>,
        stdout: BorrowedFd<'_>,
        stderr: BorrowedFd<'_>,
    ) -> Result<Self, Failure> {
        Ok(Self { streams: [copy(stdin)?, copy(stdout)?, copy(stderr)?], master: None, is_terminal: false })
    }

    /// Makes them the descriptors 0, 1 and 2.
    pub(super) fn place(&self) -> rustix::io::Result<()> {
        let [stdin, stdout, stderr] = &self.streams;
        rustix::stdio::dup2_stdin(stdin)?;
        rustix::stdio::dup2_stdout(stdout)?;
        rustix::stdio::dup2_stderr(stderr)
    }
}

fn copy(fd: BorrowedFd<'_>) -> Result<OwnedFd, Failure> {
    rustix::io::fcntl_dupfd_cloexec(fd, ABOVE_STANDARD).or_fail(stage::TERMINAL, || "copy a standard stream")
}

/// Opens a new terminal; the caller must be inside the container.
///
/// # Errors
/// A failure of step `terminal`, also where `/dev/pts` is not a devpts.
pub(crate) fn open(size: Option<(u16, u16)>) -> Result<Standard, Failure> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let master = rustix::fs::openat(CWD, "/dev/pts/ptmx", flags, Mode::empty())
        .or_fail(stage::TERMINAL, || "open /dev/pts/ptmx")?;
    let kind = fstatfs(&master).or_fail(stage::TERMINAL, || "statfs /dev/pts/ptmx")?.f_type;
    if kind != DEVPTS_MAGIC {
        return Err(failure(stage::TERMINAL, "/dev/pts is not a devpts file system"));
    }
    unlockpt(&master).or_fail(stage::TERMINAL, || "unlock the terminal")?;
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let terminal = ioctl_tiocgptpeer(&master, flags).or_fail(stage::TERMINAL, || "open the terminal")?;
    if let Some((rows, columns)) = size {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).or_fail(stage::TERMINAL, || "set the terminal's size")?;
    }
    let fd = terminal.as_fd();
    let streams = [copy(fd)?, copy(fd)?, copy(fd)?];
    Ok(Standard { streams, master: Some(master), is_terminal: true })
}

/// Shows the terminal as `/dev/console`; the caller must have pivoted.
///
/// # Errors
/// A failure of step `terminal`.
pub(crate) fn show_as_console(standard: &Standard) -> Result<(), Failure> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::openat(CWD, "/", flags, Mode::empty()).or_fail(stage::TERMINAL, || "open /")?;
    let console = resolve::make_place(root.as_fd(), Path::new("/dev/console"), false)
        .or_fail(stage::TERMINAL, || "make /dev/console")?;
    let flags =
        OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::AT_EMPTY_PATH;
    let [terminal, ..] = &standard.streams;
    let copy = open_tree(terminal, "", flags).or_fail(stage::TERMINAL, || "copy the terminal's mount")?;
    attach::put_on(&console, &copy).or_fail(stage::TERMINAL, || "mount /dev/console")
}
