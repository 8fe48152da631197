//! `inspect` and `ls`: what is so. They read published snapshots; only `inspect` first has its container catch up.

use super::Snapshot;
use crate::Result;
use crate::engine::Engine;

/// Looks at a container.
///
/// # Errors
/// When there is none.
pub async fn inspect(engine: &Engine, name: &str) -> Result<Snapshot> {
    Ok(engine.containers().resolve(name)?.current().await)
}

/// All containers, the newest first.
pub async fn list(engine: &Engine) -> Vec<Snapshot> {
    let mut all: Vec<Snapshot> = engine.containers().all().iter().map(super::Handle::snapshot).collect();
    all.sort_by_key(|snapshot| std::cmp::Reverse(snapshot.container.created));
    all
}
