//! `image prune`: images that no container uses go.

use super::{Image, Removed};
use crate::blocking::blocking;
use crate::engine::Engine;
use crate::event::{self, Kind};
use crate::{Error, Result, container};
use sampan_spec::Digest;
use sampan_store::remove;
use std::collections::HashSet;

/// What went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// An entry for each image.
    pub removed: Vec<Removed>,
    /// How much space it took, in bytes.
    pub bytes: u64,
}

/// Removes all images that no container uses and `fits` says yes to. One that is in use by now is passed over.
///
/// # Errors
/// When something cannot be removed.
pub async fn prune(engine: &Engine, fits: impl Fn(&Image) -> bool) -> Result<Pruned> {
    let all = container::list(engine).await;
    let used: HashSet<Digest> = all.iter().map(|snapshot| snapshot.container.image.clone()).collect();
    let is_free = |image: &Image| !used.contains(&image.record.id) && !engine.is_wanted(&image.record.id);
    let mut pruned = Pruned::default();
    for image in super::list(engine).await.iter().filter(|image| is_free(image) && fits(image)) {
        let (store, id) = (engine.store().clone(), image.record.id.clone());
        let in_use = super::in_use(engine, &all).await;
        match blocking(move || remove::delete(&store, &id, &in_use)).await {
            Ok(removed) => {
                super::remove::tell(engine, image, &removed);
                pruned.bytes += removed.bytes;
                pruned.removed.push(removed);
            }
            Err(Error::Store(
                sampan_store::Error::Leased { .. } | sampan_store::Error::NoSuchImage { .. },
            )) => {}
            Err(error) => return Err(error),
        }
    }
    event::of_all(engine, Kind::Image, pruned.bytes);
    Ok(pruned)
}
