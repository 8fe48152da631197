//! `diff`: what a container has changed in its image's files; and how large that is.

use super::{Snapshot, bundle};
use crate::blocking::blocking;
use crate::engine::Engine;
use crate::{Error, Result};
use sampan_store::{images, rw};

pub use sampan_store::diff::{Change, ChangeKind};

/// Where the runtime mounts something in every container, and makes a place for it.
const MADE: [&str; 6] = ["/dev", "/proc", "/sys", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf"];

/// What a container has changed, by path.
///
/// # Errors
/// When there is none, or its files cannot be read.
pub async fn diff(engine: &Engine, name: &str) -> Result<Vec<Change>> {
    let container = engine.containers().resolve(name)?.container();
    let root = bundle::rootfs(engine, &container).await?;
    blocking(move || sampan_store::diff::changes(&root, &MADE)).await
}

/// The sizes of a container's files in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Of its writable layer.
    pub own: u64,
    /// Of that and the image's layers.
    pub all: u64,
}

/// Measures a container's files.
///
/// # Errors
/// When they cannot be read.
pub async fn sizes(engine: &Engine, snapshot: &Snapshot) -> Result<Sizes> {
    let container = &snapshot.container;
    let home = engine.paths().container(&container.id, container.config.host.auto_remove).home;
    let (store, image) = (engine.store().clone(), container.image.clone());
    blocking(move || {
        let own = rw::size(&home)?;
        let of_image = images::get(&store, &image).map_or(0, |image| image.size);
        Ok::<_, Error>(Sizes { own, all: own + of_image })
    })
    .await
}
