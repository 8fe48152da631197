//! Blobs: content by digest, as it came. `blobs/sha256/<hex>`.

use crate::{Error, Store};
use sampan_image::Content;
use sampan_spec::Digest;
use std::fs::File;
use std::io::{self, Read};

/// Opens a blob. `None` if it is not there.
///
/// # Errors
/// When it cannot be opened.
pub fn open(store: &Store, digest: &Digest) -> Result<Option<File>, Error> {
    todo!()
}
