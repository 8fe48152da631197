//! At creation: the volumes are made, and filled from the image.

use super::release::release_points;
use super::{MountPoint, MountSource, Planned};
use crate::Result;
use crate::container::Container;
use crate::engine::Engine;
use crate::event;
use crate::image::Image;
use crate::volume::{self, Maker, VolumeError};

/// Makes what is planned, with the container as its user. Blocks.
///
/// # Errors
/// When a volume cannot be made or filled; of what was made for it then only volumes with a name stay, as with Docker.
pub(crate) fn make(
    engine: &Engine,
    container: &Container,
    image: &Image,
    planned: Vec<Planned>,
) -> Result<Vec<MountPoint>> {
    let mut points = Vec::with_capacity(planned.len());
    let files = volume::Image::new(engine.store(), image.chain.as_ref());
    for one in planned {
        let copy = one.copy;
        let made = make_one(engine, container, one).and_then(|point| {
            points.push(point);
            match (copy, points.last()) {
                (true, Some(point)) => fill(engine, point, &files),
                _ => Ok(()),
            }
        });
        if let Err(error) = made {
            drop(release_points(engine, &container.id, &points, true));
            return Err(error);
        }
    }
    Ok(points)
}

fn make_one(engine: &Engine, container: &Container, planned: Planned) -> Result<MountPoint> {
    let Planned { mut point, volume: request, .. } = planned;
    let MountSource::Volume { name, .. } = &mut point.source else { return Ok(point) };
    let volumes = engine.volumes();
    match request {
        Some(request) => {
            let maker = Maker { container: &container.id, passing: container.config.host.auto_remove };
            let is_new = volume::is_new(volumes, &request);
            name.clone_from(&volume::create_now(volumes, request, Some(maker))?.name);
            if is_new {
                event::volume(engine, "create", name);
            }
        }
        // Another container's; it may have gone with that meanwhile.
        None => drop(volumes.claim(name, &container.id).ok_or_else(|| VolumeError::NotFound(name.clone()))?),
    }
    Ok(point)
}

fn fill(engine: &Engine, point: &MountPoint, files: &volume::Image<'_>) -> Result<()> {
    let known = point.volume().and_then(|name| engine.volumes().get(name));
    match known {
        Some(known) => volume::populate(engine.volumes(), &known, files, &point.destination),
        None => Ok(()),
    }
}
