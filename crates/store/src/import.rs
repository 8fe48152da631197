//! `docker import`: an image of one layer from a tar of files.

use crate::{Error, Store};
use sampan_spec::{Digest, Platform, Reference, Timestamp};
use std::io::Read;

/// What to make of the tar.
#[derive(Clone, Debug)]
pub struct Request {
    /// The name that the image gets.
    pub name: Option<Reference>,
    /// Dockerfile instructions (`--change`), one a string.
    pub changes: Vec<String>,
    /// The image's comment (`--message`).
    pub message: String,
    /// What it is for.
    pub platform: Platform,
    /// Its time of creation.
    pub created: Timestamp,
    /// Files larger than this many bytes in all are refused.
    pub max_layer: u64,
}

/// The image that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Its id.
    pub id: Digest,
    /// The image that lost the name to it.
    pub replaced: Option<Digest>,
}

/// Makes an image of a tar, plain or compressed.
///
/// # Errors
/// See [`Error`]. Nothing is left of it then.
pub fn import(store: &Store, tar: impl Read + Send, request: &Request) -> Result<Imported, Error> {
    todo!()
}
