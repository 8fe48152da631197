//! The mounts that a user or an image asked for, and the three files that the engine writes.

use super::Context;
use super::mounts::mount;
use crate::container::mounts::clean;
use crate::container::{MountPoint, MountSource, ReadOnly, TmpfsOptions};
use sampan_spec::bundle::SUBPATH;
use sampan_spec::oci::Mount;
use sampan_store::volumes::DATA;
use std::path::{Path, PathBuf};

/// What a file system in memory is unless its options say otherwise.
const TMPFS: [&str; 4] = ["noexec", "nosuid", "nodev", "rprivate"];

/// All of them, those nearer to the root first. What a user mounts at a place of the engine's own takes that place.
pub(super) fn add_to(system: Vec<Mount>, context: &Context<'_>) -> Vec<Mount> {
    let container = context.container;
    let mut own: Vec<Mount> = container.mounts.iter().map(|point| of_point(point, context.volumes)).collect();
    own.extend(container.config.host.tmpfs.iter().map(|(path, options)| in_memory(path, options)));
    let files = ["resolv.conf", "hostname", "hosts"].map(|name| file(name, &context.found.names));
    own.extend(without(files.into_iter(), &own));
    own.sort_by_key(|mount| mount.destination.components().count());
    let mut all = without(system.into_iter(), &own);
    all.extend(own);
    all
}

/// Those of the engine's mounts whose place the user does not want for another.
fn without(mounts: impl Iterator<Item = Mount>, taken: &[Mount]) -> Vec<Mount> {
    let dev = Path::new("/dev");
    let hides = |own: &Mount, place: &PathBuf| {
        own.destination == *place || (own.destination == dev && place.starts_with(dev))
    };
    mounts.filter(|mount| !taken.iter().any(|own| hides(own, &mount.destination))).collect()
}

fn file(name: &str, folder: &Path) -> Mount {
    let source = folder.join(name);
    mount(&format!("/etc/{name}"), "bind", &source.to_string_lossy(), &["rbind", "rprivate"])
}

fn of_point(point: &MountPoint, volumes: &Path) -> Mount {
    let mut options: Vec<String> = Vec::new();
    match point.read_only {
        ReadOnly::No => {}
        ReadOnly::Top => options.push("ro".into()),
        ReadOnly::Tree => options.push("rro".into()),
    }
    let destination = point.destination.as_str();
    match &point.source {
        MountSource::Bind { path, recursive, propagation, .. } => {
            options.push(if *recursive { "rbind".into() } else { "bind".into() });
            options.push(propagation.to_string());
            bound(destination, Path::new(path), &options)
        }
        MountSource::Volume { name, subpath, .. } => {
            options.extend(["rbind".into(), "rprivate".into()]);
            if !subpath.is_empty() {
                options.push(format!("{SUBPATH}{subpath}"));
            }
            bound(destination, &volumes.join(name).join(DATA), &options)
        }
        MountSource::Tmpfs(tmpfs) => tmpfs_mount(destination, &[words(tmpfs), options].concat()),
    }
}

fn bound(destination: &str, source: &Path, options: &[String]) -> Mount {
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    mount(destination, "bind", &source.to_string_lossy(), &options)
}

/// The options of `--mount type=tmpfs` as mount(8) has them.
fn words(options: &TmpfsOptions) -> Vec<String> {
    let mut words = Vec::new();
    if options.mode != 0 {
        words.push(format!("mode={:o}", options.mode));
    }
    if options.size != 0 {
        words.push(format!("size={}", options.size));
    }
    words.extend(options.options.iter().flatten().map(|option| option.join("=")));
    words
}

/// `--tmpfs`.
fn in_memory(path: &str, options: &str) -> Mount {
    let options: Vec<String> = options.split(',').filter(|o| !o.is_empty()).map(str::to_owned).collect();
    tmpfs_mount(&clean(path), &options)
}

fn tmpfs_mount(destination: &str, options: &[String]) -> Mount {
    // All of a mount that has nothing below it.
    let plain = |option: &String| if option == "rro" { "ro".to_owned() } else { option.clone() };
    let own: Vec<String> = options.iter().map(plain).collect();
    let all: Vec<&str> = TMPFS.into_iter().chain(own.iter().map(String::as_str)).collect();
    mount(destination, "tmpfs", "tmpfs", &all)
}
