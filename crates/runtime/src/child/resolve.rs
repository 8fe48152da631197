//! Paths in the container's root, resolved there whatever symbolic links say.

use rustix::fs::{Mode, OFlags, ResolveFlags, mkdirat, openat2, readlinkat};
use rustix::io::{Errno, Result};
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

/// How many symbolic links a path may lead through.
const LINKS_MAX: u32 = 40;
const FOLDER_MODE: Mode = Mode::from_raw_mode(0o755);

/// Opens a path as a place (`O_PATH`).
pub(super) fn place(root: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd> {
    open(root, path, OFlags::PATH)
}

/// Opens a path below the root with these flags; `..` and links do not leave the root, magic links are refused.
pub(super) fn open(root: BorrowedFd<'_>, path: &Path, flags: OFlags) -> Result<OwnedFd> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    loop {
        match openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
            // Something was renamed meanwhile (openat2(2)).
            Err(Errno::AGAIN) => {}
            opened => return opened,
        }
    }
}

/// The place of a path; what is missing of it is made, the last part as a folder or an empty file.
pub(super) fn make_place(root: BorrowedFd<'_>, path: &Path, as_folder: bool) -> Result<OwnedFd> {
    match place(root, path) {
        Err(Errno::NOENT) => {}
        found => return found,
    }
    if let Some(made) = make_last(root, path, as_folder) {
        return Ok(made);
    }
    let mut walk = Walk { root, here: PathBuf::from("/"), links: 0 };
    let mut todo = parts(path);
    while let Some(part) = todo.pop_front() {
        let last = todo.is_empty();
        if let Some(target) = walk.step(&part, as_folder || !last)? {
            target.into_iter().rev().for_each(|part| todo.push_front(part));
        }
    }
    place(root, &walk.here)
}

/// The common case: only the last part is missing, and no link leads to it.
fn make_last(root: BorrowedFd<'_>, path: &Path, as_folder: bool) -> Option<OwnedFd> {
    let parent = place(root, path.parent()?).ok()?;
    let name = Path::new(path.file_name()?);
    make_in(&parent, name, as_folder).ok()?;
    open(parent.as_fd(), name, OFlags::PATH | OFlags::NOFOLLOW).ok()
}

/// Makes a folder or an empty file; it must not exist.
fn make_in(folder: &OwnedFd, name: &Path, as_folder: bool) -> Result<()> {
    if as_folder {
        return mkdirat(folder, name, FOLDER_MODE);
    }
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    rustix::fs::openat(folder, name, flags, FOLDER_MODE).map(drop)
}

/// The folder that a new node goes into, made if it is missing, and the node's name.
pub(super) fn make_parent<'a>(
    root: BorrowedFd<'_>,
    path: &'a Path,
) -> Result<(OwnedFd, &'a std::ffi::OsStr)> {
    let name = path.file_name().ok_or(Errno::INVAL)?;
    let parent = make_place(root, path.parent().unwrap_or(Path::new("/")), true)?;
    Ok((parent, name))
}

/// A walk from the root, one part at a time. `here` has no symbolic link in it when it is made; should another process
/// put one in, the kernel still keeps it below the root.
struct Walk<'a> {
    root: BorrowedFd<'a>,
    here: PathBuf,
    links: u32,
}

impl Walk<'_> {
    /// Goes into a part, makes it if it is missing. A symbolic link gives the parts to go instead.
    fn step(&mut self, part: &Path, as_folder: bool) -> Result<Option<VecDeque<PathBuf>>> {
        if part == Path::new("..") {
            self.here.pop();
            return Ok(None);
        }
        let next = self.here.join(part);
        match open(self.root, &next, OFlags::PATH | OFlags::NOFOLLOW) {
            Err(Errno::NOENT) => self.make(part, as_folder)?,
            Err(e) => return Err(e),
            Ok(found) => {
                let status = rustix::fs::fstat(&found)?;
                if rustix::fs::FileType::from_raw_mode(status.st_mode) == rustix::fs::FileType::Symlink {
                    return self.follow(&found).map(Some);
                }
            }
        }
        self.here = next;
        Ok(None)
    }

    fn make(&self, part: &Path, as_folder: bool) -> Result<()> {
        match make_in(&place(self.root, &self.here)?, part, as_folder) {
            Err(Errno::EXIST) | Ok(()) => Ok(()),
            Err(e) => Err(e),
        }
    }

    fn follow(&mut self, link: &OwnedFd) -> Result<VecDeque<PathBuf>> {
        use std::os::unix::ffi::OsStrExt;
        self.links += 1;
        if self.links > LINKS_MAX {
            return Err(Errno::LOOP);
        }
        let target = readlinkat(link, "", Vec::new())?;
        let target = Path::new(std::ffi::OsStr::from_bytes(target.as_bytes()));
        if target.is_absolute() {
            self.here = PathBuf::from("/");
        }
        Ok(parts(target))
    }
}

fn parts(path: &Path) -> VecDeque<PathBuf> {
    let wanted = path.components().filter(|c| matches!(c, Component::Normal(_) | Component::ParentDir));
    wanted.map(|c| PathBuf::from(c.as_os_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn check(path: &str, as_folder: bool, made: Option<&str>) {
        let outer = tempfile::tempdir().unwrap();
        let top = outer.path().join("root");
        fs::create_dir_all(top.join("a/b")).unwrap();
        symlink("/run/x", top.join("dangling")).unwrap();
        symlink("../../../out", top.join("a/up")).unwrap();
        symlink("b", top.join("a/near")).unwrap();
        symlink("loop", top.join("loop")).unwrap();
        fs::write(top.join("file"), "").unwrap();
        let root = fs::File::open(&top).unwrap();
        let got = make_place(root.as_fd(), Path::new(path), as_folder);
        match made {
            Some(made) => {
                let is_folder = rustix::fs::fstat(got.unwrap()).unwrap().st_mode & 0o170_000 == 0o040_000;
                assert_eq!(is_folder, as_folder, "{path}");
                assert!(top.join(made).exists(), "{path}");
            }
            None => assert!(got.is_err(), "{path}"),
        }
        let outside: Vec<_> = fs::read_dir(outer.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(outside, ["root"], "{path}");
    }

    #[test]
    fn missing_parts_are_made_inside() {
        check("/a/b", true, Some("a/b"));
        check("/x/y/z", true, Some("x/y/z"));
        check("/x/y/z", false, Some("x/y/z"));
        check("/dangling/y", true, Some("run/x/y"));
        check("/dangling", false, Some("run/x"));
        check("/a/up/z", true, Some("out/z"));
        check("/a/near/z", false, Some("a/b/z"));
        check("/../../q", true, Some("q"));
        check("/loop/z", true, None);
        check("/file/z", true, None);
    }
}
