//! `history`: how an image was made.

use super::{Image, Step};
use crate::Result;
use crate::blocking::blocking;
use crate::engine::Engine;
use sampan_store::images;

/// The image that a user means, and the steps of its making, newest first.
///
/// # Errors
/// When there is none, or more than one.
pub async fn history(engine: &Engine, typed: &str) -> Result<(Image, Vec<Step>)> {
    let (store, typed) = (engine.store().clone(), typed.to_owned());
    blocking(move || {
        let image = images::resolve(&store, &typed)?;
        let steps = images::history(&store, &image.record.id)?;
        Ok::<_, sampan_store::Error>((image, steps))
    })
    .await
}
