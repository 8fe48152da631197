//! What a create request says about mounts, and mounts as they are shown.

use crate::error::Error;
use sampan_api::body;
use sampan_engine::container::{
    Bind, BindOptions, DriverOptions, Mount, MountKind, MountPoint, MountSource, ReadOnly, Snapshot,
    TmpfsOptions, VolumeOptions, VolumesFrom,
};
use sampan_engine::volume::DRIVER;

/// `HostConfig.Binds`: split; the engine looks at the parts.
pub(crate) fn binds(all: Vec<String>) -> Result<Vec<Bind>, Error> {
    all.iter().map(|text| bind(text)).collect()
}

fn bind(text: &str) -> Result<Bind, Error> {
    let wrong = || Error::Invalid(format!("invalid volume specification: '{text}'"));
    let parts: Vec<&str> = text.split(':').collect();
    let (source, destination, options) = match parts[..] {
        [path] if !path.is_empty() => ("", path, ""),
        [source, destination] if !source.is_empty() => (source, destination, ""),
        [source, destination, options] if !source.is_empty() => (source, destination, options),
        _ => return Err(wrong()),
    };
    let options =
        if options.is_empty() { Vec::new() } else { options.split(',').map(str::to_owned).collect() };
    Ok(Bind { source: source.to_owned(), destination: destination.to_owned(), options })
}

/// `HostConfig.VolumesFrom`.
pub(crate) fn volumes_from(all: Vec<String>) -> Vec<VolumesFrom> {
    let split = |text: String| {
        let (container, mode) = text.split_once(':').unwrap_or((&text, ""));
        VolumesFrom { container: container.to_owned(), mode: mode.to_owned() }
    };
    all.into_iter().map(split).collect()
}

/// `HostConfig.Mounts`.
pub(crate) fn mounts(all: Vec<body::Mount>) -> Result<Vec<Mount>, Error> {
    all.into_iter().map(mount).collect()
}

fn mount(mount: body::Mount) -> Result<Mount, Error> {
    let of =
        |kind: &str, why: &str| Error::Invalid(format!("invalid mount config for type \"{kind}\": {why}"));
    let kind = match mount.r#type.as_str() {
        "bind" => MountKind::Bind,
        "volume" => MountKind::Volume,
        "tmpfs" => MountKind::Tmpfs,
        "image" => return Err(Error::unsupported("HostConfig.Mounts of type \"image\"")),
        other => return Err(of(other, "mount type unknown")),
    };
    if mount.image_options.is_some() {
        return Err(of(kind.name(), "field ImageOptions must not be specified"));
    }
    if mount.cluster_options.is_some() {
        return Err(Error::unsupported("HostConfig.Mounts.ClusterOptions"));
    }
    Ok(Mount {
        kind,
        source: mount.source,
        target: mount.target,
        read_only: mount.read_only,
        consistency: mount.consistency,
        bind: mount.bind_options.map(bind_options),
        volume: mount.volume_options.map(volume_options),
        tmpfs: mount.tmpfs_options.map(|of| TmpfsOptions {
            size: of.size_bytes,
            mode: of.mode,
            options: of.options,
        }),
    })
}

fn bind_options(options: body::BindOptions) -> BindOptions {
    BindOptions {
        propagation: options.propagation,
        non_recursive: options.non_recursive,
        create_mountpoint: options.create_mountpoint,
        read_only_non_recursive: options.read_only_non_recursive,
        read_only_force_recursive: options.read_only_force_recursive,
    }
}

fn volume_options(options: body::VolumeOptions) -> VolumeOptions {
    VolumeOptions {
        no_copy: options.no_copy,
        labels: options.labels,
        subpath: options.subpath,
        driver: options
            .driver_config
            .map(|driver| DriverOptions { name: driver.name, options: driver.options }),
    }
}

/// `HostConfig.Mounts` as it was given.
pub(crate) fn shown(mount: &Mount) -> body::Mount {
    body::Mount {
        r#type: mount.kind.name().into(),
        source: mount.source.clone(),
        target: mount.target.clone(),
        read_only: mount.read_only,
        consistency: mount.consistency.clone(),
        bind_options: mount.bind.clone().map(|of| body::BindOptions {
            propagation: of.propagation,
            non_recursive: of.non_recursive,
            create_mountpoint: of.create_mountpoint,
            read_only_non_recursive: of.read_only_non_recursive,
            read_only_force_recursive: of.read_only_force_recursive,
        }),
        volume_options: mount.volume.clone().map(|of| body::VolumeOptions {
            no_copy: of.no_copy,
            labels: of.labels,
            subpath: of.subpath,
            driver_config: of
                .driver
                .map(|driver| body::VolumeDriver { name: driver.name, options: driver.options }),
        }),
        tmpfs_options: mount.tmpfs.clone().map(|of| body::TmpfsOptions {
            size_bytes: of.size,
            mode: of.mode,
            options: of.options,
        }),
        ..body::Mount::default()
    }
}

/// What a list and inspect show as mounts.
pub(crate) fn points(snapshot: &Snapshot) -> Vec<body::MountPoint> {
    snapshot.container.mounts.iter().map(|at| point(at, snapshot)).collect()
}

fn point(point: &MountPoint, snapshot: &Snapshot) -> body::MountPoint {
    let shown = body::MountPoint {
        destination: point.destination.clone(),
        mode: point.mode.clone(),
        rw: point.read_only == ReadOnly::No,
        ..body::MountPoint::default()
    };
    match &point.source {
        MountSource::Bind { path, propagation, .. } => body::MountPoint {
            r#type: "bind".into(),
            source: path.clone(),
            propagation: propagation.to_string(),
            ..shown
        },
        MountSource::Volume { name, .. } => body::MountPoint {
            r#type: "volume".into(),
            name: name.clone(),
            source: snapshot.volumes.join(name).join("_data").display().to_string(),
            driver: DRIVER.into(),
            ..shown
        },
        MountSource::Tmpfs(_) => body::MountPoint { r#type: "tmpfs".into(), ..shown },
    }
}

/// Whether a container has a volume of this name, or a mount there.
pub(crate) fn has(snapshot: &Snapshot, place: &str) -> bool {
    points(snapshot)
        .iter()
        .any(|at| [&at.name, &at.source, &at.destination].iter().any(|text| *text == place))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn binds_are_split() {
        for (text, parts) in [
            ("/a:/b", ("/a", "/b", "")),
            ("/a/:/b/:ro,z", ("/a/", "/b/", "ro,z")),
            ("vol:/b:", ("vol", "/b", "")),
            ("/a:/b:ro,", ("/a", "/b", "ro,")),
            ("/only", ("", "/only", "")),
        ] {
            let bind = bind(text).unwrap();
            let got = (bind.source.as_str(), bind.destination.as_str(), bind.options.join(","));
            assert_eq!(got, (parts.0, parts.1, parts.2.to_owned()), "{text}");
        }
        for text in ["", ":/x", "::", "a:b:c:d"] {
            assert_eq!(
                bind(text).unwrap_err().to_string(),
                format!("invalid volume specification: '{text}'")
            );
        }
    }

    #[test]
    fn mounts_are_shown_as_they_were_given() {
        let given = json!([
            {"Type": "bind", "Source": "/a", "Target": "/b/", "ReadOnly": true,
             "BindOptions": {"Propagation": "rslave", "NonRecursive": true, "CreateMountpoint": true}},
            {"Type": "volume", "Source": "v", "Target": "/v", "Consistency": "cached",
             "VolumeOptions": {"NoCopy": true, "Labels": {"k": "v"}, "Subpath": "s",
                               "DriverConfig": {"Name": "local", "Options": {"type": "tmpfs"}}}},
            {"Type": "volume", "Target": "/w", "VolumeOptions": {"DriverConfig": {}}},
            {"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 5, "Mode": 448, "Options": [["exec"]]}},
        ]);
        let read: Vec<body::Mount> = serde_json::from_value(given.clone()).unwrap();
        let back: Vec<body::Mount> = mounts(read).unwrap().iter().map(shown).collect();
        assert_eq!(serde_json::to_value(back).unwrap(), given);
    }

    #[test]
    fn types_that_there_are_not() {
        let refusal =
            |given| mounts(serde_json::from_value(json!([given])).unwrap()).unwrap_err().to_string();
        assert_eq!(
            refusal(json!({"Type": "npipe", "Target": "/x"})),
            "invalid mount config for type \"npipe\": mount type unknown"
        );
        assert!(refusal(json!({"Type": "image", "Target": "/x"})).contains("is not supported"));
        assert_eq!(
            refusal(json!({"Type": "bind", "Target": "/x", "ImageOptions": {}})),
            "invalid mount config for type \"bind\": field ImageOptions must not be specified"
        );
    }
}
