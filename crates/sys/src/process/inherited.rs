//! Descriptors that this program was started with and passes on.

use std::io;
use std::os::fd::BorrowedFd;

/// The descriptors 3 to `3 + count - 1`, which the caller of this program has to have left open.
///
/// # Errors
/// EBADF where one is not open.
pub fn inherited(count: u32) -> io::Result<Vec<BorrowedFd<'static>>> {
    (3..3u32.saturating_add(count)).map(one).collect()
}

fn one(number: u32) -> io::Result<BorrowedFd<'static>> {
    let number = i32::try_from(number).map_err(|_| io::Error::from_raw_os_error(libc::EBADF))?;
    // SAFETY: only asks for flags; a number that is not open gives an error.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
    if flags < 0 {
        return Err(io::Error::last_os_error());
    }
    if flags & libc::FD_CLOEXEC != 0 {
        // What this program has opened itself closes at execution: that is not the caller's.
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: it is open, and no owner in this program knows it: it came from outside and is never closed here.
    Ok(unsafe { BorrowedFd::borrow_raw(number) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_inherited_is_an_error() {
        assert!(inherited(0).unwrap().is_empty());
        assert_eq!(inherited(4000).unwrap_err().raw_os_error(), Some(libc::EBADF));
    }
}
