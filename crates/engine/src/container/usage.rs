//! How much room containers take.

use super::{Sizes, Snapshot, list, sizes};
use crate::Result;
use crate::engine::Engine;
use sampan_spec::with_sources;

/// A container and its size.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The container.
    pub snapshot: Snapshot,
    /// Its files.
    pub sizes: Sizes,
}

/// Measures all containers, the newest first. What is being measured already is not measured twice.
///
/// # Errors
/// Not because of one container: if it cannot be measured it counts as empty, and the log tells why.
pub async fn measured(engine: &Engine) -> Result<Vec<Measured>> {
    engine.measuring().containers.get(measure(engine.clone())).await
}

async fn measure(engine: Engine) -> Result<Vec<Measured>> {
    let mut all = Vec::new();
    for snapshot in list(&engine).await {
        let sizes = sizes(&engine, &snapshot).await.unwrap_or_else(|error| {
            tracing::warn!(
                container = snapshot.container.id.short(),
                "not measured: {}",
                with_sources(&error)
            );
            Sizes::default()
        });
        all.push(Measured { snapshot, sizes });
    }
    Ok(all)
}
