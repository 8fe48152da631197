//! Unpacked layers, by chain id, for the overlay driver.
//!
//! ```text
//! snapshots/overlay/<chain id>/fs/           the layer's files as an overlay's lower folder
//!                             layer.json     [`LayerRecord`]
//!                             framing        the layer's tar without its files' contents (`extract::record`)
//!                             kept/<n>       files that a later entry of the same tar replaced
//! ```

use crate::{Error, Store};
use sampan_spec::Digest;
use sampan_spec::bundle::RootFs;
use std::io::Write;
use std::path::Path;

/// The root file system of a container of the image with this topmost layer (`Image::chain`), with the writable layer
/// that [`crate::rw::create`] made in `container`. An image without layers gets an empty folder.
///
/// # Errors
/// [`Error::NoSnapshot`].
pub fn rootfs(
    store: &Store,
    chain: Option<&Digest>,
    container: &Path,
    volatile: bool,
) -> Result<RootFs, Error> {
    todo!()
}

/// Writes the plain tar of a layer, byte for byte as it came.
///
/// # Errors
/// [`Error::NoSnapshot`], [`Error::Rebuild`].
pub fn rebuild(store: &Store, chain: &Digest, to: &mut dyn Write) -> Result<(), Error> {
    todo!()
}
