//! Programs in memory that nobody can change (memfd_create(2), "Seals").
//!
//! A container's first process is executed from such a copy, so that it never holds the host's file of the runtime.

use rustix::fs::{MemfdFlags, SealFlags};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

/// A sealed, executable copy of the file at `path`, close-on-exec.
///
/// # Errors
/// Those of opening and reading the file, of memfd_create(2) and of writing.
pub fn sealed_copy(path: &Path) -> io::Result<OwnedFd> {
    let mut source = File::open(path)?;
    let mut copy = File::from(executable()?);
    io::copy(&mut source, &mut copy)?;
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    rustix::fs::fcntl_add_seals(&copy, seals)?;
    Ok(copy.into())
}

/// Whether the file is a copy that [`sealed_copy`] made.
///
/// # Errors
/// Those of opening the file.
pub fn is_sealed(path: &Path) -> io::Result<bool> {
    let seals = rustix::fs::fcntl_get_seals(File::open(path)?);
    Ok(seals.is_ok_and(|s| s.contains(SealFlags::WRITE)))
}

/// Kernels before 6.3 do not know `MFD_EXEC` and make every memfd executable.
fn executable() -> io::Result<OwnedFd> {
    const NAME: &str = "sampan-runtime";
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match rustix::fs::memfd_create(NAME, flags | MemfdFlags::EXEC) {
        Err(rustix::io::Errno::INVAL) => Ok(rustix::fs::memfd_create(NAME, flags)?),
        made => Ok(made?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_copy_is_equal_and_cannot_be_written() {
        let copy = File::from(sealed_copy(Path::new("/proc/self/exe")).unwrap());
        let length = std::fs::metadata("/proc/self/exe").unwrap().len();
        assert_eq!(copy.metadata().unwrap().len(), length);
        assert!((&copy).write_all(b"x").is_err());
        assert!(copy.set_len(0).is_err());
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&copy));
        assert!(is_sealed(Path::new(&path)).unwrap());
        assert!(!is_sealed(Path::new("/proc/self/exe")).unwrap());
    }
}
