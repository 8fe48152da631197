//! What the verbs tell, each in one line.

use super::file::CREATE;
use super::story::{driver, of_container};
use super::{Attributes, Kind, News, Story, attributes};
use crate::container::Container;
use crate::engine::Engine;
use sampan_spec::Timestamp;
use sampan_spec::journal::{Entry, Summary};

fn now(kind: Kind, action: &str, id: &str, attributes: Attributes) -> News {
    let (action, id) = (action.to_owned(), id.to_owned());
    News { time: Timestamp::now(), kind, action, id, attributes, entry: None }
}

/// Something happened to a container that its journal does not say.
pub(crate) fn container(engine: &Engine, container: &Container, action: &str, more: Attributes) {
    let attributes = of_container(container).into_iter().chain(more).collect();
    let mut news = now(Kind::Container, action, container.id.as_str(), attributes);
    if action == CREATE {
        news.time = container.created;
    }
    engine.events().tell(news);
}

/// A journal's entry, unless it was told before. `before` is the fold of the entries before it.
pub(crate) fn entry(
    engine: &Engine,
    container: &Container,
    story: &mut Story,
    before: &Summary,
    entry: &Entry,
) {
    let told = engine.events().told().get(container.id.as_str()).copied().unwrap_or_default();
    for (kind, action, id, attributes) in story.events(engine, container, before, entry) {
        if entry.seq > told {
            let number = (kind == Kind::Container).then_some(entry.seq);
            engine.events().tell(News { time: entry.time, kind, action, id, attributes, entry: number });
        }
    }
}

/// Something happened to an image: `id` is its id, or its name where it was pulled.
pub(crate) fn image(engine: &Engine, action: &str, id: &str, attributes: Attributes) {
    engine.events().tell(now(Kind::Image, action, id, attributes));
}

/// What an event about an image says: its labels, and its name.
pub(crate) fn image_attributes(image: Option<&crate::image::Image>, name: &str) -> Attributes {
    let labels = image.map(|image| image.config.document().config.labels.clone()).unwrap_or_default();
    labels.into_iter().chain(attributes([("name", name.to_owned())])).collect()
}

/// Something happened to a volume.
pub(crate) fn volume(engine: &Engine, action: &str, name: &str) {
    engine.events().tell(now(Kind::Volume, action, name, attributes([driver()])));
}

/// All that are not needed were removed.
pub(crate) fn of_all(engine: &Engine, kind: Kind, bytes: u64) {
    engine.events().tell(now(kind, "prune", "", attributes([("reclaimed", bytes.to_string())])));
}
