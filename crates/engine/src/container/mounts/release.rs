//! With a container's removal its volumes are free again, and those without a name go, if that is wished.

use super::{MountPoint, MountSource};
use crate::Result;
use crate::container::Container;
use crate::engine::Engine;
use crate::event;
use crate::volume::discard;
use sampan_spec::{ContainerId, ErrorKind, with_sources};

/// Gives back a container's volumes. With `and_remove` those without a name that nobody else uses are taken away; what is in
/// them goes with the value that is returned. Blocks.
pub(crate) fn release(engine: &Engine, container: &Container, and_remove: bool) -> impl Send + use<> {
    release_points(engine, &container.id, &container.mounts, and_remove)
}

pub(super) fn release_points(
    engine: &Engine,
    id: &ContainerId,
    points: &[MountPoint],
    and_remove: bool,
) -> impl Send + use<> {
    let volumes = engine.volumes();
    let names = || points.iter().filter_map(MountPoint::volume);
    names().for_each(|name| volumes.release(name, id));
    let anonymous = |point: &&MountPoint| matches!(point.source, MountSource::Volume { anonymous: true, .. });
    let going = points.iter().filter(anonymous).filter_map(MountPoint::volume).filter(|_| and_remove);
    let discard = |name| match discard(volumes, engine.store(), name) {
        Ok(discarded) => {
            event::volume(engine, "destroy", name);
            Some(discarded)
        }
        // Somebody else uses it, or has removed it.
        Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound) => None,
        Err(error) => {
            tracing::error!(volume = name, "not removed with its container: {}", with_sources(&error));
            None
        }
    };
    going.filter_map(discard).collect::<Vec<_>>()
}

/// A container goes and leaves its volumes: from now on they belong to nobody, also for a daemon that comes after a kill.
/// Blocks.
///
/// # Errors
/// When a record cannot be written.
pub(crate) fn disown(engine: &Engine, container: &Container) -> Result<()> {
    let mut names = container.mounts.iter().filter_map(MountPoint::volume);
    names.try_for_each(|name| engine.volumes().disown(name, &container.id))
}
