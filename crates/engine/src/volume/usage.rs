//! How much room volumes take.

use super::Snapshot;
use crate::Result;
use crate::blocking::blocking;
use crate::engine::Engine;
use sampan_spec::with_sources;

/// A volume and its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The volume.
    pub snapshot: Snapshot,
    /// The size of its files in bytes, hard links once; `None` if they cannot be read, and the log tells why.
    pub bytes: Option<u64>,
}

/// Measures all volumes that are folders: what is in one that is a mount is not the engine's. What is being measured
/// already is not measured twice.
///
/// # Errors
/// When no thread can be had.
pub async fn usage(engine: &Engine) -> Result<Vec<Usage>> {
    let own = engine.clone();
    let measuring = blocking(move || {
        let all = own.volumes().all().into_iter().filter(|snapshot| !snapshot.volume.is_mount());
        Ok::<_, crate::Error>(all.map(|snapshot| measure(&own, snapshot)).collect())
    });
    engine.measuring().volumes.get(measuring).await
}

fn measure(engine: &Engine, snapshot: Snapshot) -> Usage {
    let name = &snapshot.volume.name;
    let measured = sampan_store::volumes::size(&engine.volumes().folder(name));
    let bytes =
        measured.inspect_err(|error| tracing::warn!(volume = name, "not measured: {}", with_sources(&error)));
    Usage { bytes: bytes.ok(), snapshot }
}
