//! `prune`: all containers that do not run are removed.

use super::{Removal, Snapshot, list, remove, sizes};
use crate::Error;
use crate::engine::Engine;
use crate::event::{self, Kind};
use sampan_spec::with_sources;

/// What was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The containers' ids.
    pub ids: Vec<String>,
    /// The bytes of their writable layers.
    pub bytes: u64,
}

/// Removes the containers that do not run and that `fits`. One that cannot be removed stays, and the others go.
pub async fn prune(engine: &Engine, fits: impl Fn(&Snapshot) -> bool) -> Pruned {
    let mut pruned = Pruned::default();
    for snapshot in
        list(engine).await.iter().filter(|snapshot| !snapshot.state.phase.is_active() && fits(snapshot))
    {
        let id = snapshot.container.id.as_str();
        let bytes = sizes(engine, snapshot).await.map_or(0, |sizes| sizes.own);
        match remove(engine, id, Removal::default()).await {
            Ok(()) => {
                pruned.ids.push(id.to_owned());
                pruned.bytes += bytes;
            }
            // It was started or removed meanwhile.
            Err(Error::RemoveRunning { .. } | Error::NoSuchContainer(_) | Error::Removing(_)) => {}
            Err(error) => tracing::warn!(
                container = snapshot.container.id.short(),
                "not pruned: {}",
                with_sources(&error)
            ),
        }
    }
    event::of_all(engine, Kind::Container, pruned.bytes);
    pruned
}
