//! A process that compresses an older file of the log, while the monitor goes on. It reads and writes what it is given, knows
//! no name, and its work counts only once the monitor gives the result its name: so it may die, or outlive the monitor.

use rustix::process::nice;
use sampan_logs::log::pack;
use sampan_sys::process::{Ended, spawn_detached, try_wait};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// The word by which the program knows that it is one.
pub const PACK_LOG: &str = "pack-log";
/// The least share of the processor.
const NICE: i32 = 19;

/// One that is at work.
#[derive(Debug)]
pub(crate) struct Packer(OwnedFd);

impl Packer {
    /// Starts one: from `source` into `target`.
    pub(crate) fn start(source: File, target: File) -> io::Result<Self> {
        let own = File::open("/proc/self/exe")?;
        let null = File::options().write(true).open("/dev/null")?;
        let words = [c"sampan-runtime".to_owned(), std::ffi::CString::new(PACK_LOG)?];
        let fds = [(source.into(), 0), (target.into(), 1), (null.into(), 2)];
        Ok(Self(spawn_detached(own.as_fd(), &words, &[], &fds, None)?.1))
    }

    /// Becomes readable when it has ended.
    pub(crate) fn pidfd(&self) -> &OwnedFd {
        &self.0
    }

    /// Whether it has ended well; `None` if it has not ended.
    pub(crate) fn ended(&self) -> Option<bool> {
        match try_wait(&self.0) {
            Ok(None) => None,
            Ok(Some(how)) => Some(how == Ended::Code(0)),
            Err(_) => Some(false),
        }
    }
}

/// Its whole life: compresses standard input into standard output.
///
/// # Errors
/// Those of reading and writing.
pub fn pack_log() -> io::Result<()> {
    // With the usual share it would do as well.
    let _ = nice(NICE);
    let file = |fd: std::os::fd::BorrowedFd<'_>| fd.try_clone_to_owned().map(File::from);
    pack(&mut file(io::stdin().as_fd())?, &mut file(io::stdout().as_fd())?)
}
