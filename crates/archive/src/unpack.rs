//! A tar into a folder.

use crate::find::open_with;
use crate::{Error, lossy};
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps, Uid, XattrFlags,
};
use rustix::io::Errno;
use sampan_image::tar::{Chunk, Entry, Kind, Limits, Reader};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;

const BUFFER: usize = 64 << 10;
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Where a tar goes, and how.
#[derive(Debug)]
pub struct Unpacking<'a> {
    /// No link leads out of this folder.
    pub root: BorrowedFd<'a>,
    /// The folder below the root that entries' names begin in.
    pub folder: &'a str,
    /// Whether an absolute link on the way begins at the root, as in a container; otherwise it is refused.
    pub is_whole: bool,
    /// Things of one kind do not replace those of the other: folders, and all else.
    pub keep_kinds: bool,
    /// Who owns what is made: as the tar says, one owner, or whoever makes it.
    pub owner: Owner,
    /// The first part of each name that begins with the one becomes the other.
    pub rename: Option<(Vec<u8>, Vec<u8>)>,
}

/// Who owns what is unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// As the tar says.
    OfTar,
    /// This user and group.
    Of(u32, u32),
    /// Whoever unpacks.
    Self_,
}

/// Unpacks a tar. Its names cannot lead out of the folder.
///
/// # Errors
/// See [`Error`]: what was unpacked before stays.
pub fn unpack(source: impl Read, how: &Unpacking<'_>) -> Result<(), Error> {
    let mut reader = Reader::new(source, Limits::default());
    let mut place = Place { how, last: None, times: Vec::new(), buffer: vec![0; BUFFER] };
    while let Some(entry) = reader.next()? {
        let wrong = |source: Trouble| source.about(&entry.name);
        place.entry(&entry, &mut reader).map_err(wrong)?;
    }
    for (path, time) in place.times.iter().rev() {
        // Something may have replaced it since.
        if let Ok(folder) = place.open(path, FOLDER) {
            rustix::fs::futimens(&folder, time)
                .map_err(|e| Error::Write { entry: lossy(path), source: e.into() })?;
        }
    }
    Ok(())
}

struct Place<'a> {
    how: &'a Unpacking<'a>,
    /// The folder of the entry before.
    last: Option<(Vec<u8>, OwnedFd)>,
    /// Folders' times, which what is put into them changes.
    times: Vec<(Vec<u8>, Timestamps)>,
    buffer: Vec<u8>,
}

/// Why one entry could not be placed.
enum Trouble {
    System(io::Error),
    Outside,
    OverFolder,
    OverFile,
    Tar(sampan_image::tar::Error),
}

impl From<Errno> for Trouble {
    fn from(errno: Errno) -> Self {
        // An absolute link where none may be followed (openat2(2)).
        if errno == Errno::XDEV { Self::Outside } else { Self::System(errno.into()) }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl Trouble {
    fn about(self, name: &[u8]) -> Error {
        let entry = lossy(name);
        let path = format!("/{}", entry.trim_matches('/'));
        match self {
            Self::System(source) => Error::Write { entry, source },
            Self::Outside => Error::Outside { entry },
            Self::OverFolder => Error::OverFolder { path, entry },
            Self::OverFile => Error::OverFile { path, entry },
            Self::Tar(error) => Error::Tar(error),
        }
    }
}

impl Place<'_> {
    fn entry<R: Read>(&mut self, entry: &Entry, reader: &mut Reader<R>) -> Result<(), Trouble> {
        let path = self.path(&entry.name)?;
        let Some((parent, base)) = split(&path) else {
            // The folder itself: it is there, and its attributes are its own business, unless the tar has them.
            return if entry.kind == Kind::Directory { Ok(()) } else { Err(Trouble::OverFolder) };
        };
        let folder = self.folder(parent)?;
        let existing = stat(folder.as_fd(), base)?;
        if entry.kind == Kind::HardLink {
            return self.hard_link(entry, folder.as_fd(), base, existing.as_ref());
        }
        let keeps = self.make_room(entry.kind, folder.as_fd(), base, existing.as_ref())?;
        match entry.kind {
            Kind::Directory => {
                if !keeps {
                    rustix::fs::mkdirat(&folder, base, Mode::from_raw_mode(0o700))?;
                }
                self.times.push((path.clone(), times(entry)));
                self.attributes(entry, folder.as_fd(), base)
            }
            Kind::File => self.file(entry, reader, folder.as_fd(), base),
            Kind::Symlink => {
                rustix::fs::symlinkat(&entry.link[..], &folder, base)?;
                self.attributes(entry, folder.as_fd(), base)
            }
            _ => {
                make_node(entry, folder.as_fd(), base)?;
                self.attributes(entry, folder.as_fd(), base)
            }
        }
    }

    /// An entry's path below the folder: renamed, and without anything that would lead out.
    fn path(&self, name: &[u8]) -> Result<Vec<u8>, Trouble> {
        let mut parts: Vec<&[u8]> =
            name.split(|b| *b == b'/').filter(|part| !part.is_empty() && *part != b".").collect();
        if parts.contains(&&b".."[..]) {
            return Err(Trouble::Outside);
        }
        if let Some((from, to)) = &self.how.rename {
            match parts.first_mut() {
                Some(first) if *first == &from[..] => *first = to,
                _ if matches!(&from[..], b"." | b"/") => parts.insert(0, to),
                _ => {}
            }
        }
        Ok(parts.join(&b'/'))
    }

    fn open(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        let path = [self.how.folder.as_bytes(), b"/", path].concat();
        let scope = if self.how.is_whole { ResolveFlags::IN_ROOT } else { ResolveFlags::BENEATH };
        let relative = path.iter().position(|b| *b != b'/').map_or(&b"."[..], |at| &path[at..]);
        open_with(self.how.root, relative, flags, scope)
    }

    /// Opens a folder, and makes those that are missing.
    fn folder(&mut self, path: &[u8]) -> Result<OwnedFd, Trouble> {
        if let Some((last, folder)) = &self.last
            && last == path
        {
            return Ok(folder.try_clone()?);
        }
        let folder = match self.open(path, FOLDER) {
            Err(Errno::NOENT) => self.make_folders(path)?,
            opened => opened?,
        };
        self.last = Some((path.to_vec(), folder.try_clone()?));
        Ok(folder)
    }

    fn make_folders(&self, path: &[u8]) -> Result<OwnedFd, Trouble> {
        let mut done = Vec::new();
        let mut at = self.open(b"", FOLDER)?;
        for part in path.split(|b| *b == b'/') {
            done = if done.is_empty() { part.to_vec() } else { [&done[..], b"/", part].concat() };
            match rustix::fs::mkdirat(&at, part, Mode::from_raw_mode(0o755)) {
                Ok(()) => {
                    rustix::fs::chmodat(&at, part, Mode::from_raw_mode(0o755), AtFlags::empty())?;
                    if let Owner::Of(uid, gid) = self.how.owner {
                        chown(at.as_fd(), part, (uid, gid))?;
                    }
                }
                Err(Errno::EXIST) => {}
                Err(e) => return Err(e.into()),
            }
            at = self.open(&done, FOLDER)?;
        }
        Ok(at)
    }

    /// Takes away what an entry replaces; a folder stays where a folder comes. Says whether it stays.
    fn make_room(
        &mut self,
        kind: Kind,
        folder: BorrowedFd<'_>,
        base: &[u8],
        existing: Option<&Stat>,
    ) -> Result<bool, Trouble> {
        let Some(existing) = existing else { return Ok(false) };
        let is_folder = FileType::from_raw_mode(existing.st_mode) == FileType::Directory;
        match (is_folder, kind == Kind::Directory) {
            (true, true) => return Ok(true),
            (true, false) if self.how.keep_kinds => return Err(Trouble::OverFolder),
            (false, true) if self.how.keep_kinds => return Err(Trouble::OverFile),
            (true, false) => {
                self.last = None;
                std::fs::remove_dir_all(by_descriptor(folder, base))?;
            }
            (false, _) => rustix::fs::unlinkat(folder, base, AtFlags::empty())?,
        }
        Ok(false)
    }

    fn file<R: Read>(
        &mut self,
        entry: &Entry,
        reader: &mut Reader<R>,
        folder: BorrowedFd<'_>,
        base: &[u8],
    ) -> Result<(), Trouble> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(folder, base, flags, Mode::from_raw_mode(0o600))?);
        let whole = [Chunk { offset: 0, length: entry.stored }];
        for chunk in entry.sparse.as_deref().unwrap_or(&whole) {
            self.content(reader, &file, *chunk)?;
        }
        if entry.sparse.is_some() {
            file.set_len(entry.size)?;
        }
        self.attributes(entry, folder, base)
    }

    fn content<R: Read>(&mut self, reader: &mut Reader<R>, file: &File, chunk: Chunk) -> Result<(), Trouble> {
        let (mut offset, end) = (chunk.offset, chunk.offset + chunk.length);
        while offset < end {
            let most = (end - offset).min(BUFFER as u64) as usize;
            let length = reader.content(&mut self.buffer[..most]).map_err(Trouble::Tar)?;
            if length == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            file.write_all_at(&self.buffer[..length], offset)?;
            offset += length as u64;
        }
        Ok(())
    }

    /// Links to what is below the folder already.
    fn hard_link(
        &mut self,
        entry: &Entry,
        folder: BorrowedFd<'_>,
        base: &[u8],
        existing: Option<&Stat>,
    ) -> Result<(), Trouble> {
        let target = self.path(&entry.link)?;
        let Some((parent, target)) = split(&target) else { return Err(Trouble::Outside) };
        let from = self.open(parent, FOLDER)?;
        let linked = rustix::fs::statat(&from, target, AtFlags::SYMLINK_NOFOLLOW)?;
        if existing.is_some_and(|own| (own.st_dev, own.st_ino) == (linked.st_dev, linked.st_ino)) {
            return Ok(());
        }
        self.make_room(Kind::HardLink, folder, base, existing)?;
        Ok(rustix::fs::linkat(&from, target, folder, base, AtFlags::empty())?)
    }

    /// Owner, extended attributes, mode and time, in this order: a change of the owner takes set-user-id bits and
    /// capabilities away.
    fn attributes(&self, entry: &Entry, folder: BorrowedFd<'_>, base: &[u8]) -> Result<(), Trouble> {
        match self.how.owner {
            Owner::OfTar => chown(folder, base, (entry.uid, entry.gid))?,
            Owner::Of(uid, gid) => chown(folder, base, (uid, gid))?,
            Owner::Self_ => {}
        }
        for (key, value) in &entry.xattrs {
            if !key.starts_with(b"trusted.overlay.") && !key.starts_with(b"user.overlay.") {
                set_xattr(folder, base, key, value)?;
            }
        }
        if entry.kind != Kind::Symlink {
            rustix::fs::chmodat(folder, base, Mode::from_raw_mode(entry.mode), AtFlags::empty())?;
        }
        if entry.kind != Kind::Directory {
            rustix::fs::utimensat(folder, base, &times(entry), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        Ok(())
    }
}

/// The folder of a path and its last part; none for the folder itself.
fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if path.is_empty() {
        return None;
    }
    let at = path.iter().rposition(|b| *b == b'/');
    Some(at.map_or((&b""[..], path), |at| (&path[..at], &path[at + 1..])))
}

fn stat(folder: BorrowedFd<'_>, base: &[u8]) -> Result<Option<Stat>, Errno> {
    match rustix::fs::statat(folder, base, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(e) => Err(e),
    }
}

fn chown(folder: BorrowedFd<'_>, base: &[u8], (uid, gid): (u32, u32)) -> Result<(), Errno> {
    let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
    rustix::fs::chownat(folder, base, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
}

fn make_node(entry: &Entry, folder: BorrowedFd<'_>, base: &[u8]) -> Result<(), Errno> {
    let kind = match entry.kind {
        Kind::Char => FileType::CharacterDevice,
        Kind::Block => FileType::BlockDevice,
        _ => FileType::Fifo,
    };
    let device = rustix::fs::makedev(entry.device.0, entry.device.1);
    rustix::fs::mknodat(folder, base, kind, Mode::from_raw_mode(0o600), device)
}

/// A file system may have no such attributes. Capabilities are not to be lost silently.
fn set_xattr(folder: BorrowedFd<'_>, base: &[u8], key: &[u8], value: &[u8]) -> Result<(), Errno> {
    match rustix::fs::lsetxattr(by_descriptor(folder, base), key, value, XattrFlags::empty()) {
        Err(Errno::OPNOTSUPP | Errno::PERM) if key != b"security.capability" => Ok(()),
        other => other,
    }
}

fn by_descriptor(folder: BorrowedFd<'_>, base: &[u8]) -> std::path::PathBuf {
    let folder = format!("/proc/self/fd/{}", folder.as_raw_fd());
    std::path::Path::new(&folder).join(std::ffi::OsStr::from_bytes(base))
}

fn times(entry: &Entry) -> Timestamps {
    let time = Timespec { tv_sec: entry.mtime.seconds, tv_nsec: i64::from(entry.mtime.nanos) };
    Timestamps { last_access: time, last_modification: time }
}
