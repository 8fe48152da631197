//! Names of images: one file per name, since a name may be longer than a file's.

use crate::layout::name_key;
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

/// Gives an image a name (by its tag, if it has a tag and a digest), which another image loses if it had it: its id is
/// returned.
///
/// # Errors
/// [`Error::NoSuchImage`], or when the record cannot be written.
pub fn tag(store: &Store, image: &Digest, name: &Reference) -> Result<Option<Digest>, Error> {
    let name = plain(name);
    let _changes = store.changes();
    let former = {
        let index = store.index();
        if !index.images.contains_key(image) {
            return Err(Error::NoSuchImage { typed: image.to_string() });
        }
        index.names.get(&name).cloned()
    };
    if former.as_ref() == Some(image) {
        return Ok(None);
    }
    let record = NameRecord { name: name.to_string(), image: image.clone() };
    store.name_records.put(&name_key(&record.name), &record)?;
    store.index().names.insert(name, image.clone());
    Ok(former)
}

/// A name as it is kept: with a tag or a digest, not both.
pub(crate) fn plain(name: &Reference) -> Reference {
    let mut name = name.clone();
    if name.tag.is_some() {
        name.digest = None;
    }
    name
}
