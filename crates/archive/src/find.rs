//! Finding what a path means inside a root: the folder that it is in, resolved, and its name there.

use crate::Error;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// How often resolving is tried again when something is renamed meanwhile (openat2(2), EAGAIN).
const ATTEMPTS: usize = 32;
/// Links are followed this often, as in the kernel.
const LINKS_MAX: usize = 40;
const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// What a path means.
#[derive(Debug)]
pub struct Found {
    /// The folder that it is in, or the folder itself.
    pub(crate) folder: OwnedFd,
    /// Its name there; `.` for the folder itself.
    pub(crate) base: Vec<u8>,
    /// What it is called in an archive.
    pub name: Vec<u8>,
    path: String,
}

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathStat {
    /// Its name, as an archive has it.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// `st_mode`.
    pub mode: u32,
    /// When it was changed: seconds since 1970 and nanoseconds.
    pub mtime: (i64, u32),
    /// Where a link leads in the end; empty for anything else.
    pub link_target: String,
}

/// Finds a path below a root. The last part is not followed, unless a slash or `/.` behind it says that it is a folder.
///
/// # Errors
/// [`Error::NotFound`], [`Error::NotFolder`], [`Error::Read`].
pub fn find(root: BorrowedFd<'_>, path: &str) -> Result<Found, Error> {
    let clean = clean(path);
    let is_dot = path == "." || path.ends_with("/.");
    let name = match clean.rsplit('/').next() {
        _ if is_dot => ".",
        Some("") | None => "/",
        Some(last) => last,
    };
    let found = |folder, base: &str| Found {
        folder,
        base: base.as_bytes().to_vec(),
        name: name.as_bytes().to_vec(),
        path: path.to_owned(),
    };
    if is_dot || path.ends_with('/') || clean == "/" {
        return Ok(found(open(root, &clean, FOLDER).map_err(|e| failed(path, e))?, "."));
    }
    let (parent, base) = clean.rsplit_once('/').unwrap_or(("", &clean));
    let folder = open(root, parent, FOLDER).map_err(|e| failed(path, e))?;
    let found = found(folder, base);
    found.stat().map(|_| found)
}

/// What is at a path below a root.
///
/// # Errors
/// As [`find`].
pub fn stat(root: BorrowedFd<'_>, path: &str) -> Result<PathStat, Error> {
    find(root, path)?.describe(root)
}

impl Found {
    /// What is there.
    ///
    /// # Errors
    /// As [`find`].
    pub fn describe(&self, root: BorrowedFd<'_>) -> Result<PathStat, Error> {
        let stat = self.stat()?;
        let is_link = FileType::from_raw_mode(stat.st_mode) == FileType::Symlink;
        let link_target = if is_link {
            follow(root, &clean(&self.path)).map_err(|e| failed(&self.path, e))?
        } else {
            String::new()
        };
        Ok(PathStat {
            name: crate::lossy(&self.name),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            mode: stat.st_mode,
            mtime: (stat.st_mtime, stat.st_mtime_nsec as u32),
            link_target,
        })
    }

    fn stat(&self) -> Result<Stat, Error> {
        rustix::fs::statat(&self.folder, &self.base[..], AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|e| failed(&self.path, e))
    }
}

/// Opens a path below a root, which links on the way cannot leave.
pub(crate) fn open(root: BorrowedFd<'_>, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    open_with(root, path.as_bytes(), flags, ResolveFlags::IN_ROOT)
}

pub(crate) fn open_with(
    root: BorrowedFd<'_>,
    path: &[u8],
    flags: OFlags,
    resolve: ResolveFlags,
) -> Result<OwnedFd, Errno> {
    let path: &[u8] = if path.is_empty() { b"." } else { path };
    let resolve = resolve | ResolveFlags::NO_MAGICLINKS;
    let mut last = Errno::AGAIN;
    for _ in 0..ATTEMPTS {
        match rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) => last = Errno::AGAIN,
            result => return result,
        }
    }
    Err(last)
}

fn failed(path: &str, errno: Errno) -> Error {
    let path = path.to_owned();
    match errno {
        Errno::NOENT => Error::NotFound { path },
        Errno::NOTDIR => Error::NotFolder { path },
        other => Error::Read { path, source: other.into() },
    }
}

/// An absolute path without `.`, `..` and double slashes, by its words alone.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// The absolute path inside the root that a link leads to in the end. What is not there is taken as it is.
fn follow(root: BorrowedFd<'_>, path: &str) -> Result<String, Errno> {
    let parts = |text: &str| -> Vec<String> {
        text.split('/').filter(|p| !matches!(*p, "" | ".")).rev().map(str::to_owned).collect()
    };
    let mut rest = parts(path);
    let mut at: Vec<String> = Vec::new();
    let mut links = 0;
    while let Some(part) = rest.pop() {
        if part == ".." {
            at.pop();
            continue;
        }
        at.push(part);
        let flags = OFlags::PATH | OFlags::NOFOLLOW;
        let Ok(opened) = open(root, &at.join("/"), flags) else { continue };
        let Ok(target) = rustix::fs::readlinkat(opened.as_fd(), "", Vec::new()) else { continue };
        links += 1;
        if links > LINKS_MAX {
            return Err(Errno::LOOP);
        }
        let target = target.to_string_lossy().into_owned();
        at.pop();
        if target.starts_with('/') {
            at.clear();
        }
        rest.extend(parts(&target));
    }
    Ok(format!("/{}", at.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn paths_mean_what_docker_takes_them_for() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        fs::create_dir_all(at("a/b")).unwrap();
        fs::write(at("a/f"), "1").unwrap();
        symlink("/a", at("la")).unwrap();
        symlink("../f", at("a/b/sym")).unwrap();
        symlink("/../../../nope", at("out")).unwrap();
        symlink("loop", at("loop")).unwrap();
        let fd = fs::File::open(root.path()).unwrap();
        for (path, want) in [
            ("/a", Some(("a", ""))),
            ("/a/", Some(("a", ""))),
            ("/a/.", Some((".", ""))),
            ("a/b/../f", Some(("f", ""))),
            ("/la", Some(("la", "/a"))),
            ("/la/", Some(("la", ""))),
            ("/la/b/sym", Some(("sym", "/a/f"))),
            ("/out", Some(("out", "/nope"))),
            ("/", Some(("/", ""))),
            ("/.", Some((".", ""))),
            ("/../..", Some(("/", ""))),
            ("/a/f/", None),
            ("/nope", None),
            ("/out/", None),
            ("/loop", None),
        ] {
            let got = stat(fd.as_fd(), path).ok().map(|stat| (stat.name, stat.link_target));
            assert_eq!(got, want.map(|(a, b)| (a.to_owned(), b.to_owned())), "{path}");
        }
        assert!(matches!(find(fd.as_fd(), "/nope/x"), Err(Error::NotFound { .. })));
        assert!(matches!(find(fd.as_fd(), "/a/f/"), Err(Error::NotFolder { .. })));
    }
}
