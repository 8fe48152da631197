//! The engine in numbers.

use crate::container::{self, Phase};
use crate::engine::Engine;

/// The engine in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// Containers that run.
    pub running: usize,
    /// Containers that are paused.
    pub paused: usize,
    /// Containers that do neither.
    pub stopped: usize,
    /// Images, untagged ones too.
    pub images: usize,
    /// The file system below the data-root is used with this driver.
    pub driver: &'static str,
}

/// Counts what is there.
pub async fn info(engine: &Engine) -> Info {
    let mut info =
        Info { driver: "overlay2", images: crate::image::list(engine).await.len(), ..Info::default() };
    for snapshot in container::list(engine).await {
        match snapshot.state.phase {
            Phase::Running { .. } | Phase::Restarting => info.running += 1,
            Phase::Paused { .. } => info.paused += 1,
            _ => info.stopped += 1,
        }
    }
    info
}
