//! Processes that cannot be mistaken for another: pidfd_open(2), pidfd_send_signal(2), waitid(2) with `P_PIDFD`.

use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl Ended {
    /// As a shell says it: the exit code, or 128 and the signal's number.
    pub const fn shell_code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal,
        }
    }
}

/// A descriptor of the process `pid`, close-on-exec.
///
/// # Errors
/// ESRCH if there is none.
pub fn pidfd_open(pid: i32) -> io::Result<OwnedFd> {
    let pid = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(rustix::process::pidfd_open(pid, PidfdFlags::empty())?)
}

/// Sends a signal by number; 0 only asks whether the process is there.
///
/// # Errors
/// ESRCH if it has ended and was waited for, EPERM, EINVAL.
pub fn signal(pidfd: impl AsFd, number: i32) -> io::Result<()> {
    // SAFETY: the third argument may be null (pidfd_send_signal(2)); no memory is touched.
    let result = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_fd().as_raw_fd(),
            number,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Waits for a child's end and takes it from the process table.
///
/// # Errors
/// ECHILD if it is not a child of this process.
pub fn wait(pidfd: impl AsFd) -> io::Result<Ended> {
    loop {
        match wait_with(&pidfd, WaitIdOptions::EXITED) {
            Ok(Some(ended)) => return Ok(ended),
            Ok(None) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// As [`wait`], but `None` while it runs.
///
/// # Errors
/// As [`wait`].
pub fn try_wait(pidfd: impl AsFd) -> io::Result<Option<Ended>> {
    wait_with(pidfd, WaitIdOptions::EXITED | WaitIdOptions::NOHANG)
}

fn wait_with(pidfd: impl AsFd, options: WaitIdOptions) -> io::Result<Option<Ended>> {
    let status = rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), options)?;
    Ok(status.and_then(|s| s.exit_status().map(Ended::Code).or(s.terminating_signal().map(Ended::Signal))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_child_is_signalled_and_waited_for() {
        let child =
            Command::new("/bin/sh").args(["-c", "read x"]).stdin(std::process::Stdio::piped()).spawn();
        let pidfd = pidfd_open(child.as_ref().unwrap().id() as i32).unwrap();
        assert_eq!(try_wait(&pidfd).unwrap(), None);
        signal(&pidfd, 0).unwrap();
        signal(&pidfd, 9).unwrap();
        assert_eq!(wait(&pidfd).unwrap(), Ended::Signal(9));
        assert_eq!(signal(&pidfd, 9).unwrap_err().raw_os_error(), Some(libc::ESRCH));
        assert_eq!(wait(&pidfd).unwrap_err().raw_os_error(), Some(libc::ECHILD));
    }

    #[test]
    fn exit_codes_and_signals_as_a_shell_says_them() {
        assert_eq!(Ended::Code(3).shell_code(), 3);
        assert_eq!(Ended::Signal(9).shell_code(), 137);
    }
}
