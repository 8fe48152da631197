//! Signals as a descriptor (signalfd(2)), for programs with one thread that wait in poll(2).

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

/// Blocks these signals for the calling thread and gives a descriptor that becomes readable when one arrives.
/// Non-blocking, close-on-exec. A program that is executed inherits the mask: [`crate::process::spawn_detached`] resets it.
///
/// # Errors
/// Those of sigprocmask(2) and signalfd(2); EINVAL for a number that is no signal.
pub fn descriptor(signals: &[i32]) -> io::Result<OwnedFd> {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset initialises the set; sigaddset only changes it.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            if libc::sigaddset(set.as_mut_ptr(), *signal) != 0 {
                return Err(io::Error::last_os_error());
            }
        }
    }
    // SAFETY: initialised above.
    let set = unsafe { set.assume_init() };
    // SAFETY: the set is valid, the old one is not asked for.
    let errno = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
    if errno != 0 {
        return Err(io::Error::from_raw_os_error(errno));
    }
    // SAFETY: -1 asks for a new descriptor; the set is valid.
    let fd = unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Takes the next signal that arrived; `None` if there is none.
///
/// # Errors
/// Those of read(2).
pub fn next(descriptor: impl AsFd) -> io::Result<Option<i32>> {
    let mut info = MaybeUninit::<libc::signalfd_siginfo>::zeroed();
    let size = size_of::<libc::signalfd_siginfo>();
    // SAFETY: the buffer has this size and is writable.
    let count = unsafe { libc::read(descriptor.as_fd().as_raw_fd(), info.as_mut_ptr().cast(), size) };
    if count < 0 {
        let error = io::Error::last_os_error();
        return if error.kind() == io::ErrorKind::WouldBlock { Ok(None) } else { Err(error) };
    }
    // SAFETY: zeroed at first, and the kernel writes whole records.
    let info = unsafe { info.assume_init() };
    Ok(i32::try_from(info.ssi_signo).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_arrives_once() {
        // In a thread of its own: the mask is the thread's, and the signal is sent to that thread alone.
        std::thread::spawn(|| {
            let fd = descriptor(&[libc::SIGUSR2]).unwrap();
            assert_eq!(next(&fd).unwrap(), None);
            // SAFETY: sends a blocked signal to this very thread.
            unsafe { libc::pthread_kill(libc::pthread_self(), libc::SIGUSR2) };
            assert_eq!(next(&fd).unwrap(), Some(libc::SIGUSR2));
            assert_eq!(next(&fd).unwrap(), None);
        })
        .join()
        .unwrap();
        assert!(descriptor(&[12345]).is_err());
    }
}
