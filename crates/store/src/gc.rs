//! Garbage collection: what no image, no lease and no container refers to goes.

use crate::atomic::{self, Scratch};
use crate::remove::InUse;
use crate::{Error, Store};
use sampan_spec::Digest;
use std::fs;

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
    let changes = store.changes();
    let layers = store.index().layers.keys().cloned().collect();
    let candidates = Candidates { layers, blobs: all_blobs(store)? };
    let (collected, rubbish) = sweep(store, &candidates, in_use)?;
    drop(changes);
    drop(rubbish);
    Ok(collected)
}

/// What may go if nothing needs it.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    pub(crate) layers: Vec<Digest>,
    pub(crate) blobs: Vec<Digest>,
}

/// Takes what nothing needs of `candidates` out of the index and its place. Layers are in the folder that is returned,
/// which removes them when it is dropped: that takes longer, and needs no lock. The caller holds the lock of changes.
pub(crate) fn sweep(
    store: &Store,
    candidates: &Candidates,
    in_use: &InUse,
) -> Result<(Collected, Scratch), Error> {
    let rubbish = Scratch::new(&store.layout.tmp())?;
    let (layers, blobs) = take_out(store, candidates, in_use);
    let mut collected = Collected::default();
    for (chain, size) in layers {
        let to = rubbish.path().join(chain.hex());
        let moved = fs::rename(store.layout.snapshot(&chain), &to);
        moved.map_err(|source| Error::Write { path: to, source })?;
        collected.bytes += size;
        collected.layers.push(chain);
    }
    for digest in blobs {
        let path = store.layout.blob(&digest);
        let Ok(metadata) = fs::metadata(&path) else { continue };
        atomic::remove_all(&path)?;
        collected.bytes += metadata.len();
        collected.blobs.push(digest);
    }
    Ok((collected, rubbish))
}

/// What is to go; the layers with their sizes, which are out of the index from here on.
fn take_out(store: &Store, candidates: &Candidates, in_use: &InUse) -> (Vec<(Digest, u64)>, Vec<Digest>) {
    let mut index = store.index();
    let (needed_layers, needed_blobs) = (index.needed_layers(&in_use.chains), index.needed_blobs());
    let mut layers = Vec::new();
    for chain in candidates.layers.iter().filter(|chain| !needed_layers.contains(*chain)) {
        if let Some(layer) = index.layers.remove(chain) {
            layers.push((chain.clone(), layer.size));
        }
    }
    let blobs = candidates.blobs.iter().filter(|blob| !needed_blobs.contains(*blob)).cloned().collect();
    (layers, blobs)
}

fn all_blobs(store: &Store) -> Result<Vec<Digest>, Error> {
    let path = store.layout.blobs();
    let failed = |source| Error::Read { path: path.clone(), source };
    let mut blobs = Vec::new();
    for entry in fs::read_dir(&path).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        blobs.extend(format!("sha256:{}", name.to_string_lossy()).parse::<Digest>());
    }
    Ok(blobs)
}
