//! `/dev` of the container (runtime specification, config-linux.md "Default Devices" and "Dev symbolic links").

use super::attach::put_on;
use super::resolve;
use crate::failure::{OrFail, stage};
use crate::plan::{DeviceNode, Plan};
use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, Uid, chownat, fstat, makedev, mknodat, openat, symlinkat,
};
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};
use sampan_spec::journal::Failure;
use std::ffi::OsStr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

/// Name, major, minor.
const DEFAULTS: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];
/// Name, target.
const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];
const OPEN_TO_ALL: u32 = 0o666;

/// Makes nodes and links; those that exist are left as they are.
pub(super) fn make(plan: &Plan, root: BorrowedFd<'_>) -> Result<(), Failure> {
    let dev = resolve::make_place(root, Path::new("/dev"), true).or_fail(stage::DEVICES, || "open /dev")?;
    for (name, major, minor) in DEFAULTS {
        let node = DeviceNode {
            path: format!("/dev/{name}"),
            kind: FileType::CharacterDevice,
            major,
            minor,
            mode: OPEN_TO_ALL,
            uid: 0,
            gid: 0,
        };
        place(plan, &node, &dev, name.as_ref())?;
    }
    for (name, target) in LINKS {
        match symlinkat(target, &dev, name) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(e) => return Err(e).or_fail(stage::DEVICES, || format!("link /dev/{name}")),
        }
    }
    plan.devices.iter().try_for_each(|node| {
        let parent = resolve::make_parent(root, Path::new(&node.path));
        let (parent, name) = parent.or_fail(stage::DEVICES, || format!("make {}", node.path))?;
        place(plan, node, &parent, name)
    })
}

fn place(plan: &Plan, node: &DeviceNode, folder: &OwnedFd, name: &OsStr) -> Result<(), Failure> {
    if plan.identity.is_some() && node.kind != FileType::Fifo {
        return show_hosts(node, folder, name).or_fail(stage::DEVICES, || format!("bind {}", node.path));
    }
    let device = makedev(node.major, node.minor);
    match mknodat(folder, name, node.kind, Mode::from_raw_mode(node.mode), device) {
        Err(Errno::EXIST) => return Ok(()),
        made => made.or_fail(stage::DEVICES, || format!("mknod {}", node.path))?,
    }
    if node.uid == 0 && node.gid == 0 {
        return Ok(());
    }
    let (uid, gid) = (Uid::from_raw(node.uid), Gid::from_raw(node.gid));
    chownat(folder, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
        .or_fail(stage::DEVICES, || format!("chown {}", node.path))
}

/// In a user name space no device can be made: the host's is shown, if it is the one that is meant.
fn show_hosts(node: &DeviceNode, folder: &OwnedFd, name: &OsStr) -> rustix::io::Result<()> {
    let new = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    match openat(folder, name, new, Mode::RUSR) {
        Err(Errno::EXIST) => return Ok(()),
        made => drop(made?),
    }
    let host = openat(CWD, node.path.as_str(), OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let status = fstat(&host)?;
    let same = FileType::from_raw_mode(status.st_mode) == node.kind
        && status.st_rdev == makedev(node.major, node.minor);
    if !same {
        return Err(Errno::NODEV);
    }
    let flags =
        OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::AT_EMPTY_PATH;
    let copy = open_tree(&host, "", flags)?;
    let target = openat(folder, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    put_on(&target, &copy)
}
