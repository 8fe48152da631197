//! `rmi`: a name goes, and the image with its last name, unless a container needs it.

use super::Image;
use crate::blocking::blocking;
use crate::container::{self, Snapshot};
use crate::engine::Engine;
use crate::event;
use crate::{Error, Result};
use sampan_spec::{Digest, Reference};
use sampan_store::remove::{self, InUse};

pub use sampan_store::remove::Removed;

/// How an image is to be removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removal {
    /// Also if it has several names or stopped containers were made of it.
    pub force: bool,
}

/// Removes a name or an image.
///
/// # Errors
/// When there is none, it is ambiguous, or a container needs it.
pub async fn remove(engine: &Engine, typed: &str, removal: Removal) -> Result<Removed> {
    let image = super::find(engine, typed).await?;
    let all = container::list(engine).await;
    let users: Vec<&Snapshot> = all.iter().filter(|s| s.container.image == image.record.id).collect();
    let by_id = is_id(typed, &image.record.id);
    let typed_name = image.names.iter().find(|name| typed.parse().as_ref() == Ok(*name)).cloned();
    let going = typed_name.as_ref().map(|name| remove::going_with(&image.names, name));
    let only_untag = !by_id && going.as_ref().is_some_and(|going| going.len() < image.names.len());
    if !only_untag {
        check_users(&image, typed, by_id, removal.force, &users)?;
    }
    let keep_content = !users.is_empty() || engine.is_wanted(&image.record.id);
    let (store, typed, in_use) = (engine.store().clone(), typed.to_owned(), in_use(engine, &all).await);
    let all_names = image.names.clone();
    let removed = blocking(move || {
        let names: Vec<Reference> = match going {
            Some(going) if only_untag || keep_content => going,
            // Containers were made of it: it stays, without a name.
            None if keep_content => all_names,
            _ => return remove::remove(&store, &typed, removal.force, &in_use),
        };
        names.iter().try_for_each(|name| remove::untag(&store, name))?;
        Ok(Removed { untagged: names, ..Removed::default() })
    });
    let removed = removed.await?;
    tell(engine, &image, &removed);
    Ok(removed)
}

/// Tells which names are gone, and whether the image is.
pub(super) fn tell(engine: &Engine, image: &Image, removed: &Removed) {
    let id = image.record.id.to_string();
    for _ in &removed.untagged {
        event::image(engine, "untag", &id, event::image_attributes(Some(image), &id));
    }
    if !removed.deleted.is_empty() {
        event::image(engine, "delete", &id, event::image_attributes(None, &id));
    }
}

fn is_id(typed: &str, id: &Digest) -> bool {
    let bare = typed.strip_prefix("sha256:").unwrap_or(typed);
    id.hex().starts_with(bare)
}

/// Docker's three refusals: a running container is never overruled, a stopped one by force.
fn check_users(image: &Image, typed: &str, by_id: bool, force: bool, users: &[&Snapshot]) -> Result<()> {
    let running = users.iter().find(|s| s.state.phase.is_active());
    let Some(user) = running.or(users.first()) else { return Ok(()) };
    let (container, id) = (user.container.id.short(), image.record.id.short());
    let text = match (by_id, running.is_some()) {
        (true, true) => format!(
            "unable to delete {id} (cannot be forced) - image is being used by running container {container}"
        ),
        (true, false) if !force => {
            format!(
                "unable to delete {id} (must be forced) - image is being used by stopped container {container}"
            )
        }
        (false, _) if !force => format!(
            "unable to remove repository reference \"{typed}\" (must force) - container {container} is using its referenced image {id}"
        ),
        _ => return Ok(()),
    };
    Err(Error::ImageInUse(text))
}

/// The layers that containers stand on.
pub(crate) async fn in_use(engine: &Engine, containers: &[Snapshot]) -> InUse {
    let ids: std::collections::HashSet<&Digest> = containers.iter().map(|s| &s.container.image).collect();
    let images = super::list(engine).await;
    let chains =
        images.into_iter().filter(|image| ids.contains(&image.record.id)).filter_map(|image| image.chain);
    InUse { chains: chains.collect() }
}
