//! How much room volumes take.

use super::Snapshot;
use crate::Result;
use crate::blocking::blocking;
use crate::engine::Engine;

/// A volume and its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The volume.
    pub snapshot: Snapshot,
    /// The size of its files in bytes, hard links once; `None` where that is not the engine's disk: the volume is a mount.
    pub bytes: Option<u64>,
}

/// Measures all volumes.
///
/// # Errors
/// When one cannot be read.
pub async fn usage(engine: &Engine) -> Result<Vec<Usage>> {
    let engine = engine.clone();
    blocking(move || {
        let measure = |snapshot: Snapshot| {
            let folder = engine.volumes().folder(&snapshot.volume.name);
            let bytes = match snapshot.volume.is_mount() {
                true => None,
                false => Some(sampan_store::volumes::size(&folder)?),
            };
            Ok::<_, crate::Error>(Usage { snapshot, bytes })
        };
        engine.volumes().all().into_iter().map(measure).collect()
    })
    .await
}
