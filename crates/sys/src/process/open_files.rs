//! How many files this program may have open (getrlimit(2)). The soft limit that systemd and login give is 1024, for the
//! sake of programs that use select(2); a daemon with a few descriptors for each container and client soon has more.

use std::io;
use std::sync::OnceLock;

static BEFORE: OnceLock<libc::rlimit> = OnceLock::new();

/// Raises the soft limit to the hard one. What is started with [`super::spawn_detached`] or [`super::clone`] gets the former
/// limit.
///
/// # Errors
/// getrlimit(2), setrlimit(2).
pub fn raise_open_files() -> io::Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes into a live structure.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } < 0 {
        return Err(io::Error::last_os_error());
    }
    if limit.rlim_cur == limit.rlim_max {
        return Ok(());
    }
    let raised = libc::rlimit { rlim_cur: limit.rlim_max, ..limit };
    // SAFETY: the kernel reads a live structure.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raised) } < 0 {
        return Err(io::Error::last_os_error());
    }
    BEFORE.get_or_init(|| limit);
    Ok(())
}

/// The limit from before, if it was raised.
pub(super) fn before_raise() -> Option<libc::rlimit> {
    BEFORE.get().copied()
}

/// In a child: the limit from before. What is open above it stays open.
pub(super) fn lower_again() {
    if let Some(limit) = before_raise() {
        // SAFETY: the kernel reads a live structure. A limit that was in force is allowed, so it cannot fail.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{Ended, Namespaces, clone, spawn_detached, wait};
    use std::fs::File;
    use std::os::fd::AsFd;

    #[test]
    fn only_this_program_has_more() {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let hard = getrlimit(Resource::Nofile).maximum;
        setrlimit(Resource::Nofile, Rlimit { current: Some(777), maximum: hard }).unwrap();
        raise_open_files().unwrap();
        assert_eq!(getrlimit(Resource::Nofile).current, hard);
        raise_open_files().unwrap();
        let shell = File::open("/bin/sh").unwrap();
        let argv = ["sh", "-c", "test $(ulimit -Sn) = 777"].map(|word| std::ffi::CString::new(word).unwrap());
        let (_, pidfd) = spawn_detached(shell.as_fd(), &argv, &[], &[], None).unwrap();
        assert_eq!(wait(&pidfd).unwrap(), Ended::Code(0));
        let child = clone(Namespaces::empty(), None, &[], || {
            i32::from(getrlimit(Resource::Nofile).current != Some(777))
        });
        assert_eq!(wait(&child.unwrap().pidfd).unwrap(), Ended::Code(0));
    }
}
