//! Images: the store's verbs, with what containers have to do with it.

mod history;
mod login;
mod prune;
mod pull;
mod remove;
mod turns;

pub use history::history;
pub use login::login;
pub use prune::{Pruned, prune};
pub(crate) use pull::expire;
pub use pull::{Credentials, LayerState, Progress, Pulled, Request as PullRequest, Tell, pull};
pub(crate) use remove::in_use;
pub use remove::{Removal, Removed, remove};
pub use sampan_image::Step;
pub use sampan_registry::{Config as RegistryConfig, Insecure, Mirror};
pub use sampan_store::images::{Image, ImageLayer, ImageRecord, Usage};
pub use sampan_store::import::{Imported, Request as ImportRequest};
pub use sampan_store::load::Loaded;
pub(crate) use turns::Turns;

use crate::blocking::blocking;
use crate::engine::Engine;
use crate::event;
use crate::{Error, Result};
use sampan_spec::{Digest, Platform, Reference, Timestamp};
use sampan_store::{images, import, load, names};
use std::io::Read;

/// The largest layer that is unpacked, in bytes: larger ones are taken for bombs.
const LAYER_MAX: u64 = 1 << 40;

/// All images, the newest first.
pub async fn list(engine: &Engine) -> Vec<Image> {
    let store = engine.store().clone();
    blocking(move || Ok::<_, Error>(images::list(&store))).await.unwrap_or_default()
}

/// All images with what they share, and how much room their layers take.
///
/// # Errors
/// When no thread can be had.
pub async fn usage(engine: &Engine) -> Result<Usage> {
    let store = engine.store().clone();
    blocking(move || Ok::<_, Error>(images::usage(&store))).await
}

/// The image that a user means by a name, a digest or the beginning of an id.
///
/// # Errors
/// When there is none, or more than one.
pub async fn find(engine: &Engine, typed: &str) -> Result<Image> {
    let (store, typed) = (engine.store().clone(), typed.to_owned());
    blocking(move || images::resolve(&store, &typed)).await
}

/// Whether the image that a user means is for this platform.
///
/// # Errors
/// [`Error::OtherPlatform`] if it is not, or when there is no such image.
pub async fn check_platform(engine: &Engine, typed: &str, asked: &Platform) -> Result<()> {
    let found = find(engine, typed).await?.config.platform();
    if found.fitness(asked) == Some(0) {
        return Ok(());
    }
    let reference = typed.parse::<Reference>().map_or_else(|_| typed.to_owned(), |name| name.familiar());
    Err(Error::OtherPlatform { reference, found: found.to_string(), asked: asked.to_string() })
}

/// Loads all images of an archive (`docker save`, OCI layout).
///
/// # Errors
/// When the archive is not right, or there is no space: nothing of it stays.
pub async fn load(engine: &Engine, archive: impl Read + Send + 'static) -> Result<Vec<Loaded>> {
    let store = engine.store().clone();
    let options = load::Options { platform: Platform::host(), max_layer: LAYER_MAX };
    let loaded = blocking(move || load::load(&store, archive, &options, &|_| {})).await?;
    for one in &loaded {
        tell(engine, "load", &one.id).await;
    }
    Ok(loaded)
}

/// Makes an image of a tar of files.
///
/// # Errors
/// When the tar or a change is not right, or there is no space: nothing of it stays.
pub async fn import(
    engine: &Engine,
    tar: impl Read + Send + 'static,
    name: Option<Reference>,
    changes: Vec<String>,
    message: String,
) -> Result<Imported> {
    let store = engine.store().clone();
    let named = name.as_ref().map(Reference::familiar);
    let request = ImportRequest {
        name,
        changes,
        message,
        platform: Platform::host(),
        created: Timestamp::now(),
        max_layer: LAYER_MAX,
    };
    let imported = blocking(move || import::import(&store, tar, &request)).await?;
    let id = imported.id.to_string();
    if let Some(name) = named {
        event::image(
            engine,
            "tag",
            &id,
            event::image_attributes(find(engine, &id).await.ok().as_ref(), &name),
        );
    }
    tell(engine, "import", &imported.id).await;
    Ok(imported)
}

/// Tells of an image under its id.
async fn tell(engine: &Engine, action: &str, id: &Digest) {
    let id = id.to_string();
    // It may have been removed already.
    let image = find(engine, &id).await.ok();
    event::image(engine, action, &id, event::image_attributes(image.as_ref(), &id));
}

/// Gives an image another name. Whoever had the name loses it.
///
/// # Errors
/// When there is no such image.
pub async fn tag(engine: &Engine, typed: &str, name: Reference) -> Result<()> {
    let image = find(engine, typed).await?;
    let store = engine.store().clone();
    let id: Digest = image.record.id.clone();
    let familiar = name.familiar();
    blocking(move || names::tag(&store, &id, &name)).await?;
    let about = event::image_attributes(Some(&image), &familiar);
    event::image(engine, "tag", image.record.id.as_str(), about);
    Ok(())
}
