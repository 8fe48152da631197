//! At each start: what is to be mounted is there, and can be mounted as it is wished.

use super::{MountPoint, MountSource, Propagation, shared};
use crate::container::Container;
use crate::engine::Engine;
use crate::volume;
use crate::{Error, Result};
use rustix::fs::Mode;
use rustix::io::Errno;
use sampan_spec::with_sources;
use sampan_store::volumes::part;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Sees to a container's mounts. Blocks.
///
/// # Errors
/// When one cannot be mounted so.
pub(crate) fn prepare(engine: &Engine, container: &Container) -> Result<()> {
    container.mounts.iter().try_for_each(|point| match &point.source {
        MountSource::Bind { path, propagation, create, .. } => {
            if *create {
                make_source(Path::new(path))?;
            }
            check_propagation(Path::new(path), *propagation)
        }
        MountSource::Volume { name, subpath, .. } => {
            volume::mount(engine.volumes(), name, &container.id)?;
            check_part(engine, name, subpath)
        }
        MountSource::Tmpfs(_) => Ok(()),
    })
}

/// A folder of the host that is missing is made, as Docker does it for `-v`.
fn make_source(path: &Path) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    let made = std::fs::DirBuilder::new().recursive(true).mode(Mode::RWXU.bits() | 0o55).create(path);
    made.map_err(|e| {
        let path = path.display();
        let why = volume::lower(&e);
        Error::MountRefused(format!("error while creating mount source path '{path}': mkdir {path}: {why}"))
    })
}

/// Mounts travel only where the host's mount lets them.
fn check_propagation(path: &Path, wanted: Propagation) -> Result<()> {
    let (shared, what) = match wanted {
        Propagation::Private | Propagation::RPrivate => return Ok(()),
        Propagation::Shared | Propagation::RShared => (true, "shared"),
        Propagation::Slave | Propagation::RSlave => (false, "shared or slave"),
    };
    let mount = shared::of(path)?;
    if mount.shared || (!shared && mount.slave) {
        return Ok(());
    }
    let point = mount.point.display();
    Err(Error::MountRefused(format!(
        "path {} is mounted on {point} but it is not a {what} mount",
        path.display()
    )))
}

fn check_part(engine: &Engine, name: &str, subpath: &str) -> Result<()> {
    if subpath.is_empty() {
        return Ok(());
    }
    let data = engine.volumes().data(name);
    let folder: PathBuf = data.parent().unwrap_or(&data).into();
    let whole = data.join(subpath);
    let text = |error: io::Error| match Errno::from_io_error(&error) {
        Some(Errno::XDEV) => format!(
            "path concatenation escapes the base directory, base: {}, subpath: {subpath}",
            data.display()
        ),
        _ => format!("cannot access path {0}: lstat {0}: {1}", whole.display(), volume::lower(&error)),
    };
    part(&folder, subpath).map(drop).map_err(|error| Error::MountRefused(text(error)))
}

/// A container has ended: its volumes' mounts are not needed any more. Blocks.
pub(crate) fn unmount(engine: &Engine, container: &Container) {
    for name in container.mounts.iter().filter_map(MountPoint::volume) {
        if let Err(error) = volume::unmount(engine.volumes(), name, &container.id) {
            tracing::error!(volume = name, "not unmounted: {}", with_sources(&error));
        }
    }
}

/// A container that runs was found again: it needs its volumes' mounts.
pub(crate) fn still_mounted(engine: &Engine, container: &Container) {
    for name in container.mounts.iter().filter_map(MountPoint::volume) {
        engine.volumes().needs_mount(name, &container.id);
    }
}
