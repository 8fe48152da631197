//! From what the user and the image ask for to mount points, each destination once. Everything is checked here, and nothing
//! made.

use super::{
    Bind, Mount, MountKind, MountPoint, MountSource, Propagation, ReadOnly, VolumeOptions, VolumesFrom,
    check, clean,
};
use crate::container::{Config, Container, Registry};
use crate::volume::CreateRequest;
use crate::{Error, Result};
use std::collections::HashSet;
use std::sync::Arc;

/// A mount point to be, and the volume that must be made for it.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) point: MountPoint,
    /// `None`: there is one already, or it needs none.
    pub(crate) volume: Option<CreateRequest>,
    /// Whether what the image has there goes into the volume when it is new.
    pub(crate) copy: bool,
}

/// The mounts of a container to be.
///
/// # Errors
/// When one makes no sense, two have the same destination, or a container to take volumes from is not there.
pub(crate) fn plan(registry: &Registry, config: &Config) -> Result<Vec<Planned>> {
    let mut plan = Plan::default();
    for from in &config.host.volumes_from {
        check::volumes_from(from)?;
        let container = registry.resolve(&from.container).map_err(as_parameter)?.container().clone();
        plan.take_from(from, &container);
    }
    config.host.tmpfs.iter().try_for_each(|(path, options)| check::tmpfs(path, options))?;
    let in_memory: HashSet<String> = config.host.tmpfs.keys().map(|path| clean(path)).collect();
    for bind in &config.host.binds {
        check::bind(bind)?;
        plan.put_own(planned_bind(bind, config), &in_memory)?;
    }
    for mount in &config.host.mounts {
        check::mount(mount)?;
        plan.put_own(planned_mount(mount), &HashSet::new())?;
    }
    for path in &config.volumes {
        let destination = clean(path);
        if !in_memory.contains(&destination) && destination != "/" {
            plan.put_new(of_image(destination, config));
        }
    }
    Ok(plan.planned)
}

/// Docker's status here is that of a parameter.
fn as_parameter(error: Error) -> Error {
    Error::InvalidParameter(error.to_string())
}

#[derive(Default)]
struct Plan {
    planned: Vec<Planned>,
    /// Destinations that the user named.
    own: HashSet<String>,
}

impl Plan {
    /// Another container's mounts: the user's own go before them, and so do those of a container named later.
    fn take_from(&mut self, from: &VolumesFrom, container: &Arc<Container>) {
        let is_read_only = from.mode.split(',').any(|word| word == "ro");
        for point in &container.mounts {
            if matches!(point.source, MountSource::Tmpfs(_)) {
                continue;
            }
            let read_only = if is_read_only { ReadOnly::Tree } else { point.read_only };
            let point = MountPoint { mode: String::new(), read_only, ..point.clone() };
            self.put(Planned { point, volume: None, copy: false });
        }
    }

    fn put_own(&mut self, planned: Planned, others: &HashSet<String>) -> Result<()> {
        let destination = &planned.point.destination;
        if others.contains(destination) || !self.own.insert(destination.clone()) {
            return Err(Error::InvalidParameter(format!("Duplicate mount point: {destination}")));
        }
        self.put(planned);
        Ok(())
    }

    fn put(&mut self, planned: Planned) {
        self.planned.retain(|other| other.point.destination != planned.point.destination);
        self.planned.push(planned);
    }

    fn put_new(&mut self, planned: Planned) {
        if !self.planned.iter().any(|other| other.point.destination == planned.point.destination) {
            self.planned.push(planned);
        }
    }
}

fn planned_bind(bind: &Bind, config: &Config) -> Planned {
    let has = |word: &str| bind.options.iter().any(|option| option == word);
    let mode = bind.options.join(",");
    let read_only = if has("ro") { ReadOnly::Tree } else { ReadOnly::No };
    let propagation = bind.options.iter().find_map(|option| option.parse().ok()).unwrap_or_default();
    let point = |mode, source| MountPoint { destination: clean(&bind.destination), mode, read_only, source };
    if bind.source.starts_with('/') {
        let source = bound(&bind.source, true, propagation, true);
        return Planned { point: point(mode, source), volume: None, copy: false };
    }
    let request = CreateRequest {
        name: (!bind.source.is_empty()).then(|| bind.source.clone()),
        driver: config.host.volume_driver.clone(),
        ..CreateRequest::default()
    };
    // Docker's sign for a volume that containers share.
    let mode = if mode.is_empty() { "z".to_owned() } else { mode };
    let point = point(mode, volume(&request, ""));
    Planned { point, volume: Some(request), copy: !has("nocopy") }
}

fn bound(path: &str, recursive: bool, propagation: Propagation, create: bool) -> MountSource {
    MountSource::Bind { path: clean(path), recursive, propagation, create }
}

fn volume(request: &CreateRequest, subpath: &str) -> MountSource {
    MountSource::Volume {
        name: request.name.clone().unwrap_or_default(),
        anonymous: request.name.is_none(),
        subpath: subpath.to_owned(),
    }
}

fn planned_mount(mount: &Mount) -> Planned {
    let options = mount.bind.clone().unwrap_or_default();
    let read_only = match (mount.read_only, options.read_only_non_recursive) {
        (false, _) => ReadOnly::No,
        (true, true) => ReadOnly::Top,
        (true, false) => ReadOnly::Tree,
    };
    let of = mount.volume.clone().unwrap_or_default();
    let request = (mount.kind == MountKind::Volume).then(|| request_of(&mount.source, &of));
    let source = match (mount.kind, &request) {
        (MountKind::Bind, _) => {
            let propagation = options.propagation.parse().unwrap_or_default();
            bound(&mount.source, !options.non_recursive, propagation, options.create_mountpoint)
        }
        (MountKind::Volume, Some(request)) => volume(request, &of.subpath),
        _ => MountSource::Tmpfs(mount.tmpfs.clone().unwrap_or_default()),
    };
    let mode = if request.is_some() { "z".to_owned() } else { String::new() };
    let point = MountPoint { destination: clean(&mount.target), mode, read_only, source };
    // Docker copies nothing into a part of a volume.
    Planned { point, volume: request, copy: !of.no_copy && of.subpath.is_empty() }
}

fn request_of(source: &str, options: &VolumeOptions) -> CreateRequest {
    let driver = options.driver.clone().unwrap_or_default();
    CreateRequest {
        name: (!source.is_empty()).then(|| source.to_owned()),
        driver: driver.name,
        options: driver.options,
        labels: options.labels.clone(),
    }
}

/// A path that the image or the user declares as a volume.
fn of_image(destination: String, config: &Config) -> Planned {
    let driver = config.host.volume_driver.clone();
    let request = CreateRequest { driver, ..CreateRequest::default() };
    let (mode, read_only) = (String::new(), ReadOnly::No);
    let point = MountPoint { destination, mode, read_only, source: volume(&request, "") };
    Planned { point, volume: Some(request), copy: true }
}
