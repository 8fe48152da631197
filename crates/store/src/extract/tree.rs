//! A layer's folder by descriptors. Nothing here follows a link, and nothing leaves the folder: openat2(2) with
//! RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS, then names of one part only.

use super::Refusal;
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, RenameFlags, ResolveFlags, Stat, Timespec, Timestamps, XattrFlags,
};
use rustix::io::Errno;
use sampan_image::tar::Time;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// A path below the root in plain form: parts joined by `/`, no empty ones, no `.` and no `..`. Empty for the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plain(Vec<u8>);

impl Plain {
    /// A leading `/` means the layer's root, as it does for every other program that reads layers.
    pub(super) fn new(name: &[u8]) -> Result<Self, Refusal> {
        let mut plain = Vec::with_capacity(name.len());
        for part in name.split(|b| *b == b'/') {
            match part {
                b"" | b"." => continue,
                b".." => return Err(Refusal::Parent),
                _ => {}
            }
            if !plain.is_empty() {
                plain.push(b'/');
            }
            plain.extend_from_slice(part);
        }
        Ok(Self(plain))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The folder and the last part.
    pub(super) fn split(&self) -> (&[u8], &[u8]) {
        match self.0.iter().rposition(|b| *b == b'/') {
            Some(slash) => (&self.0[..slash], &self.0[slash + 1..]),
            None => (&[], &self.0),
        }
    }

    /// The same with another last part.
    pub(super) fn beside(&self, base: &[u8]) -> Self {
        let (folder, _) = self.split();
        Self(if folder.is_empty() { base.to_vec() } else { [folder, b"/", base].concat() })
    }

    /// Whether this is `other` or below it.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        within(&self.0, &other.0)
    }
}

/// Whether `path` is `folder` or below it.
pub(super) fn within(path: &[u8], folder: &[u8]) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest[0] == b'/' || folder.is_empty())
}

/// Why a folder could not be opened.
pub(super) enum OpenError {
    Refused(Refusal),
    System(Errno),
}

impl From<Errno> for OpenError {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::LOOP => Self::Refused(Refusal::ThroughLink),
            Errno::NOTDIR => Self::Refused(Refusal::ThroughFile),
            other => Self::System(other),
        }
    }
}

const BENEATH: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// The tree below one folder.
pub(super) struct Tree {
    root: OwnedFd,
    /// The folder that was opened last: entries come folder by folder.
    last: Option<(Vec<u8>, OwnedFd)>,
}

impl Tree {
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        Ok(Self { root: rustix::fs::open(root, FOLDER, Mode::empty())?, last: None })
    }

    pub(super) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// Opens a folder, and makes it and those above it where they are missing (`missing` gets their paths).
    pub(super) fn folder(&mut self, path: &[u8]) -> Result<BorrowedFd<'_>, OpenError> {
        if path.is_empty() {
            return Ok(self.root.as_fd());
        }
        if self.last.as_ref().is_none_or(|(last, _)| last != path) {
            let opened = match self.open_folder(path) {
                Err(Errno::NOENT) => self.make_folders(path)?,
                opened => opened?,
            };
            self.last = Some((path.to_vec(), opened));
        }
        Ok(self.last.as_ref().map_or(self.root.as_fd(), |(_, folder)| folder.as_fd()))
    }

    /// Opens a folder that must be there.
    pub(super) fn open_folder(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        let path: &[u8] = if path.is_empty() { b"." } else { path };
        rustix::fs::openat2(&self.root, path, FOLDER, Mode::empty(), BENEATH)
    }

    /// Docker's mode for folders that a tar does not name: 0755, root's.
    fn make_folders(&self, path: &[u8]) -> Result<OwnedFd, OpenError> {
        let mut at = self.root.try_clone().map_err(|_| OpenError::System(Errno::MFILE))?;
        for part in path.split(|b| *b == b'/') {
            match rustix::fs::mkdirat(&at, part, Mode::from_raw_mode(0o755)) {
                Ok(()) => rustix::fs::chmodat(&at, part, Mode::from_raw_mode(0o755), AtFlags::empty())?,
                Err(Errno::EXIST) => {}
                Err(e) => return Err(e.into()),
            }
            at = rustix::fs::openat2(&at, part, FOLDER, Mode::empty(), BENEATH)?;
        }
        Ok(at)
    }

    /// To be called when a folder was taken away.
    pub(super) fn forget(&mut self) {
        self.last = None;
    }
}

/// What is there at a name of one part.
pub(super) fn stat(folder: BorrowedFd<'_>, base: &[u8]) -> Result<Option<Stat>, Errno> {
    match rustix::fs::statat(folder, base, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(e) => Err(e),
    }
}

pub(crate) fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// Overlayfs's whiteout: a character device 0/0.
pub(crate) fn is_whiteout(stat: &Stat) -> bool {
    kind(stat) == FileType::CharacterDevice && stat.st_rdev == 0
}

pub(super) fn make_whiteout(folder: BorrowedFd<'_>, base: &[u8]) -> Result<(), Errno> {
    rustix::fs::mknodat(folder, base, FileType::CharacterDevice, Mode::empty(), 0)
}

/// Makes overlayfs hide what the layers below have in a folder.
pub(super) fn make_opaque(folder: BorrowedFd<'_>) -> Result<(), Errno> {
    rustix::fs::fsetxattr(folder, "trusted.overlay.opaque", b"y", XattrFlags::empty())
}

/// Sets an extended attribute of a thing that may be a link or a device, by its folder.
pub(crate) fn set_xattr(folder: BorrowedFd<'_>, base: &[u8], key: &[u8], value: &[u8]) -> Result<(), Errno> {
    let mut path = format!("/proc/self/fd/{}/", folder.as_raw_fd()).into_bytes();
    path.extend_from_slice(if base.is_empty() { b"." } else { base });
    rustix::fs::lsetxattr(&path[..], key, value, XattrFlags::empty())
}

pub(super) fn set_time(folder: BorrowedFd<'_>, base: &[u8], time: Time) -> Result<(), Errno> {
    rustix::fs::utimensat(folder, base, &timestamps(time), AtFlags::SYMLINK_NOFOLLOW)
}

pub(super) fn timestamps(time: Time) -> Timestamps {
    let time = Timespec { tv_sec: time.seconds, tv_nsec: i64::from(time.nanos) };
    Timestamps { last_access: time, last_modification: time }
}

/// Moves what is at a name out of the tree.
pub(super) fn move_out(
    folder: BorrowedFd<'_>,
    base: &[u8],
    to: BorrowedFd<'_>,
    name: &str,
) -> Result<(), Errno> {
    rustix::fs::renameat_with(folder, base, to, name.as_bytes(), RenameFlags::NOREPLACE)
}
