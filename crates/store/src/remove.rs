//! Taking names and images away. Whether a container stands in the way is for the caller to see first.

use crate::{Error, Store};
use sampan_spec::{Digest, Reference};

/// What was taken away, in the order in which `docker rmi` tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// `Untagged:` names.
    pub untagged: Vec<Reference>,
    /// `Deleted:` the image and then the chain ids of the layers that nothing else needs, topmost first. Empty if the
    /// image still has names.
    pub deleted: Vec<Digest>,
}

/// What may not be removed though no image needs it: what containers use.
#[derive(Clone, Debug, Default)]
pub struct InUse {
    /// Chain ids of the topmost layers of containers. All layers below are kept too.
    pub chains: std::collections::HashSet<Digest>,
}

/// `docker rmi <typed>`: takes a name away, and the image with it if that was its last one; an id takes the image away
/// with all its names, which needs `force` if they are of several repositories.
///
/// # Errors
/// [`Error::NoSuchImage`], [`Error::Ambiguous`], [`Error::SeveralNames`], [`Error::Leased`], or when a file cannot be
/// removed.
pub fn remove(store: &Store, typed: &str, force: bool, in_use: &InUse) -> Result<Removed, Error> {
    todo!()
}

/// Takes one name away and nothing else.
///
/// # Errors
/// [`Error::NoSuchImage`] if there is no such name.
pub fn untag(store: &Store, name: &Reference) -> Result<(), Error> {
    todo!()
}

/// Takes an image away with all its names and what only it needs.
///
/// # Errors
/// [`Error::NoSuchImage`], [`Error::Leased`], or when a file cannot be removed.
pub fn delete(store: &Store, image: &Digest, in_use: &InUse) -> Result<Removed, Error> {
    todo!()
}
