//! The configured mounts, in their order.

use super::{cgroups, copy, resolve};
use crate::failure::{OrFail, failure, stage};
use crate::options::Options;
use crate::plan::{MountKind, MountPlan, Plan};
use crate::rootfs::{is_folder, mount_failure};
use rustix::fs::{OFlags, fstatfs};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen, move_mount,
};
use sampan_spec::journal::Failure;
use sampan_sys::cgroup::Cgroup;
use sampan_sys::mount::{Attributes, change, explanation};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path};

/// The type of proc(5) (statfs(2)).
const PROC_MAGIC: rustix::fs::FsWord = 0x9fa0;

/// Attaches all mounts; `binds` are the parent's, in the plan's order.
pub(super) fn mounts(
    plan: &Plan,
    cgroup: &Cgroup,
    root: BorrowedFd<'_>,
    binds: Vec<OwnedFd>,
) -> Result<(), Failure> {
    let mut binds = binds.into_iter();
    for mount in &plan.mounts {
        match &mount.kind {
            MountKind::Bind { .. } => {
                let bound = binds.next().ok_or_else(|| failure(stage::SYNC, "a bind mount is missing"))?;
                let folder = is_folder(bound.as_fd()).map_err(|e| failed(mount, e.into(), ""))?;
                check_proc(mount, &bound)?;
                put(root, &mount.destination, &bound, folder).map_err(|e| failed(mount, e, ""))?;
            }
            MountKind::Cgroup => cgroups::mount(plan, cgroup, mount, root)?,
            MountKind::Filesystem(kind) => {
                let options = with_mode(root, kind, mount);
                let new = filesystem(kind, &mount.source, &options);
                let new = new.map_err(|(e, explanation)| failed(mount, e, &explanation))?;
                check_proc(mount, &new)?;
                if mount.options.copy_up {
                    copy_up(root, mount, &new).map_err(|e| failed(mount, e, ""))?;
                }
                put(root, &mount.destination, &new, true).map_err(|e| failed(mount, e, ""))?;
                propagate(mount, &new)?;
            }
        }
    }
    Ok(())
}

/// Fills a new file system with what it is about to cover, which may be nothing.
fn copy_up(root: BorrowedFd<'_>, mount: &MountPlan, new: &OwnedFd) -> io::Result<()> {
    let covered = resolve::open(root, Path::new(&mount.destination), OFlags::DIRECTORY);
    match covered {
        Err(Errno::NOENT) => Ok(()),
        covered => copy::content(covered?.as_fd(), new.as_fd()),
    }
}

/// A process that is told lies by `/proc` could be talked out of what protects it.
fn check_proc(mount: &MountPlan, mounted: &OwnedFd) -> Result<(), Failure> {
    let is_proc = || fstatfs(mounted).is_ok_and(|stat| stat.f_type == PROC_MAGIC);
    let place = Path::new(&mount.destination).components().filter(|part| *part != Component::CurDir);
    if !place.eq(Path::new("/proc").components()) || is_proc() {
        return Ok(());
    }
    let message = format!(
        "error mounting {:?} to rootfs at \"/proc\": it cannot be mounted because it is not of type proc",
        mount.source
    );
    Err(failure(stage::MOUNT, message))
}

/// A tmpfs that says nothing of its permissions takes those of the folder it covers, as with runc.
fn with_mode(root: BorrowedFd<'_>, kind: &str, mount: &MountPlan) -> Options {
    let mut options = mount.options.clone();
    if kind == "tmpfs"
        && !options.data.iter().any(|(key, _)| key == "mode")
        && let Ok(place) = resolve::place(root, Path::new(&mount.destination))
        && let Ok(status) = rustix::fs::fstat(&place)
    {
        options.data.push(("mode".into(), Some(format!("{:o}", status.st_mode & 0o7777))));
    }
    options
}

pub(super) fn failed(mount: &MountPlan, error: io::Error, explanation: &str) -> Failure {
    let mut failure = mount_failure(&mount.source, &mount.destination, &error);
    if !explanation.is_empty() {
        failure.message = format!("{} ({explanation})", failure.message);
    }
    failure
}

/// Attaches a detached mount at a path of the container, which is made if it is missing.
pub(super) fn put(root: BorrowedFd<'_>, destination: &str, mount: &OwnedFd, folder: bool) -> io::Result<()> {
    let target = resolve::make_place(root, Path::new(destination), folder)?;
    if is_folder(target.as_fd())? != folder {
        // The kernel would call it an invalid argument.
        return Err(Errno::NOTDIR.into());
    }
    put_on(&target, mount)?;
    Ok(())
}

/// Attaches a detached mount on an open place.
pub(super) fn put_on(target: &OwnedFd, mount: &OwnedFd) -> rustix::io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(mount, "", target, "", flags)
}

/// A new file system of this type. An error brings what the kernel says about it.
pub(super) fn filesystem(
    kind: &str,
    source: &Path,
    options: &Options,
) -> Result<OwnedFd, (io::Error, String)> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC).map_err(|e| (e.into(), String::new()))?;
    let explained = |e: Errno| (e.into(), explanation(&context));
    if !source.as_os_str().is_empty() {
        fsconfig_set_string(&context, "source", source).map_err(explained)?;
    }
    for (key, value) in &options.data {
        match value {
            Some(value) => fsconfig_set_string(&context, key.as_str(), value.as_str()).map_err(explained)?,
            None => fsconfig_set_flag(&context, key.as_str()).map_err(explained)?,
        }
    }
    fsconfig_create(&context).map_err(explained)?;
    let set = (options.attributes.set | options.recursive.set).bits();
    let attributes = u32::try_from(set).map_or(MountAttrFlags::empty(), MountAttrFlags::from_bits_retain);
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes).map_err(explained)
}

fn propagate(mount: &MountPlan, new: &OwnedFd) -> Result<(), Failure> {
    let Some((propagation, recursive)) = mount.options.propagation else { return Ok(()) };
    let none = Attributes::empty();
    change(new, none, none, Some(propagation), recursive)
        .or_fail(stage::MOUNT, || format!("set the propagation of {:?}", mount.destination))
}
