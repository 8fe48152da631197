//! `docker load`: images from an archive.

use crate::{Error, Store};
use sampan_spec::{Digest, Platform, Reference};
use std::io::Read;

/// How to load.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which image of an index to take.
    pub platform: Platform,
    /// A layer whose files are larger than this many bytes is refused.
    pub max_layer: u64,
}

/// One image that was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Its id.
    pub id: Digest,
    /// The names that it got, in the archive's order.
    pub names: Vec<Reference>,
    /// Of these, the ones that another image lost, and that image's id.
    pub replaced: Vec<(Reference, Digest)>,
}

/// What is going on, for progress bars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Bytes of the archive that were read.
    Read {
        /// So far.
        bytes: u64,
    },
    /// A layer is being unpacked.
    Layer {
        /// Its diff id.
        layer: Digest,
        /// Bytes of its blob unpacked so far.
        done: u64,
        /// The size of its blob.
        total: u64,
    },
}

/// Loads every image of an archive of `docker save` or an OCI layout, plain or compressed. All of them are there with
/// their names when this returns; if it fails, none of its content is left.
///
/// # Errors
/// See [`Error`].
pub fn load(
    store: &Store,
    archive: impl Read + Send,
    options: &Options,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Vec<Loaded>, Error> {
    todo!()
}
