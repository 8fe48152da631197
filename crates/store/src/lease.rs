//! Leases: what must not be collected while someone works with it, held in memory.

use crate::Store;
use sampan_spec::Digest;

/// Keeps an image, its layers and its blobs from being removed until it is dropped.
#[derive(Debug)]
pub struct Lease<'a> {
    store: &'a Store,
    content: Vec<Digest>,
}
