//! What an entry is besides its content: owner, extended attributes, mode, time. In this order: a change of the owner
//! takes set-user-id bits and capabilities away.

use super::tree;
use rustix::fs::{AtFlags, FileType, Gid, Mode, Uid, XattrFlags};
use rustix::io::Errno;
use sampan_image::tar::{Entry, Kind};
use std::fs::File;
use std::os::fd::BorrowedFd;

/// Makes a device or pipe.
pub(super) fn make_node(folder: BorrowedFd<'_>, base: &[u8], entry: &Entry) -> Result<(), Errno> {
    let kind = match entry.kind {
        Kind::Char => FileType::CharacterDevice,
        Kind::Block => FileType::BlockDevice,
        _ => FileType::Fifo,
    };
    let device = rustix::fs::makedev(entry.device.0, entry.device.1);
    rustix::fs::mknodat(folder, base, kind, Mode::from_raw_mode(0o600), device)
}

/// Sets those of what is neither file nor folder.
pub(super) fn set(folder: BorrowedFd<'_>, base: &[u8], entry: &Entry) -> Result<(), Errno> {
    let (uid, gid) = owner(entry);
    rustix::fs::chownat(folder, base, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
    set_xattrs(folder, base, entry)?;
    if entry.kind != Kind::Symlink {
        rustix::fs::chmodat(folder, base, Mode::from_raw_mode(entry.mode), AtFlags::empty())?;
    }
    tree::set_time(folder, base, entry.mtime)
}

/// Sets those of a file.
pub(super) fn set_of_file(file: &File, entry: &Entry) -> Result<(), Errno> {
    let (uid, gid) = owner(entry);
    rustix::fs::fchown(file, uid, gid)?;
    for (key, value) in wanted_xattrs(entry) {
        ignore_unsupported(key, rustix::fs::fsetxattr(file, key, value, XattrFlags::empty()))?;
    }
    rustix::fs::fchmod(file, Mode::from_raw_mode(entry.mode))?;
    rustix::fs::futimens(file, &tree::timestamps(entry.mtime))
}

/// Sets those of a folder, but its time: that is for when nothing more is put into it.
pub(super) fn set_of_folder(folder: BorrowedFd<'_>, entry: &Entry) -> Result<(), Errno> {
    let (uid, gid) = owner(entry);
    rustix::fs::fchown(folder, uid, gid)?;
    set_xattrs(folder, b"", entry)?;
    rustix::fs::fchmod(folder, Mode::from_raw_mode(entry.mode))
}

fn owner(entry: &Entry) -> (Option<Uid>, Option<Gid>) {
    (Some(Uid::from_raw(entry.uid)), Some(Gid::from_raw(entry.gid)))
}

fn set_xattrs(folder: BorrowedFd<'_>, base: &[u8], entry: &Entry) -> Result<(), Errno> {
    for (key, value) in wanted_xattrs(entry) {
        ignore_unsupported(key, tree::set_xattr(folder, base, key, value))?;
    }
    Ok(())
}

/// Overlayfs's own attributes would make a layer show what is not in it. No container could have seen them.
fn wanted_xattrs(entry: &Entry) -> impl Iterator<Item = (&[u8], &[u8])> {
    let ours = |key: &[u8]| key.starts_with(b"trusted.overlay.") || key.starts_with(b"user.overlay.");
    let all = entry.xattrs.iter().map(|(key, value)| (key.as_slice(), value.as_slice()));
    all.filter(move |(key, _)| !ours(key))
}

/// A file system may have no such attributes (links have no `user.` ones). Capabilities are not to be lost silently.
fn ignore_unsupported(key: &[u8], result: Result<(), Errno>) -> Result<(), Errno> {
    match result {
        Err(Errno::OPNOTSUPP | Errno::PERM) if key != b"security.capability" => Ok(()),
        other => other,
    }
}
