//! `volume inspect`.

use super::{Snapshot, VolumeError};
use crate::Result;
use crate::engine::Engine;

/// The volume of this name.
///
/// # Errors
/// When there is none.
pub fn inspect(engine: &Engine, name: &str) -> Result<Snapshot> {
    let missing = || VolumeError::NotFound(name.to_owned());
    Ok(engine.volumes().snapshot(name).ok_or_else(missing)?)
}
