//! At the daemon's start: containers that are gone without anybody having said so.

use super::file::{self, CREATE, DESTROY};
use super::{Attributes, Event, Kind, News};
use crate::Result;
use crate::blocking::blocking;
use crate::engine::Engine;
use sampan_spec::{ContainerId, Timestamp};
use std::collections::HashSet;

/// Tells of the end of containers whose record went before their end was told: a daemon was killed in between, or they lived
/// in memory and the host was started anew. Those that were `kept` aside are not gone.
pub(crate) async fn tell_what_is_gone(
    engine: &Engine,
    known: &HashSet<ContainerId>,
    kept: &HashSet<String>,
) -> Result<()> {
    let known = |id: &String| kept.contains(id) || id.parse().is_ok_and(|id| known.contains(&id));
    let gone: Vec<String> = engine.events().told().keys().filter(|id| !known(id)).cloned().collect();
    if gone.is_empty() {
        return Ok(());
    }
    let path = engine.events().path().to_owned();
    let events = blocking(move || file::read(&path)).await?;
    for id in gone {
        let (action, attributes) = (DESTROY.to_owned(), last_known(&events, &id));
        let (kind, time) = (Kind::Container, Timestamp::now());
        engine.events().tell(News { time, kind, action, id, attributes, entry: None });
    }
    Ok(())
}

/// What the last event that speaks of nothing but the container says of it.
fn last_known(events: &[Event], id: &str) -> Attributes {
    let plain =
        |event: &&Event| event.id == id && [CREATE, "start", "pause"].contains(&event.action.as_str());
    events.iter().rfind(plain).map(|event| event.attributes.clone()).unwrap_or_default()
}
