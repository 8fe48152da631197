//! Taking names and images away. Whether a container stands in the way is for the caller to see first.

use crate::atomic::Scratch;
use crate::gc::{self, Candidates};
use crate::layout::name_key;
use crate::{Error, Store, images};
use sampan_spec::{Digest, Reference};

/// What was taken away, in the order in which `docker rmi` tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// `Untagged:` names.
    pub untagged: Vec<Reference>,
    /// `Deleted:` the image and then the chain ids of the layers that nothing else needs, topmost first. Empty if the
    /// image still has names.
    pub deleted: Vec<Digest>,
    /// The space that it took, in bytes.
    pub bytes: u64,
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
    let changes = store.changes();
    let (id, untag) = plan(store, typed, force)?;
    let mut removed = Removed::default();
    let last = untag.len() == store.index().names_of(&id).len();
    if last {
        check_leases(store, &id)?;
    }
    for name in untag {
        untag_locked(store, &name)?;
        removed.untagged.push(name);
    }
    if !last {
        return Ok(removed);
    }
    let rubbish = delete_locked(store, &id, in_use, &mut removed)?;
    drop(changes);
    drop(rubbish);
    Ok(removed)
}

/// Takes one name away and nothing else.
///
/// # Errors
/// [`Error::NoSuchImage`] if there is no such name.
pub fn untag(store: &Store, name: &Reference) -> Result<(), Error> {
    let _changes = store.changes();
    untag_locked(store, name)
}

/// Takes an image away with all its names and what only it needs.
///
/// # Errors
/// [`Error::NoSuchImage`], [`Error::Leased`], or when a file cannot be removed.
pub fn delete(store: &Store, image: &Digest, in_use: &InUse) -> Result<Removed, Error> {
    let changes = store.changes();
    let untagged = {
        let index = store.index();
        if !index.images.contains_key(image) {
            return Err(Error::NoSuchImage { typed: image.to_string() });
        }
        index.names_of(image)
    };
    check_leases(store, image)?;
    for name in &untagged {
        untag_locked(store, name)?;
    }
    let mut removed = Removed { untagged, ..Removed::default() };
    let rubbish = delete_locked(store, image, in_use, &mut removed)?;
    drop(changes);
    drop(rubbish);
    Ok(removed)
}

/// The image that is meant, and the names that it loses. It goes if these are all that it has.
fn plan(store: &Store, typed: &str, force: bool) -> Result<(Digest, Vec<Reference>), Error> {
    let index = store.index();
    let meant = images::find(&index, typed)?;
    let names = index.names_of(&meant.id);
    let Some(name) = meant.name else {
        if force || is_single(&names) {
            return Ok((meant.id, names));
        }
        return Err(Error::SeveralNames { id: meant.id });
    };
    Ok((meant.id, going_with(&names, &name)))
}

/// The names that an image loses with one of them: with a repository's last tag its digests go too, since they came with
/// it.
pub fn going_with(names: &[Reference], name: &Reference) -> Vec<Reference> {
    let in_repository = |other: &&Reference| other.name == name.name && *other != name;
    let has_other_tag = names.iter().filter(in_repository).any(|other| other.tag.is_some());
    let mut going = vec![name.clone()];
    if name.tag.is_some() && !has_other_tag {
        going.extend(names.iter().filter(in_repository).cloned());
    }
    going
}

/// Whether an image has at most one tag, and digests of that repository only.
fn is_single(names: &[Reference]) -> bool {
    let tags = names.iter().filter(|name| name.tag.is_some()).count();
    let same_repository = names.windows(2).all(|pair| pair[0].name == pair[1].name);
    names.len() <= 1 || (tags <= 1 && same_repository)
}

fn check_leases(store: &Store, id: &Digest) -> Result<(), Error> {
    match store.index().leases.contains_key(id) {
        true => Err(Error::Leased { id: id.clone() }),
        false => Ok(()),
    }
}

fn untag_locked(store: &Store, name: &Reference) -> Result<(), Error> {
    if !store.index().names.contains_key(name) {
        return Err(Error::NoSuchImage { typed: name.familiar() });
    }
    store.name_records.remove(&name_key(&name.to_string()))?;
    store.index().names.remove(name);
    Ok(())
}

/// The record first: what a killed removal leaves behind nobody refers to.
fn delete_locked(
    store: &Store,
    id: &Digest,
    in_use: &InUse,
    removed: &mut Removed,
) -> Result<Scratch, Error> {
    store.image_records.remove(id.hex())?;
    let entry = store.index().images.remove(id);
    let mut candidates = Candidates::default();
    if let Some(entry) = entry {
        candidates.layers = entry.chains.iter().rev().cloned().collect();
        candidates.blobs = entry.blobs().cloned().collect();
    }
    let (collected, rubbish) = gc::sweep(store, &candidates, in_use)?;
    removed.deleted.push(id.clone());
    removed.deleted.extend(collected.layers);
    removed.bytes = collected.bytes;
    Ok(rubbish)
}
