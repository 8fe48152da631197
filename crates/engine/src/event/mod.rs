//! Events: what happened, told to whoever listens and kept for those who ask later.
//!
//! What happens to a container is told from its journal's entries ([`story`]), so that what happened without a daemon is told
//! by the next one, with the journal's own times; the verbs tell the rest. Every event goes to the file ([`file`]) and to
//! the listeners ([`Hub`]). Which entries were told is in the file, too: nothing is told twice.

mod file;
mod follow;
mod hub;
mod recover;
mod story;
mod tell;

pub use follow::{Followed, follow, history, listeners};
pub(crate) use hub::{Hub, Writer};
pub(crate) use recover::tell_what_is_gone;
pub(crate) use story::Story;
pub(crate) use tell::{container, entry, image, image_attributes, of_all, volume};

use crate::engine::Engine;
use sampan_spec::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the nouns of the engine")]
pub enum Kind {
    Container,
    Image,
    Network,
    Volume,
}

impl Kind {
    /// Docker's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Image => "image",
            Self::Network => "network",
            Self::Volume => "volume",
        }
    }
}

/// Words about an event.
pub type Attributes = BTreeMap<String, String>;

/// Something that happened. A line of the events' file: format break.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Counts up by one from 1, in the order of telling.
    pub number: u64,
    /// When it happened; what happened without a daemon is told later.
    pub time: Timestamp,
    /// What it is about.
    pub kind: Kind,
    /// What happened, in Docker's words.
    pub action: String,
    /// To whom: an id, a name, or nothing for all of a kind.
    pub id: String,
    /// More about it.
    pub attributes: Attributes,
    /// The number of the entry in the container's journal that tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<u64>,
}

/// An event that has no number yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct News {
    pub(crate) time: Timestamp,
    pub(crate) kind: Kind,
    pub(crate) action: String,
    pub(crate) id: String,
    pub(crate) attributes: Attributes,
    pub(crate) entry: Option<u64>,
}

/// Attributes from pairs.
pub(crate) fn attributes<const N: usize>(pairs: [(&str, String); N]) -> Attributes {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Waits until all that was told is in the file.
pub async fn flush(engine: &Engine) {
    engine.events().flush().await;
}
