//! A tree of files as a tar.

use crate::{Error, Found, lossy};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use sampan_image::tar::{Entry, Kind, Time, write};
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

const BUFFER: usize = 64 << 10;
/// File capabilities, the only extended attribute that `docker cp` takes along.
const CAPABILITY: &str = "security.capability";
/// The longest value of that (`struct vfs_ns_cap_data`).
const CAPABILITY_MAX: usize = 24;

/// Writes what was found, and all that is in it. Entries' names begin with `name`. Sockets are left out; a file that
/// changes meanwhile has the size that it had at first.
///
/// # Errors
/// [`Error::Read`], and [`Error::Stream`] when `to` takes no more.
pub fn pack(found: &Found, name: &[u8], to: &mut impl Write) -> Result<(), Error> {
    let mut packing = Packing { to, names: HashMap::new(), buffer: vec![0; BUFFER] };
    packing.tree(found, name)?;
    packing.to.write_all(&write::END).and_then(|()| packing.to.flush()).map_err(Error::Stream)
}

struct Packing<'w, W> {
    to: &'w mut W,
    /// The first names of files that have several, by device and inode.
    names: HashMap<(u64, u64), Vec<u8>>,
    buffer: Vec<u8>,
}

/// A folder that is being read.
struct Level {
    folder: OwnedFd,
    /// Its path in the archive, with a slash.
    name: Vec<u8>,
    /// What is still to come, the last one first.
    rest: Vec<Vec<u8>>,
}

impl<W: Write> Packing<'_, W> {
    fn tree(&mut self, found: &Found, name: &[u8]) -> Result<(), Error> {
        let mut levels: Vec<Level> =
            self.thing(found.folder.as_fd(), &found.base, name)?.into_iter().collect();
        while let Some(level) = levels.last_mut() {
            let Some(base) = level.rest.pop() else {
                levels.pop();
                continue;
            };
            let path = [&level.name[..], &base].concat();
            let folder = level.folder.as_fd().try_clone_to_owned();
            let folder = folder.map_err(|source| Error::Read { path: lossy(&path), source })?;
            levels.extend(self.thing(folder.as_fd(), &base, &path)?);
        }
        Ok(())
    }

    /// Writes one thing; gives the folder if it is one.
    fn thing(&mut self, folder: BorrowedFd<'_>, base: &[u8], name: &[u8]) -> Result<Option<Level>, Error> {
        let failed = |source: Errno| Error::Read { path: lossy(name), source: source.into() };
        let stat = match rustix::fs::statat(folder, base, AtFlags::SYMLINK_NOFOLLOW) {
            // It went away meanwhile: the container may be running.
            Err(Errno::NOENT) => return Ok(None),
            stat => stat.map_err(failed)?,
        };
        let Some(mut entry) = entry(&stat, name) else { return Ok(None) };
        match entry.kind {
            Kind::Directory => {
                self.header(&entry)?;
                return level(folder, base, entry.name).map(Some).map_err(failed);
            }
            Kind::Symlink => {
                let link = rustix::fs::readlinkat(folder, base, Vec::new()).map_err(failed)?;
                entry.link = link.into_bytes();
                self.header(&entry)?;
            }
            Kind::File => self.file(folder, base, entry, &stat)?,
            _ => self.header(&entry)?,
        }
        Ok(None)
    }

    fn header(&mut self, entry: &Entry) -> Result<(), Error> {
        self.to.write_all(&write::header(entry)).map_err(Error::Stream)
    }

    fn file(
        &mut self,
        folder: BorrowedFd<'_>,
        base: &[u8],
        mut entry: Entry,
        stat: &Stat,
    ) -> Result<(), Error> {
        if stat.st_nlink > 1 {
            let key = (stat.st_dev, stat.st_ino);
            if let Some(first) = self.names.get(&key) {
                (entry.kind, entry.link, entry.size) = (Kind::HardLink, first.clone(), 0);
                return self.header(&entry);
            }
            self.names.insert(key, entry.name.clone());
        }
        let failed = |source: io::Error| Error::Read { path: lossy(&entry.name), source };
        // What was a file may have become a pipe meanwhile: do not wait for its other end.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(folder, base, flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(()),
            file => file.map_err(|e| failed(e.into()))?,
        };
        let now = rustix::fs::fstat(&file).map_err(|e| failed(e.into()))?;
        if FileType::from_raw_mode(now.st_mode) != FileType::RegularFile {
            return Ok(());
        }
        entry.xattrs = capability(&file);
        self.header(&entry)?;
        self.content(file.into(), entry.size).map_err(|e| match e {
            Copy::Read(source) => Error::Read { path: lossy(&entry.name), source },
            Copy::Write(source) => Error::Stream(source),
        })
    }

    /// Exactly so many bytes, with zeros for those that are not there any more, and what fills the last block.
    fn content(&mut self, mut file: std::fs::File, size: u64) -> Result<(), Copy> {
        let mut left = size;
        while left > 0 {
            let most = left.min(BUFFER as u64) as usize;
            let count = match file.read(&mut self.buffer[..most]) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                count => count.map_err(Copy::Read)?,
            };
            let count = if count == 0 {
                self.buffer[..most].fill(0);
                most
            } else {
                count
            };
            self.to.write_all(&self.buffer[..count]).map_err(Copy::Write)?;
            left -= count as u64;
        }
        self.to.write_all(write::padding(size)).map_err(Copy::Write)
    }
}

enum Copy {
    Read(io::Error),
    Write(io::Error),
}

/// The entry of what has this status; none for a socket.
fn entry(stat: &Stat, name: &[u8]) -> Option<Entry> {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Symlink,
        FileType::CharacterDevice => Kind::Char,
        FileType::BlockDevice => Kind::Block,
        FileType::Fifo => Kind::Fifo,
        _ => return None,
    };
    let is_device = matches!(kind, Kind::Char | Kind::Block);
    let device =
        if is_device { (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev)) } else { (0, 0) };
    let slash: &[u8] = if kind == Kind::Directory && !name.ends_with(b"/") { b"/" } else { b"" };
    let size = if kind == Kind::File { u64::try_from(stat.st_size).unwrap_or(0) } else { 0 };
    Some(Entry {
        name: [name, slash].concat(),
        kind,
        link: Vec::new(),
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        mtime: Time { seconds: stat.st_mtime, nanos: 0 },
        device,
        size,
        stored: size,
        sparse: None,
        xattrs: Vec::new(),
    })
}

fn level(folder: BorrowedFd<'_>, base: &[u8], name: Vec<u8>) -> Result<Level, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = rustix::fs::openat(folder, base, flags, Mode::empty())?;
    let mut rest = Vec::new();
    for entry in Dir::read_from(&folder)? {
        let entry = entry?;
        let base = entry.file_name().to_bytes();
        if !matches!(base, b"." | b"..") {
            rest.push(base.to_vec());
        }
    }
    rest.sort_unstable_by(|a, b| b.cmp(a));
    Ok(Level { folder, name, rest })
}

fn capability(file: &OwnedFd) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut value = [0; CAPABILITY_MAX];
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    match rustix::fs::getxattr(path, CAPABILITY, &mut value[..]) {
        Ok(length) => vec![(CAPABILITY.into(), value[..length].to_vec())],
        // There is none, or the file system knows none.
        Err(_) => Vec::new(),
    }
}
