//! The layer between an image and a container's writable one: what is in each container whatever its image has there. The
//! engine mounts its own files over some of it, and must not follow an image's links to do so.
//!
//! ```text
//! skeletons/<mode>-<uid>-<gid>/.dockerenv                       empty
//!                              etc/{hosts,hostname,resolv.conf} empty
//!                                  mtab -> /proc/mounts
//!                              dev/{console,pts/,shm/}, proc/, sys/
//! ```
//!
//! A folder of overlayfs has the attributes of its topmost layer: `etc` those that the image's has, for which the skeleton is
//! named. Over the others something is mounted.

use crate::atomic::{Scratch, create_dir};
use crate::{Error, Store};
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

const FOLDERS: [&str; 6] = ["etc", "dev", "dev/pts", "dev/shm", "proc", "sys"];
const FILES: [&str; 5] = [".dockerenv", "etc/hosts", "etc/hostname", "etc/resolv.conf", "dev/console"];

/// Who may do what in a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Attributes {
    mode: u32,
    uid: u32,
    gid: u32,
}

/// What a folder has that no image made.
const USUAL: Attributes = Attributes { mode: 0o755, uid: 0, gid: 0 };

/// The layer for an image with these layers, topmost first. Made when it is needed first.
pub(crate) fn layer(store: &Store, image: &[PathBuf]) -> Result<PathBuf, Error> {
    let etc = image.iter().find_map(|layer| fs::symlink_metadata(layer.join("etc")).ok());
    let etc = etc.filter(fs::Metadata::is_dir).map_or(USUAL, |m| Attributes {
        mode: m.mode() & 0o7777,
        uid: m.uid(),
        gid: m.gid(),
    });
    let place = store.layout.skeletons().join(format!("{:o}-{}-{}", etc.mode, etc.uid, etc.gid));
    if place.is_dir() {
        return Ok(place);
    }
    create_dir(&store.layout.skeletons())?;
    let scratch = Scratch::new(&store.layout.tmp())?;
    let made = scratch.path().join("skeleton");
    let failed = |path: &Path, source| Error::Write { path: path.to_owned(), source };
    make(&made, etc).map_err(|source| failed(&made, source))?;
    match fs::rename(&made, &place) {
        // Somebody else was faster.
        Err(_) if place.is_dir() => Ok(place),
        renamed => renamed.map(|()| place.clone()).map_err(|source| failed(&place, source)),
    }
}

fn make(root: &Path, etc: Attributes) -> io::Result<()> {
    let folder = |path: &Path| DirBuilder::new().mode(USUAL.mode).create(path);
    folder(root)?;
    FOLDERS.iter().try_for_each(|name| folder(&root.join(name)))?;
    let file =
        |name: &&str| OpenOptions::new().write(true).create_new(true).mode(0o755).open(root.join(name));
    FILES.iter().try_for_each(|name| file(name).map(drop))?;
    symlink("/proc/mounts", root.join("etc/mtab"))?;
    chown(root.join("etc"), Some(etc.uid), Some(etc.gid))?;
    fs::set_permissions(root.join("etc"), Permissions::from_mode(etc.mode))
}
