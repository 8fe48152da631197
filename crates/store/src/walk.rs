//! The size of a tree of files, as Docker counts it.

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// The sizes of all files below `root` in bytes: hard links once, folders not at all, sparse files as long as they are
/// read. Links are not followed and other file systems not entered.
pub(crate) fn size(root: &Path) -> io::Result<u64> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let root = rustix::fs::open(root, flags, Mode::empty())?;
    let mut walk = Walk { total: 0, linked: HashSet::new(), device: rustix::fs::fstat(&root)?.st_dev };
    let mut open = vec![root];
    while let Some(folder) = open.pop() {
        walk.folder(&folder, &mut open)?;
    }
    Ok(walk.total)
}

struct Walk {
    total: u64,
    /// The inodes that have several names.
    linked: HashSet<u64>,
    device: u64,
}

impl Walk {
    /// Adds up one folder's files, and opens the folders in it.
    fn folder(&mut self, folder: &OwnedFd, open: &mut Vec<OwnedFd>) -> io::Result<()> {
        for entry in Dir::read_from(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let stat = match rustix::fs::statat(folder.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW) {
                // It went away meanwhile: the container may be running.
                Err(rustix::io::Errno::NOENT) => continue,
                stat => stat?,
            };
            if stat.st_dev != self.device {
                continue;
            }
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                match rustix::fs::openat(folder, name, flags, Mode::empty()) {
                    Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => {}
                    opened => open.push(opened?),
                }
            } else if stat.st_nlink < 2 || self.linked.insert(stat.st_ino) {
                self.total = self.total.saturating_add(u64::try_from(stat.st_size).unwrap_or(0));
            }
        }
        Ok(())
    }
}
