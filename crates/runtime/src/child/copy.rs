//! The content of a folder, copied into a file system that covers it (`tmpcopyup`). Both are open: no path is followed.

use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, Stat, Uid, chmodat, chownat, mkdirat, mknodat, openat,
    readlinkat, statat, symlinkat,
};
use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// Copies all that is in `from`, and its permissions, to `to`.
pub(super) fn content(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<()> {
    for entry in Dir::read_from(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            one(from, to, name)?;
        }
    }
    Ok(())
}

fn one(from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    let status = statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let open = OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match FileType::from_raw_mode(status.st_mode) {
        FileType::Directory => {
            mkdirat(to, name, Mode::RWXU)?;
            let [source, target] =
                [from, to].map(|at| openat(at, name, open | OFlags::DIRECTORY, Mode::empty()));
            content(source?.as_fd(), target?.as_fd())?;
        }
        FileType::Symlink => symlinkat(readlinkat(from, name, Vec::new())?, to, name)?,
        FileType::RegularFile => {
            let mut source = File::from(openat(from, name, open, Mode::empty())?);
            let new = open | OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY;
            io::copy(&mut source, &mut File::from(openat(to, name, new, Mode::RUSR)?))?;
        }
        kind => mknodat(to, name, kind, Mode::RUSR, status.st_rdev)?,
    }
    same_owner(to, name, &status)
}

fn same_owner(folder: BorrowedFd<'_>, name: &CStr, of: &Stat) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(of.st_uid), Gid::from_raw(of.st_gid));
    chownat(folder, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(of.st_mode) != FileType::Symlink {
        chmodat(folder, name, Mode::from_raw_mode(of.st_mode), AtFlags::empty())?;
    }
    Ok(())
}
