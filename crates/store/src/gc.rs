//! Garbage collection: what no image, no lease and no container refers to goes.

use crate::remove::InUse;
use crate::{Error, Store};
use sampan_spec::Digest;

/// What was collected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Chain ids of layers.
    pub layers: Vec<Digest>,
    /// Blobs.
    pub blobs: Vec<Digest>,
    /// The space that they took, in bytes: blobs as they are, layers by the size of their files.
    pub bytes: u64,
}

/// Removes every layer and blob that no image, no lease and nothing in `in_use` needs. Images are not touched.
///
/// # Errors
/// When something cannot be removed. What was to be removed is out of the index all the same, and goes at the next
/// opening.
pub fn collect(store: &Store, in_use: &InUse) -> Result<Collected, Error> {
    todo!()
}
