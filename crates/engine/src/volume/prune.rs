//! `volume prune`: those that no container uses.

use super::{Snapshot, VolumeError, discard};
use crate::blocking::blocking;
use crate::engine::Engine;
use crate::event::{self, Kind};
use crate::{Error, Result};
use sampan_spec::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a prune has removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The volumes' names.
    pub names: Vec<String>,
    /// How many bytes their files had.
    pub bytes: u64,
}

/// Removes all volumes that no container uses and that are `wanted`.
///
/// # Errors
/// When another prune is at work, or a volume cannot be removed.
pub async fn prune(engine: &Engine, wanted: impl Fn(&Snapshot) -> bool + Send + 'static) -> Result<Pruned> {
    let engine = engine.clone();
    blocking(move || {
        let _turn = Turn::take(&engine.volumes().pruning)?;
        let mut pruned = Pruned::default();
        let all = engine.volumes().all().into_iter();
        for snapshot in all.filter(|snapshot| snapshot.users.is_empty() && wanted(snapshot)) {
            prune_one(&engine, &snapshot, &mut pruned)?;
        }
        event::of_all(&engine, Kind::Volume, pruned.bytes);
        Ok::<_, Error>(pruned)
    })
    .await
}

fn prune_one(engine: &Engine, snapshot: &Snapshot, pruned: &mut Pruned) -> Result<()> {
    let name = &snapshot.volume.name;
    let bytes = sampan_store::volumes::size(&engine.volumes().folder(name)).unwrap_or(0);
    match discard(engine.volumes(), engine.store(), name) {
        // Somebody uses it since, or has removed it.
        Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound) => Ok(()),
        Err(error) => Err(error),
        Ok(_discarded) => {
            event::volume(engine, "destroy", name);
            pruned.names.push(name.clone());
            pruned.bytes += bytes;
            Ok(())
        }
    }
}

/// One prune at a time, as with Docker.
struct Turn<'a>(&'a AtomicBool);

impl<'a> Turn<'a> {
    fn take(busy: &'a AtomicBool) -> Result<Self> {
        if busy.swap(true, Ordering::AcqRel) { Err(VolumeError::Pruning.into()) } else { Ok(Self(busy)) }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
