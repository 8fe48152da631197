//! `volume ls`.

use super::Snapshot;
use crate::engine::Engine;

/// All volumes, by name.
pub fn list(engine: &Engine) -> Vec<Snapshot> {
    engine.volumes().all()
}
