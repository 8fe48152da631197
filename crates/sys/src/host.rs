//! Small things of the calling process: its session keyring, its personality, its loopback interface.

use std::ffi::CStr;
use std::io;
use std::os::fd::AsRawFd;

/// Gives the calling thread a new session keyring of this name (keyctl(2), `KEYCTL_JOIN_SESSION_KEYRING`).
///
/// # Errors
/// ENOSYS on a kernel without keys; EDQUOT; EPERM.
pub fn new_session_keyring(name: &CStr) -> io::Result<()> {
    const JOIN_SESSION_KEYRING: libc::c_int = 1;
    // SAFETY: the name is a C string that outlives the call.
    let result = unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, name.as_ptr()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Makes `uname` say that this is a 32-bit machine, here and in all that is executed from here (personality(2)).
///
/// # Errors
/// Those of personality(2).
pub fn set_personality_32() -> io::Result<()> {
    const PER_LINUX32: libc::c_ulong = 8;
    // SAFETY: no memory is touched.
    let result = unsafe { libc::personality(PER_LINUX32) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Raises `lo` in the calling thread's network name space (netdevice(7)).
///
/// # Errors
/// Those of socket(2) and `SIOCSIFFLAGS`.
pub fn raise_loopback() -> io::Result<()> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    // SAFETY: all zeros is a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: `request` is a live ifreq with a NUL-terminated name.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
