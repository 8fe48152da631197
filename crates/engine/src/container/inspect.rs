//! `inspect` and `ls`: what is so. They read published snapshots; but who was told of an end by a monitor must not be told
//! less by us, so the containers that this can be so of first catch up, all at once.

use super::{Handle, Snapshot};
use crate::Result;
use crate::engine::Engine;
use tokio::task::JoinSet;

/// Looks at a container.
///
/// # Errors
/// When there is none.
pub async fn inspect(engine: &Engine, name: &str) -> Result<Snapshot> {
    Ok(engine.containers().resolve(name)?.current().await)
}

/// All containers, the newest first.
pub async fn list(engine: &Engine) -> Vec<Snapshot> {
    let look = |handle: Handle| async move { handle.at_least_as_told().await };
    let looking: JoinSet<Snapshot> = engine.containers().all().into_iter().map(look).collect();
    let mut all = looking.join_all().await;
    all.sort_by_key(|snapshot| std::cmp::Reverse(snapshot.container.created));
    all
}
