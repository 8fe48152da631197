//! Copies of a tree of files with all that belongs to it: owners, modes, times, extended attributes, hard links, holes,
//! devices, pipes and links as they are.
//!
//! Nothing follows a link, and nothing leaves either tree: openat2(2) with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS.

use crate::extract::tree::{is_whiteout, kind, set_xattr};
use rustix::buffer::spare_capacity;
use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, ResolveFlags, SeekFrom, Stat, Timespec, Timestamps, Uid,
};
use rustix::io::Errno;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Copies what is in the folder `from` into the empty folder `to`, which gets the attributes of `from`.
///
/// # Errors
/// The first thing that could not be copied; what was copied before it stays.
pub(crate) fn tree(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<()> {
    let mut copy = Copy { from, to, linked: HashMap::new() };
    let mut folders = vec![Vec::new()];
    let mut next = 0;
    while next < folders.len() {
        let more = copy.folder(&folders[next])?;
        folders.extend(more);
        next += 1;
    }
    // A folder's time changes with what is put into it: those below come first.
    folders.iter().rev().try_for_each(|path| copy.finish(path))
}

/// Gives one folder the attributes of another.
///
/// # Errors
/// The first that could not be set.
pub(crate) fn attributes_of_folder(from: &OwnedFd, to: &OwnedFd) -> io::Result<()> {
    attributes(from, to, b".", &rustix::fs::fstat(from)?)
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
const BENEATH: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);
/// Who may look at something that is not finished.
const UNFINISHED: Mode = Mode::from_raw_mode(0o600);
/// Overlayfs's own attributes would hide or redirect things where the copy is a layer.
const OVERLAY: [&[u8]; 2] = [b"trusted.overlay.", b"user.overlay."];
/// How much of a file is copied at once where the kernel cannot do it by itself.
const PIECE: usize = 128 << 10;

struct Copy<'a> {
    from: BorrowedFd<'a>,
    to: BorrowedFd<'a>,
    /// The first copy of each file that has several names.
    linked: HashMap<(u64, u64), Vec<u8>>,
}

impl Copy<'_> {
    /// Copies all in one folder but what is in its folders, whose paths it returns.
    fn folder(&mut self, path: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        let (from, to) = (open(self.from, path)?, open(self.to, path)?);
        let mut below = Vec::new();
        for entry in Dir::read_from(&from)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            let stat = rustix::fs::statat(&from, name, AtFlags::SYMLINK_NOFOLLOW)?;
            let whole = if path.is_empty() { name.to_vec() } else { [path, b"/", name].concat() };
            if kind(&stat) == FileType::Directory {
                rustix::fs::mkdirat(&to, name, Mode::RWXU)?;
                below.push(whole);
            } else if !is_whiteout(&stat) && !self.link(&stat, &to, name, whole)? {
                make(&from, &to, name, &stat)?;
                attributes(&from, &to, name, &stat)?;
            }
        }
        Ok(below)
    }

    /// Makes another name of a file that was copied already.
    fn link(&mut self, stat: &Stat, to: &OwnedFd, name: &[u8], whole: Vec<u8>) -> io::Result<bool> {
        if stat.st_nlink < 2 {
            return Ok(false);
        }
        if let Some(first) = self.linked.get(&(stat.st_dev, stat.st_ino)) {
            let (folder, base) = split(first);
            let folder = open(self.to, folder)?;
            rustix::fs::linkat(&folder, base, to, name, AtFlags::empty())?;
            return Ok(true);
        }
        self.linked.insert((stat.st_dev, stat.st_ino), whole);
        Ok(false)
    }

    fn finish(&self, path: &[u8]) -> io::Result<()> {
        let (from, to) = (open(self.from, path)?, open(self.to, path)?);
        attributes_of_folder(&from, &to)
    }
}

fn open(root: BorrowedFd<'_>, path: &[u8]) -> io::Result<OwnedFd> {
    let path = if path.is_empty() { b"." } else { path };
    Ok(rustix::fs::openat2(root, path, FOLDER, Mode::empty(), BENEATH)?)
}

/// A path's folder and its last part.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|b| *b == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&[], path),
    }
}

/// Makes what is no folder, without its attributes.
fn make(from: &OwnedFd, to: &OwnedFd, name: &[u8], stat: &Stat) -> io::Result<()> {
    match kind(stat) {
        FileType::RegularFile => copy_file(from, to, name, stat),
        FileType::Symlink => {
            let target = rustix::fs::readlinkat(from, name, Vec::new())?;
            Ok(rustix::fs::symlinkat(target, to, name)?)
        }
        other => Ok(rustix::fs::mknodat(to, name, other, UNFINISHED, stat.st_rdev)?),
    }
}

fn copy_file(from: &OwnedFd, to: &OwnedFd, name: &[u8], stat: &Stat) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut source = File::from(rustix::fs::openat(from, name, flags, Mode::empty())?);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mut copy = File::from(rustix::fs::openat(to, name, flags, UNFINISHED)?);
    let length = u64::try_from(stat.st_size).unwrap_or(0);
    copy.set_len(length)?;
    let mut at = 0;
    while let Some((start, end)) = data(&source, at, length)? {
        source.seek(io::SeekFrom::Start(start))?;
        copy.seek(io::SeekFrom::Start(start))?;
        copy_piece(&source, &mut copy, end - start)?;
        at = end;
    }
    Ok(())
}

/// The next part of a file that is no hole, from `at` on.
fn data(file: &File, at: u64, length: u64) -> io::Result<Option<(u64, u64)>> {
    if at >= length {
        return Ok(None);
    }
    match rustix::fs::seek(file, SeekFrom::Data(at)) {
        Ok(start) => Ok(Some((start, rustix::fs::seek(file, SeekFrom::Hole(start))?.min(length)))),
        Err(Errno::NXIO) => Ok(None),
        // A file system without holes.
        Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok(Some((at, length))),
        Err(e) => Err(e.into()),
    }
}

fn copy_piece(source: &File, copy: &mut File, length: u64) -> io::Result<()> {
    let mut left = length;
    let mut buffer = Vec::new();
    while left > 0 {
        let size = usize::try_from(left).unwrap_or(usize::MAX);
        let copied = match rustix::fs::copy_file_range(source, None, &*copy, None, size) {
            Ok(copied) => copied,
            Err(Errno::XDEV | Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS) => {
                buffer.clear();
                let mut piece = source.take(left.min(PIECE as u64));
                let read = piece.read_to_end(&mut buffer)?;
                copy.write_all(&buffer)?;
                read
            }
            Err(e) => return Err(e.into()),
        };
        if copied == 0 {
            return Ok(());
        }
        left = left.saturating_sub(copied as u64);
    }
    Ok(())
}

/// Owner, extended attributes, mode and times, in this order: a change of the owner takes set-user-id bits and
/// capabilities away.
fn attributes(from: &OwnedFd, to: &OwnedFd, name: &[u8], stat: &Stat) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    rustix::fs::chownat(to, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
    xattrs(from, to, name)?;
    if kind(stat) != FileType::Symlink {
        rustix::fs::chmodat(to, name, Mode::from_raw_mode(stat.st_mode & 0o7777), AtFlags::empty())?;
    }
    let time = |seconds, nanos: u64| Timespec { tv_sec: seconds, tv_nsec: i64::try_from(nanos).unwrap_or(0) };
    let times = Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
    };
    Ok(rustix::fs::utimensat(to, name, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

fn xattrs(from: &OwnedFd, to: &OwnedFd, name: &[u8]) -> io::Result<()> {
    let mut path = format!("/proc/self/fd/{}/", from.as_raw_fd()).into_bytes();
    path.extend_from_slice(name);
    let keys = match whole(|room| rustix::fs::llistxattr(&path[..], spare_capacity(room))) {
        Err(Errno::OPNOTSUPP) => return Ok(()),
        keys => keys?,
    };
    let keys = keys.split(|b| *b == 0).filter(|key| !key.is_empty());
    for key in keys.filter(|key| !OVERLAY.iter().any(|own| key.starts_with(own))) {
        let value = match whole(|room| rustix::fs::lgetxattr(&path[..], key, spare_capacity(room))) {
            Err(Errno::NODATA) => continue,
            value => value?,
        };
        match set_xattr(to.as_fd(), name, key, &value) {
            // The volume's file system has no such attributes. Capabilities are not to be lost silently.
            Err(Errno::OPNOTSUPP | Errno::PERM) if key != b"security.capability" => {}
            result => result?,
        }
    }
    Ok(())
}

/// The whole of what a system call gives that wants to know how much room there is.
fn whole(call: impl Fn(&mut Vec<u8>) -> rustix::io::Result<usize>) -> rustix::io::Result<Vec<u8>> {
    let mut room = 256;
    loop {
        let mut bytes = Vec::with_capacity(room);
        match call(&mut bytes) {
            Err(Errno::RANGE) if room < 1 << 20 => room *= 4,
            result => return result.map(|_| bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{XattrFlags, makedev};
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    use std::path::Path;

    fn folder(path: &Path) -> OwnedFd {
        fs::create_dir_all(path).unwrap();
        File::open(path).unwrap().into()
    }

    /// All that is seen of a tree, a line an entry.
    fn listing(root: &Path, folder: &Path, lines: &mut Vec<String>) {
        let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.sort();
        for path in [vec![folder.to_owned()], names].concat() {
            let data = fs::symlink_metadata(&path).unwrap();
            if path != folder && data.is_dir() {
                listing(root, &path, lines);
                continue;
            }
            let text = if data.is_file() { fs::read_to_string(&path).unwrap() } else { String::new() };
            let target = fs::read_link(&path).unwrap_or_default();
            let mut value = [0; 8];
            let length = rustix::fs::lgetxattr(&path, "trusted.x", &mut value[..]).unwrap_or(0);
            lines.push(format!(
                "{} {:o} {}:{} {} {}.{} dev {} {target:?} {:?} {}",
                path.strip_prefix(root).unwrap().display(),
                data.mode(),
                data.uid(),
                data.gid(),
                if data.is_dir() { 0 } else { data.nlink() },
                data.mtime(),
                data.mtime_nsec(),
                data.rdev(),
                &value[..length],
                text.trim_matches('\0'),
            ));
        }
    }

    #[test]
    fn everything_is_as_it_was() {
        let root = tempfile::tempdir().unwrap();
        let (from, to) = (root.path().join("from"), root.path().join("to"));
        let (source, copy) = (folder(&from), folder(&to));
        fs::create_dir_all(from.join("a/b")).unwrap();
        fs::write(from.join("a/b/file"), "text").unwrap();
        fs::hard_link(from.join("a/b/file"), from.join("again")).unwrap();
        symlink("/etc/passwd", from.join("link")).unwrap();
        std::os::unix::fs::lchown(from.join("link"), Some(7), Some(8)).unwrap();
        std::os::unix::fs::chown(from.join("a"), Some(5), Some(6)).unwrap();
        fs::set_permissions(from.join("a"), fs::Permissions::from_mode(0o2751)).unwrap();
        fs::set_permissions(&from, fs::Permissions::from_mode(0o1770)).unwrap();
        for path in ["a", "a/b/file", "link"] {
            rustix::fs::lsetxattr(from.join(path), "trusted.x", b"v", XattrFlags::empty()).unwrap();
        }
        rustix::fs::setxattr(&from, "trusted.overlay.opaque", b"y", XattrFlags::empty()).unwrap();
        let node = |name: &str, kind, number| {
            rustix::fs::mknodat(&source, name, kind, Mode::from_raw_mode(0o640), number).unwrap();
        };
        node("pipe", FileType::Fifo, 0);
        node("null", FileType::CharacterDevice, makedev(1, 3));
        for path in ["a/b/file", "a/b", "a", ""] {
            let file = File::open(from.join(path)).unwrap();
            file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::new(1000, 5)).unwrap();
        }
        tree(source.as_fd(), copy.as_fd()).unwrap();
        let (mut want, mut got) = (Vec::new(), Vec::new());
        listing(&from, &from, &mut want);
        listing(&to, &to, &mut got);
        assert_eq!(got, want);
        assert_eq!(
            fs::metadata(to.join("again")).unwrap().ino(),
            fs::metadata(to.join("a/b/file")).unwrap().ino()
        );
        let opaque = rustix::fs::getxattr(&to, "trusted.overlay.opaque", &mut [0; 8][..]);
        assert_eq!(opaque, Err(Errno::NODATA));
    }

    #[test]
    fn whiteouts_are_left_out_and_holes_stay() {
        let root = tempfile::tempdir().unwrap();
        let (source, copy) = (folder(&root.path().join("from")), folder(&root.path().join("to")));
        rustix::fs::mknodat(&source, "gone", FileType::CharacterDevice, Mode::empty(), 0).unwrap();
        let mut sparse = File::create(root.path().join("from/sparse")).unwrap();
        sparse.set_len(64 << 20).unwrap();
        sparse.seek(io::SeekFrom::Start(32 << 20)).unwrap();
        sparse.write_all(b"middle").unwrap();
        tree(source.as_fd(), copy.as_fd()).unwrap();
        let names: Vec<_> =
            fs::read_dir(root.path().join("to")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["sparse"]);
        let data = fs::metadata(root.path().join("to/sparse")).unwrap();
        assert_eq!(data.len(), 64 << 20);
        assert!(data.blocks() * 512 < 1 << 20, "{} blocks", data.blocks());
        let bytes = fs::read(root.path().join("to/sparse")).unwrap();
        assert_eq!(&bytes[32 << 20..][..7], b"middle\0");
    }

    #[test]
    fn deep_trees_need_few_descriptors() {
        let root = tempfile::tempdir().unwrap();
        let (source, copy) = (folder(&root.path().join("from")), folder(&root.path().join("to")));
        let deep = "d/".repeat(1500);
        let mut at = source.try_clone().unwrap();
        for _ in 0..1500 {
            rustix::fs::mkdirat(&at, "d", Mode::RWXU).unwrap();
            at = rustix::fs::openat(&at, "d", FOLDER, Mode::empty()).unwrap();
        }
        rustix::fs::mkdirat(&at, "last", Mode::RWXU).unwrap();
        tree(source.as_fd(), copy.as_fd()).unwrap();
        assert!(rustix::fs::statat(&copy, format!("{deep}last"), AtFlags::empty()).is_ok());
    }
}
