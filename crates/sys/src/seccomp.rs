//! Loading of system call filters (seccomp(2)). The programs are made elsewhere.

use std::io;

/// One instruction of classic BPF (`struct sock_filter`).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// What.
    pub code: u16,
    /// How many instructions to skip if it holds.
    pub jump_true: u8,
    /// How many instructions to skip if not.
    pub jump_false: u8,
    /// The constant.
    pub constant: u32,
}

/// The kernel takes no longer program (`BPF_MAXINSNS`).
pub const LENGTH_MAX: usize = 4096;

/// Puts the calling thread under a filter, for ever. Needs CAP_SYS_ADMIN or no_new_privs. `flags` are
/// `SECCOMP_FILTER_FLAG_*`.
///
/// # Errors
/// Those of seccomp(2); EINVAL for a program that is too long.
pub fn load(program: &[Instruction], flags: u32) -> io::Result<()> {
    let length = u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // The kernel only reads it.
    let filter = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut().cast() };
    // SAFETY: `filter` refers to `length` live instructions in the kernel's layout.
    let result =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const filter) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
