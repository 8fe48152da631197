//! Detached mounts that the parent cannot make where it is, and lets a short-lived child make elsewhere: in another mount
//! name space, which ends with the child.

use crate::wire;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags,
    fsconfig_create, fsmount, fsopen, mount_change, move_mount, open_tree,
};
use sampan_sys::process::{Namespaces, clone, join, wait};
use sampan_sys::socket::{Kind, pair};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The exit code of a child that had something else than a system call fail: EIO.
const FAILED: i32 = 5;
/// Whoever may enter the container may read and execute a copied file.
const COPY_MODE: u32 = 0o755;

/// The mount that `make` returns in a child with `new` name spaces of its own, which has the descriptors `fds` too.
///
/// # Errors
/// What `make` returns, or when there can be no child.
pub(crate) fn made(
    new: Namespaces,
    fds: &[BorrowedFd<'_>],
    make: impl FnOnce() -> io::Result<OwnedFd>,
) -> io::Result<OwnedFd> {
    let (ours, theirs) = pair(Kind::Packets)?;
    let child = clone(new, None, &[&[theirs.as_fd()], fds].concat(), || {
        let made = make().map_err(|e| e.raw_os_error().unwrap_or(FAILED));
        let sent = made.and_then(|mount| {
            wire::send(theirs.as_fd(), &wire::Message::Mounts, &[mount.as_fd()]).map_err(|_| FAILED)
        });
        sent.err().unwrap_or(0)
    })?;
    drop(theirs);
    let received = wire::expect(&ours, &wire::Message::Mounts);
    match (wait(&child.pidfd)?.shell_code(), received.ok().and_then(|mut fds| fds.pop())) {
        (0, Some(mount)) => Ok(mount),
        (0, None) => Err(io::Error::from_raw_os_error(FAILED)),
        (errno, _) => Err(io::Error::from_raw_os_error(errno)),
    }
}

/// In a new mount name space: nothing that is mounted from now on reaches the one it is a copy of.
pub(crate) fn keep_from_the_host() -> io::Result<()> {
    Ok(mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?)
}

/// `/proc/7/root/dev/shm` is `/dev/shm` as process 7 sees it, in a mount name space that may not be ours: the kernel copies
/// mounts for those only who are in it.
pub(crate) fn foreign(path: &Path) -> Option<(PathBuf, &Path)> {
    let mut parts = path.strip_prefix("/proc").ok()?.components();
    let pid = parts.next()?.as_os_str().to_str()?.parse::<u32>().ok()?;
    let inside = parts.as_path().strip_prefix("root").ok()?;
    Some((PathBuf::from(format!("/proc/{pid}")), inside))
}

/// A copy of the tree that a process, named by its folder in `/proc`, has at `inside`.
pub(crate) fn tree_of(process: &Path, inside: &Path, flags: OpenTreeFlags) -> io::Result<OwnedFd> {
    let namespace = File::open(process.join("ns/mnt"))?;
    made(Namespaces::empty(), &[namespace.as_fd()], || {
        join(&namespace, Namespaces::MOUNT)?;
        Ok(open_tree(CWD, Path::new("/").join(inside), flags)?)
    })
}

/// A file in memory with what is in the file `source`, as a mount. Whoever gets it can mount it anew as writable, and
/// changes nobody's but this one.
pub(crate) fn copy_of(source: &Path) -> io::Result<OwnedFd> {
    const NAME: &str = "copy";
    let source = File::open(source)?;
    made(Namespaces::MOUNT, &[source.as_fd()], || {
        keep_from_the_host()?;
        let folder = mounted_memory()?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mut copy = File::from(openat(&folder, NAME, flags, Mode::empty())?);
        rustix::fs::fchmod(&copy, Mode::from_raw_mode(COPY_MODE))?;
        io::copy(&mut &source, &mut copy)?;
        Ok(open_tree(&folder, NAME, OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::OPEN_TREE_CLONE)?)
    })
}

/// An empty tmpfs, mounted over the root: kernels before 6.15 copy no part of a mount that is nowhere.
fn mounted_memory() -> io::Result<OwnedFd> {
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&context)?;
    let folder = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
    move_mount(&folder, "", CWD, "/", MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    Ok(folder)
}
