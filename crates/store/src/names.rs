//! Names of images: one file per name, since a name may be longer than a file's.

use crate::{Error, Store};
use sampan_spec::{Digest, Reference};
use serde::{Deserialize, Serialize};

/// `names/<sha256 of the name>.json`. Format break.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameRecord {
    /// The whole reference, with a tag or with a digest: `docker.io/library/debian:12`.
    pub name: String,
    /// The image's id.
    pub image: Digest,
}

/// Gives an image a name, which another image loses if it had it: its id is returned.
///
/// # Errors
/// [`Error::NoSuchImage`], or when the record cannot be written.
pub fn tag(store: &Store, image: &Digest, name: &Reference) -> Result<Option<Digest>, Error> {
    todo!()
}
