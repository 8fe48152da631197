//! What is wrong with a mount that a user asks for, in Docker's words. Nothing here looks at the host but where it says so.

use super::{Bind, BindOptions, Mount, MountKind, Propagation, TmpfsOptions, VolumesFrom, clean};
use crate::{Error, Result};

type Check = std::result::Result<(), String>;

/// Groups of options of `-v` of which each may be given once.
const MODES: [&[&str]; 5] = [
    &["rw", "ro"],
    &["z", "Z"],
    &["private", "rprivate", "slave", "rslave", "shared", "rshared"],
    &["nocopy"],
    &["consistent", "cached", "delegated"],
];
/// The groups that `--volumes-from` knows.
const FROM_MODES: usize = 2;
/// The file system's own options of a tmpfs.
const TMPFS_DATA: [&str; 7] = ["size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol"];
/// Other options of a tmpfs.
const TMPFS_FLAGS: [&str; 25] = [
    "defaults",
    "ro",
    "rw",
    "suid",
    "nosuid",
    "dev",
    "nodev",
    "exec",
    "noexec",
    "sync",
    "async",
    "dirsync",
    "atime",
    "noatime",
    "diratime",
    "nodiratime",
    "relatime",
    "norelatime",
    "strictatime",
    "nostrictatime",
    "private",
    "rprivate",
    "slave",
    "rslave",
    "shared",
];

/// Checks a `-v`.
pub(super) fn bind(bind: &Bind) -> Result<()> {
    let Bind { source, destination, options } = bind;
    let text = bind.to_string();
    let invalid =
        |why: String| Error::InvalidParameter(format!("invalid volume specification: '{text}'{why}"));
    let is_short = options.is_empty() && !source.is_empty();
    if is_short && !destination.starts_with('/') && fits(&words(destination), MODES.len()) {
        // `/foo:ro` is not what it looks like.
        return Err(invalid(String::new()));
    }
    if !options.is_empty() && !fits(options, MODES.len()) {
        return Err(Error::InvalidParameter(format!("invalid mode: {}", options.join(","))));
    }
    let has = |group: usize| options.iter().any(|option| MODES[group].contains(&option.as_str()));
    let kind = if source.starts_with('/') { MountKind::Bind } else { MountKind::Volume };
    let checked = target(destination).and_then(|()| match kind {
        MountKind::Bind if has(3) => Err("field VolumeOptions must not be specified".to_owned()),
        MountKind::Volume if has(2) => Err("field BindOptions must not be specified".to_owned()),
        _ => Ok(()),
    });
    checked.map_err(|why| invalid(format!(": invalid mount config for type \"{}\": {why}", kind.name())))
}

fn words(text: &str) -> Vec<String> {
    text.split(',').map(str::to_owned).collect()
}

/// Whether each option is one of the first groups, and no group has two.
fn fits(options: &[String], groups: usize) -> bool {
    let group = |option: &String| MODES[..groups].iter().position(|group| group.contains(&option.as_str()));
    let found: Option<Vec<usize>> = options.iter().map(group).collect();
    found.is_some_and(|mut found| {
        let count = found.len();
        found.sort_unstable();
        found.dedup();
        found.len() == count
    })
}

fn target(path: &str) -> Check {
    if path.is_empty() {
        return Err("field Target must not be empty".into());
    }
    if path.starts_with('/') && clean(path) == "/" {
        return Err("invalid specification: destination can't be '/'".into());
    }
    absolute(path)
}

fn absolute(path: &str) -> Check {
    if path.starts_with('/') {
        return Ok(());
    }
    Err(format!("invalid mount path: '{path}' mount path must be absolute"))
}

/// Checks a `--mount`, and whether the host has what it binds.
pub(super) fn mount(mount: &Mount) -> Result<()> {
    let kind = mount.kind.name();
    if let Some(options) = foreign(mount) {
        let text = format!("{options} must not be specified on mount type \"{kind}\"");
        return Err(Error::InvalidParameter(text));
    }
    let checked = target(&mount.target).and_then(|()| match mount.kind {
        MountKind::Bind => bind_mount(mount),
        MountKind::Volume => volume_mount(mount),
        MountKind::Tmpfs => tmpfs_mount(mount),
    });
    checked.map_err(|why| Error::InvalidParameter(format!("invalid mount config for type \"{kind}\": {why}")))
}

/// Options that belong to another type.
fn foreign(mount: &Mount) -> Option<&'static str> {
    let given = [
        (MountKind::Bind, "BindOptions", mount.bind.is_some()),
        (MountKind::Volume, "VolumeOptions", mount.volume.is_some()),
        (MountKind::Tmpfs, "TmpfsOptions", mount.tmpfs.is_some()),
    ];
    given.iter().find(|(kind, _, given)| *given && *kind != mount.kind).map(|(_, name, _)| *name)
}

fn bind_mount(mount: &Mount) -> Check {
    let source = mount.source.as_str();
    if source.is_empty() {
        return Err("field Source must not be empty".into());
    }
    absolute(source)?;
    let options = mount.bind.clone().unwrap_or_default();
    propagation(&options)?;
    if !options.create_mountpoint && !std::path::Path::new(source).exists() {
        return Err(format!("bind source path does not exist: {source}"));
    }
    Ok(())
}

fn propagation(options: &BindOptions) -> Check {
    match options.propagation.parse::<Propagation>() {
        Err(e) if !options.propagation.is_empty() => Err(e.to_string()),
        _ => Ok(()),
    }
}

fn volume_mount(mount: &Mount) -> Check {
    let subpath = mount.volume.as_ref().map_or("", |options| options.subpath.as_str());
    if mount.source.is_empty() && !subpath.is_empty() {
        return Err("must not set Subpath when using anonymous volumes".into());
    }
    if mount.source.is_empty() && mount.read_only {
        return Err("must not set ReadOnly mode when using anonymous volumes".into());
    }
    if subpath.starts_with('/') || leaves(subpath) {
        return Err("subpath must be a relative path within the volume".into());
    }
    Ok(())
}

/// Whether a relative path goes above where it starts.
fn leaves(path: &str) -> bool {
    let mut depth = 0_i64;
    path.split('/').any(|part| {
        depth += match part {
            "" | "." => 0,
            ".." => -1,
            _ => 1,
        };
        depth < 0
    })
}

fn tmpfs_mount(mount: &Mount) -> Check {
    if !mount.source.is_empty() {
        return Err("field Source must not be specified".into());
    }
    let options = mount.tmpfs.as_ref().and_then(|TmpfsOptions { options, .. }| options.as_ref());
    options.into_iter().flatten().try_for_each(|option| match option.as_slice() {
        [name] | [name, _] if matches!(name.as_str(), "exec" | "noexec") => Ok(()),
        [name] | [name, _] => Err(format!("invalid option: {name}")),
        _ => Err("invalid option array length".to_owned()),
    })
}

/// Checks a `--tmpfs`.
pub(super) fn tmpfs(path: &str, options: &str) -> Result<()> {
    target(path).map_err(Error::InvalidParameter)?;
    let unknown = |option: &&str| {
        let key = option.split_once('=').map(|(key, _)| key);
        !option.is_empty()
            && !TMPFS_FLAGS.contains(option)
            && !key.is_some_and(|key| TMPFS_DATA.contains(&key))
    };
    match options.split(',').find(unknown) {
        Some(option) => Err(Error::InvalidParameter(format!("invalid tmpfs option {option:?}"))),
        None => Ok(()),
    }
}

/// Checks a `--volumes-from`.
pub(super) fn volumes_from(from: &VolumesFrom) -> Result<()> {
    if from.container.is_empty() {
        let text = "volumes-from specification cannot be an empty string";
        return Err(Error::InvalidParameter(text.into()));
    }
    if from.mode.is_empty() || fits(&words(&from.mode), FROM_MODES) {
        return Ok(());
    }
    Err(Error::InvalidParameter(format!("invalid mode: {}", from.mode)))
}
