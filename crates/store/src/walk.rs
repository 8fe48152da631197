//! The size of a tree of files, as Docker counts it.

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::collections::HashSet;
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Folders in folders, of which each is open while those in it are looked at. No path that programs use is deeper.
const DEPTH_MAX: usize = 1024;

/// The sizes of all files below `root` in bytes: hard links once, folders not at all, sparse files as long as they are
/// read. Links are not followed and other file systems not entered.
pub(crate) fn size(root: &Path) -> io::Result<u64> {
    let root = rustix::fs::open(root, FOLDER, Mode::empty())?;
    let mut walk = Walk { total: 0, linked: HashSet::new(), device: rustix::fs::fstat(&root)?.st_dev };
    let mut levels = vec![walk.level(root)?];
    while let Some(level) = levels.last_mut() {
        let Some(name) = level.below.pop() else {
            levels.pop();
            continue;
        };
        let Some(folder) = open_below(&level.folder, &name)? else { continue };
        if levels.len() == DEPTH_MAX {
            return Err(io::Error::other("its folders are nested too deep to be measured"));
        }
        levels.push(walk.level(folder)?);
    }
    Ok(walk.total)
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A folder, and the names of those in it that are still to be looked at.
struct Level {
    folder: OwnedFd,
    below: Vec<CString>,
}

struct Walk {
    total: u64,
    /// The inodes that have several names.
    linked: HashSet<u64>,
    device: u64,
}

impl Walk {
    /// Adds up one folder's files.
    fn level(&mut self, folder: OwnedFd) -> io::Result<Level> {
        let mut below = Vec::new();
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if !matches!(name.to_bytes(), b"." | b"..") && self.is_folder(&folder, name)? {
                below.push(name.to_owned());
            }
        }
        Ok(Level { folder, below })
    }

    /// Counts what is under a name, unless it is a folder to be entered.
    fn is_folder(&mut self, folder: &OwnedFd, name: &CStr) -> io::Result<bool> {
        let stat = match rustix::fs::statat(folder.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW) {
            // It went away meanwhile: the container may be running.
            Err(Errno::NOENT) => return Ok(false),
            stat => stat?,
        };
        if stat.st_dev != self.device {
            return Ok(false);
        }
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            return Ok(true);
        }
        if stat.st_nlink < 2 || self.linked.insert(stat.st_ino) {
            self.total = self.total.saturating_add(u64::try_from(stat.st_size).unwrap_or(0));
        }
        Ok(false)
    }
}

/// Opens a folder in another. `None` if it is none any more.
fn open_below(folder: &OwnedFd, name: &CStr) -> io::Result<Option<OwnedFd>> {
    match rustix::fs::openat(folder, name, FOLDER, Mode::empty()) {
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        opened => Ok(Some(opened?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_wide_tree_needs_few_descriptors() {
        let root = tempfile::tempdir().unwrap();
        for i in 0..3000 {
            let folder = root.path().join(format!("{i}/x"));
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("f"), "12").unwrap();
        }
        let open = || fs::read_dir("/proc/self/fd").unwrap().count();
        let before = open();
        let watched = std::thread::scope(|scope| {
            let measured = scope.spawn(|| size(root.path()).unwrap());
            let mut most = 0;
            while !measured.is_finished() {
                most = most.max(open());
            }
            (measured.join().unwrap(), most)
        });
        assert_eq!(watched.0, 6000);
        // Other tests have files open, too.
        assert!(watched.1 < before + 500, "{} {before}", watched.1);
    }

    #[test]
    fn what_is_nested_without_end_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let mut at: OwnedFd = fs::File::open(root.path()).unwrap().into();
        for _ in 0..=DEPTH_MAX {
            rustix::fs::mkdirat(&at, "d", Mode::RWXU).unwrap();
            at = rustix::fs::openat(&at, "d", FOLDER, Mode::empty()).unwrap();
        }
        assert!(size(root.path()).is_err());
    }
}
