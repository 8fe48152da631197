//! The parent's part of the mounts (step 4): the root and what comes from the host's tree, as detached mounts.
//!
//! They are made in the host's mount name space, so that their propagation is the host's, and they never appear in the
//! host's mount table.

use crate::apart;
use crate::failure::{OrFail, failure, reason, stage};
use crate::identity;
use crate::options::Options;
use crate::plan::{MountKind, Plan};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, OpenTreeFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen, open_tree,
};
use sampan_spec::bundle::RootFs;
use sampan_spec::journal::Failure;
use sampan_sys::mount::{Attributes, Propagation, change, explanation};
use sampan_sys::process::Namespaces;
use std::fmt::Write;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Paths longer than this are given to the kernel by descriptor: a file system option holds 255 bytes.
const OPTION_PATH_MAX: usize = 200;

/// The root and the bind mounts in the plan's order. `container` is the pid of process 1.
pub(crate) fn build(plan: &Plan, container: i32) -> Result<(OwnedFd, Vec<OwnedFd>), Failure> {
    let root = root(&plan.rootfs)?;
    let mut binds = Vec::new();
    for mount in &plan.mounts {
        if let MountKind::Bind { recursive } = mount.kind {
            let bound = bind(&mount.source, recursive, &mount.options);
            let bound = bound.map_err(|e| mount_failure(&mount.source, &mount.destination, &e))?;
            if let Some(owners) = &mount.owners {
                identity::show(&bound, owners, container)?;
            }
            binds.push(bound);
        }
    }
    Ok((root, binds))
}

/// A root file system as a detached mount, which nothing that is mounted elsewhere reaches.
pub(crate) fn root(rootfs: &RootFs) -> Result<OwnedFd, Failure> {
    let root = match rootfs {
        RootFs::Path { path } => {
            tree(path, true).or_fail(stage::ROOTFS, || format!("rootfs {}", path.display()))?
        }
        RootFs::Overlay { lower, upper, work, volatile } => {
            let layers = Layers { lower, upper, work, volatile: *volatile };
            layers.mount()?
        }
    };
    let none = Attributes::empty();
    change(&root, none, none, Some(Propagation::Private), true)
        .or_fail(stage::ROOTFS, || "make rootfs private")?;
    Ok(root)
}

/// A failure to mount, as runc words it.
pub(crate) fn mount_failure(source: &Path, destination: &str, error: &io::Error) -> Failure {
    Failure {
        stage: stage::MOUNT.into(),
        errno: error.raw_os_error().unwrap_or(0),
        message: format!("error mounting {source:?} to rootfs at {destination:?}: {}", reason(error)),
    }
}

/// A detached copy of the host's tree at `path`.
fn tree(path: &Path, recursive: bool) -> io::Result<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::OPEN_TREE_CLONE;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    match (open_tree(CWD, path, flags), apart::foreign(path)) {
        (Err(rustix::io::Errno::INVAL), Some((process, inside))) => apart::tree_of(&process, inside, flags),
        (opened, _) => Ok(opened?),
    }
}

/// A detached copy of what is at `subpath` in the tree at `path`. A container that has the same tree may change it at any
/// moment: no link leads out of it.
fn part(path: &Path, subpath: &str, recursive: bool) -> io::Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let within = folder(path)?;
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let part = rustix::fs::openat2(&within, subpath, flags, Mode::empty(), resolve)?;
    let mut flags = OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::OPEN_TREE_CLONE;
    flags |= OpenTreeFlags::AT_EMPTY_PATH;
    flags.set(OpenTreeFlags::AT_RECURSIVE, recursive);
    Ok(open_tree(&part, "", flags)?)
}

fn bind(source: &Path, recursive: bool, options: &Options) -> io::Result<OwnedFd> {
    let mount = match &options.subpath {
        _ if options.copy => apart::copy_of(source)?,
        None => tree(source, recursive)?,
        Some(subpath) => part(source, subpath, recursive)?,
    };
    let Options { attributes, recursive: all, propagation, .. } = options;
    if !all.is_none() {
        change(&mount, all.set, all.clear, None, true)?;
    }
    if !attributes.is_none() {
        change(&mount, attributes.set, attributes.clear, None, false)?;
    }
    let (propagation, for_all) = propagation.unwrap_or((Propagation::Private, true));
    change(&mount, Attributes::empty(), Attributes::empty(), Some(propagation), for_all)?;
    Ok(mount)
}

/// An overlay to mount.
struct Layers<'a> {
    lower: &'a [PathBuf],
    upper: &'a Path,
    work: &'a Path,
    volatile: bool,
}

impl Layers<'_> {
    fn mount(&self) -> Result<OwnedFd, Failure> {
        if self.lower.is_empty() {
            return Err(failure(stage::ROOTFS, "the overlay has no layers"));
        }
        if self.volatile {
            self.forget_volatile()?;
        }
        if !takes_single_layers() {
            return self.mount_apart();
        }
        match self.configure() {
            Err((e, _)) if e.raw_os_error() == Some(rustix::io::Errno::INVAL.raw_os_error()) => {
                self.mount_apart()
            }
            Err((error, explanation)) => Err(self.failure(&error, &explanation)),
            Ok(mount) => Ok(mount),
        }
    }

    fn failure(&self, error: &io::Error, explanation: &str) -> Failure {
        let more = if explanation.is_empty() { String::new() } else { format!(" ({explanation})") };
        Failure {
            stage: stage::ROOTFS.into(),
            errno: error.raw_os_error().unwrap_or(0),
            message: format!(
                "mount the overlay with upper {}: {}{more}",
                self.upper.display(),
                reason(error)
            ),
        }
    }

    /// A volatile overlay marks its work folder, so that nobody trusts it after a crash. Ours is thrown away with the
    /// boot that made it; within one, a clean end left it whole.
    fn forget_volatile(&self) -> Result<(), Failure> {
        let mark = self.work.join("work/incompat/volatile");
        match std::fs::remove_dir_all(&mark) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                Err(e).or_fail(stage::ROOTFS, || format!("remove {}", mark.display()))
            }
            _ => Ok(()),
        }
    }

    /// Kernel 6.7 and later: each layer by itself. An error brings what the kernel says about it.
    fn configure(&self) -> Result<OwnedFd, (io::Error, String)> {
        let plain = |e: rustix::io::Errno| (io::Error::from(e), String::new());
        let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).map_err(plain)?;
        let explained = |e: rustix::io::Errno| (e.into(), explanation(&context));
        // What df(1) shows.
        fsconfig_set_string(&context, "source", "overlay").map_err(explained)?;
        let explained = |e: io::Error| (e, explanation(&context));
        let mut held = Vec::new();
        for layer in self.lower {
            set_path(&context, "lowerdir+", layer, &mut held).map_err(explained)?;
        }
        set_path(&context, "upperdir", self.upper, &mut held).map_err(explained)?;
        set_path(&context, "workdir", self.work, &mut held).map_err(explained)?;
        let explained = |e: rustix::io::Errno| (e.into(), explanation(&context));
        fsconfig_set_string(&context, "index", "off").map_err(explained)?;
        if self.volatile {
            fsconfig_set_flag(&context, "volatile").map_err(explained)?;
        }
        fsconfig_create(&context).map_err(explained)?;
        fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty()).map_err(explained)
    }

    /// Older kernels: mount(2) in a mount name space of a short-lived child, then a detached copy of that.
    fn mount_apart(&self) -> Result<OwnedFd, Failure> {
        apart::made(Namespaces::MOUNT, &[], || self.mount_here()).map_err(|error| self.failure(&error, ""))
    }

    /// Layers are named by descriptor, relative to `/proc/self/fd`: all options must fit into one page.
    fn data(&self, layers: &[OwnedFd]) -> String {
        let mut data = String::from("lowerdir=");
        let (lower, upper) = layers.split_at(self.lower.len());
        for (i, layer) in lower.iter().enumerate() {
            // Writing to a string cannot fail.
            let _ = write!(data, "{}{}", if i == 0 { "" } else { ":" }, layer.as_raw_fd());
        }
        for (name, layer) in ["upperdir", "workdir"].iter().zip(upper) {
            let _ = write!(data, ",{name}={}", layer.as_raw_fd());
        }
        data.push_str(",index=off");
        data + if self.volatile { ",volatile" } else { "" }
    }

    /// Layers must be opened in this mount name space: the kernel takes none of another.
    fn mount_here(&self) -> io::Result<OwnedFd> {
        apart::keep_from_the_host()?;
        let paths = self.lower.iter().map(PathBuf::as_path).chain([self.upper, self.work]);
        let layers: Vec<OwnedFd> = paths.map(folder).collect::<Result<_, _>>()?;
        rustix::process::chdir("/proc/self/fd")?;
        let data = std::ffi::CString::new(self.data(&layers))?;
        rustix::mount::mount("overlay", self.upper, "overlay", MountFlags::empty(), Some(data.as_c_str()))?;
        tree(self.upper, false)
    }
}

/// Whether overlayfs knows `lowerdir+`. An older one says so in the kernel's log each time it is tried.
fn takes_single_layers() -> bool {
    const SINCE: (u32, u32) = (6, 7);
    let release = rustix::system::uname();
    let release = release.release().to_string_lossy();
    let mut numbers = release.split(['.', '-', '+']).map_while(|n| n.parse::<u32>().ok());
    matches!((numbers.next(), numbers.next()), (Some(major), Some(minor)) if (major, minor) >= SINCE)
}

fn folder(path: &Path) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// Sets a path option; one that is long or has letters with a meaning is given by descriptor, which must stay open.
fn set_path(context: &OwnedFd, key: &str, path: &Path, held: &mut Vec<OwnedFd>) -> io::Result<()> {
    let bytes = path.as_os_str().as_encoded_bytes();
    if bytes.len() <= OPTION_PATH_MAX && !bytes.iter().any(|b| b":,\\\"".contains(b)) {
        return Ok(fsconfig_set_string(context, key, path)?);
    }
    let layer = folder(path)?;
    fsconfig_set_string(context, key, format!("/proc/self/fd/{}", layer.as_raw_fd()))?;
    held.push(layer);
    Ok(())
}

/// Whether the mount's root is a folder.
pub(crate) fn is_folder(mount: BorrowedFd<'_>) -> rustix::io::Result<bool> {
    let status = rustix::fs::statat(mount, "", AtFlags::EMPTY_PATH)?;
    Ok(rustix::fs::FileType::from_raw_mode(status.st_mode) == rustix::fs::FileType::Directory)
}
