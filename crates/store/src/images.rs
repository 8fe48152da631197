//! The images that are there: their records, the list of them, and what a user means by a word.

use crate::{Error, Store};
use sampan_image::{Descriptor, ImageConfig};
use sampan_spec::{Digest, Reference, Timestamp};
use serde::{Deserialize, Serialize};

/// `images/<id>.json`. Format break.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRecord {
    /// The digest of its configuration, which is Docker's image id.
    pub id: Digest,
    /// Its layers, lowest first.
    pub layers: Vec<ImageLayer>,
    /// The manifest it came with, kept as a blob; archives of `docker save` have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Descriptor>,
    /// When it came here.
    pub added: Timestamp,
    /// How it came here.
    pub source: Source,
}

/// One layer of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageLayer {
    /// The digest of its plain tar.
    pub diff_id: Digest,
    /// The blob as it came. It may be gone from the store to save space: the tar can be rebuilt.
    pub blob: Descriptor,
}

/// How an image came here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// It is built into the program.
    Builtin,
    /// From an archive.
    Load,
    /// From a tar of files.
    Import,
    /// From a registry.
    Pull,
}

/// An image with everything the store knows of it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Image {
    /// Its record.
    pub record: std::sync::Arc<ImageRecord>,
    /// Its configuration.
    pub config: ImageConfig,
    /// Its names, sorted; with a tag or with a digest, never both.
    pub names: Vec<Reference>,
    /// The chain id of its topmost layer; `None` if it has no layer.
    pub chain: Option<Digest>,
    /// The size of its unpacked files, in bytes, as Docker counts it: every layer's, hard links once.
    pub size: u64,
}

/// All images, the youngest (by its configuration's `created`) first; untagged ones too.
pub fn list(store: &Store) -> Vec<Image> {
    todo!()
}

/// The image with this id.
///
/// # Errors
/// [`Error::NoSuchImage`].
pub fn get(store: &Store, id: &Digest) -> Result<Image, Error> {
    todo!()
}

/// What a user means by `name`, `name:tag`, `name@sha256:...`, `sha256:<id>` or the beginning of an id. A name goes
/// before an id that begins so.
///
/// # Errors
/// [`Error::NoSuchImage`], [`Error::Ambiguous`], [`Error::Reference`].
pub fn resolve(store: &Store, typed: &str) -> Result<Image, Error> {
    todo!()
}
