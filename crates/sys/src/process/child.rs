//! A child that runs our own code in new name spaces (clone3(2), setns(2), unshare(2), execve(2)).

use bitflags::bitflags;
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

bitflags! {
    /// Kinds of name spaces (namespaces(7)), with the values of `CLONE_NEW*`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct Namespaces: u32 {
        /// Mounts.
        const MOUNT = libc::CLONE_NEWNS as u32;
        /// Control groups.
        const CGROUP = libc::CLONE_NEWCGROUP as u32;
        /// Host and domain name.
        const UTS = libc::CLONE_NEWUTS as u32;
        /// System V IPC and POSIX message queues.
        const IPC = libc::CLONE_NEWIPC as u32;
        /// Users and capabilities.
        const USER = libc::CLONE_NEWUSER as u32;
        /// Process ids.
        const PID = libc::CLONE_NEWPID as u32;
        /// Network.
        const NETWORK = libc::CLONE_NEWNET as u32;
        /// Clocks that count from the boot. Only children are born into a new one, or who joins it.
        const TIME = 0x80;
    }
}

/// A cloned process. It is not ended or waited for when this is dropped.
#[derive(Debug)]
pub struct Child {
    /// Its pid in the caller's pid name space.
    pub pid: i32,
    /// Its descriptor, close-on-exec.
    pub pidfd: OwnedFd,
}

/// `libc` declares it too narrow.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
/// The exit code of a child whose code panicked.
const PANICKED: i32 = 125;

/// Runs `body` in a copy of this process in new name spaces, on cgroup v2 within `cgroup` from its first moment
/// (`CLONE_INTO_CGROUP`). Of the descriptors above 2 the child keeps those in `keep`. It ends with the code that `body`
/// returns; nothing of the caller's stack is unwound.
///
/// The caller must have one thread only: in a copy of a threaded process `body` could wait for ever for a lock that
/// another thread held.
///
/// # Errors
/// Those of clone3(2).
pub fn clone(
    namespaces: Namespaces,
    cgroup: Option<BorrowedFd<'_>>,
    keep: &[BorrowedFd<'_>],
    body: impl FnOnce() -> i32,
) -> io::Result<Child> {
    let mut pidfd: libc::c_int = -1;
    let pid = raw_clone(namespaces, cgroup, &mut pidfd)?;
    if pid == 0 {
        close_others(keep);
        super::open_files::lower_again();
        let code = catch_unwind(AssertUnwindSafe(body)).unwrap_or(PANICKED);
        leave(code);
    }
    // SAFETY: with CLONE_PIDFD the kernel has stored a new descriptor that nobody else knows.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Child { pid, pidfd })
}

/// Closes all descriptors above 2 but these. The child never runs the destructors of what owned them.
fn close_others(keep: &[BorrowedFd<'_>]) {
    let mut kept: Vec<u32> = keep.iter().filter_map(|fd| u32::try_from(fd.as_raw_fd()).ok()).collect();
    kept.sort_unstable();
    let mut first = 3;
    for fd in kept.into_iter().filter(|fd| *fd > 2) {
        close_range(first, fd.wrapping_sub(1));
        first = fd + 1;
    }
    close_range(first, u32::MAX);
}

fn close_range(first: u32, last: u32) {
    if first <= last {
        // SAFETY: called in a new child only, whose copies of the owners are never dropped or used.
        unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    }
}

/// The bare system call: 0 in the child.
pub(super) fn raw_clone(
    namespaces: Namespaces,
    cgroup: Option<BorrowedFd<'_>>,
    pidfd: &mut libc::c_int,
) -> io::Result<i32> {
    // SAFETY: all zeros is a valid clone_args.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = u64::from(namespaces.bits()) | libc::CLONE_PIDFD as u64;
    args.exit_signal = libc::SIGCHLD as u64;
    args.pidfd = std::ptr::from_mut(pidfd) as u64;
    if let Some(cgroup) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
    }
    // SAFETY: without CLONE_VM the child has its own copy of memory and stack and returns from here like after fork(2);
    // `args` and `pidfd` live until the call returns.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of::<libc::clone_args>()) };
    match pid {
        0.. => Ok(pid as i32),
        _ => match io::Error::last_os_error() {
            error if error.raw_os_error() == Some(libc::ENOSYS) && cgroup.is_none() => {
                old_clone(namespaces, pidfd)
            }
            error => Err(error),
        },
    }
}

/// clone(2), where a filter of system calls hides clone3(2) because it cannot look into its arguments.
fn old_clone(namespaces: Namespaces, pidfd: &mut libc::c_int) -> io::Result<i32> {
    let flags = libc::c_ulong::from(namespaces.bits())
        | libc::CLONE_PIDFD as libc::c_ulong
        | libc::SIGCHLD as libc::c_ulong;
    // SAFETY: as with clone3(2): a stack of 0 is a copy of the caller's. The third argument takes the descriptor.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, std::ptr::from_mut(pidfd), 0, 0) };
    if pid < 0 { Err(io::Error::last_os_error()) } else { Ok(pid as i32) }
}

/// Ends this process at once: no destructors, no exit handlers.
pub fn leave(code: i32) -> ! {
    // SAFETY: _exit(2) has no preconditions.
    unsafe { libc::_exit(code) }
}

/// Moves this process into the name space `fd` (`/proc/PID/ns/...`), which must be of one of these kinds; or, where
/// `fd` is a pidfd, into all of these kinds of that process. A pid name space is entered by children only.
///
/// # Errors
/// Those of setns(2).
pub fn join(fd: impl AsFd, kinds: Namespaces) -> io::Result<()> {
    // SAFETY: no memory is touched.
    let result = unsafe { libc::setns(fd.as_fd().as_raw_fd(), kinds.bits() as i32) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Gives this process new name spaces of these kinds.
///
/// # Errors
/// Those of unshare(2).
pub fn unshare(kinds: Namespaces) -> io::Result<()> {
    // SAFETY: only CLONE_NEW* bits can be in `kinds`; neither descriptors nor memory stop being shared.
    let result = unsafe { libc::unshare(kinds.bits() as i32) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Lets all signals through with their default action, as a new program expects it.
pub fn reset_signals() {
    for number in 1..=64 {
        // SAFETY: SIG_DFL refers to no code of ours. Numbers that cannot be changed give an error that changes nothing.
        unsafe { libc::signal(number, libc::SIG_DFL) };
    }
    // SAFETY: an empty set on the stack, and no old set asked for.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Marks all descriptors from `first` on close-on-exec (close_range(2)).
///
/// # Errors
/// Those of close_range(2).
pub fn close_on_exec_from(first: u32) -> io::Result<()> {
    // SAFETY: no descriptor is closed, only flags change.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Replaces this process's program by the one at `path`. Returns only if that failed.
pub fn execute(path: &CStr, args: &[CString], env: &[CString]) -> io::Error {
    let args = pointers(args);
    let env = pointers(env);
    // SAFETY: both arrays end with a null pointer and their strings outlive the call.
    unsafe { libc::execve(path.as_ptr(), args.as_ptr(), env.as_ptr()) };
    io::Error::last_os_error()
}

/// The strings' addresses, and a null pointer.
pub(super) fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|s| s.as_ptr()).chain([std::ptr::null()]).collect()
}
