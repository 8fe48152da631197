//! What an image has at a volume's path goes into the volume when that is new, once.

use super::{Volume, VolumeError, Volumes, driver};
use crate::{Error, Result};
use sampan_spec::Digest;
use sampan_store::Store;
use sampan_store::volumes::{Found, fill, fill_mounted, is_empty, look, view};
use std::os::fd::OwnedFd;
use std::sync::OnceLock;

/// An image's files, mounted when somebody looks.
pub(crate) struct Image<'a> {
    store: &'a Store,
    chain: Option<&'a Digest>,
    tree: OnceLock<Option<OwnedFd>>,
}

impl<'a> Image<'a> {
    /// The files of the image with this topmost layer.
    pub(crate) fn new(store: &'a Store, chain: Option<&'a Digest>) -> Self {
        Self { store, chain, tree: OnceLock::new() }
    }

    /// What it has at a path.
    fn at(&self, path: &str) -> Result<Found> {
        if self.tree.get().is_none() {
            // Another thread's tree is as good.
            let _ = self.tree.set(view(self.store, self.chain)?);
        }
        match self.tree.get() {
            Some(Some(tree)) => Ok(look(tree, path)?),
            _ => Ok(Found::Nothing),
        }
    }
}

/// Fills an empty volume with what the image has at `path`. Blocks.
///
/// # Errors
/// When the image has a file there, or something cannot be mounted or copied.
pub(crate) fn populate(volumes: &Volumes, volume: &Volume, image: &Image<'_>, path: &str) -> Result<()> {
    let from = match image.at(path)? {
        Found::Nothing => return Ok(()),
        Found::Other => return Err(VolumeError::OverFile(path.to_owned()).into()),
        Found::Folder(folder) => folder,
    };
    let _held = volumes.hold(&volume.name);
    let filled = if volume.is_mount() {
        fill_mount(volumes, volume, &from)
    } else {
        let folder = volumes.folder(&volume.name);
        is_empty(&folder)
            .and_then(|empty| if empty { fill(&folder, &from) } else { Ok(()) })
            .map_err(Error::from)
    };
    filled.map_err(|error| VolumeError::Populate(Box::new(error)).into())
}

/// Docker mounts it for this and no longer: what goes to a tmpfs here is not there at the start.
fn fill_mount(volumes: &Volumes, volume: &Volume, from: &OwnedFd) -> Result<()> {
    driver::mount_now(volumes, volume)?;
    let folder = volumes.folder(&volume.name);
    let filled = is_empty(&folder).and_then(|empty| if empty { fill_mounted(&folder, from) } else { Ok(()) });
    if !volumes.is_mounted(&volume.name) {
        driver::unmount_now(volumes, &volume.name)?;
    }
    Ok(filled?)
}
