//! Listening: what was, and what comes.

use super::{Event, file};
use crate::Result;
use crate::blocking::blocking;
use crate::engine::Engine;
use sampan_spec::{Timestamp, with_sources};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::broadcast::{Receiver, error::RecvError};

/// Events from some moment on, each once. A listener that is slow costs nobody anything: what has passed it by meanwhile
/// it reads from the file.
pub struct Followed {
    engine: Engine,
    receiver: Receiver<Arc<Event>>,
    ready: VecDeque<Arc<Event>>,
    last: u64,
}

/// The events that are still kept, in the order in which they happened.
///
/// # Errors
/// When they cannot be read.
pub async fn history(
    engine: &Engine,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> Result<Vec<Event>> {
    let mut events = kept(engine).await?;
    events.retain(|event| {
        since.is_none_or(|time| event.time >= time) && until.is_none_or(|time| event.time <= time)
    });
    events.sort_by_key(|event| event.time);
    Ok(events)
}

/// The events since a moment, and those that come.
///
/// # Errors
/// When those that are kept cannot be read.
pub async fn follow(engine: &Engine, since: Option<Timestamp>) -> Result<Followed> {
    let (receiver, last) = engine.events().listen();
    let mut followed = Followed { engine: engine.clone(), receiver, ready: VecDeque::new(), last };
    if since.is_some() {
        let past = history(engine, since, None).await?;
        followed.ready = past.into_iter().filter(|event| event.number <= last).map(Arc::new).collect();
    }
    Ok(followed)
}

/// How many listen at this moment.
pub fn listeners(engine: &Engine) -> usize {
    engine.events().listeners()
}

impl Followed {
    /// The next event; `None` when the engine ends.
    pub async fn next(&mut self) -> Option<Arc<Event>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            match self.receiver.recv().await {
                Ok(event) if event.number > self.last => {
                    self.last = event.number;
                    return Some(event);
                }
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => self.catch_up().await,
                Err(RecvError::Closed) => return None,
            }
        }
    }

    async fn catch_up(&mut self) {
        match kept(&self.engine).await {
            Ok(events) => {
                let missed = events.into_iter().filter(|event| event.number > self.last);
                self.ready = missed.map(Arc::new).collect();
                self.last = self.ready.back().map_or(self.last, |event| event.number);
            }
            Err(e) => tracing::warn!("a listener misses some events: {}", with_sources(&e)),
        }
    }
}

async fn kept(engine: &Engine) -> Result<Vec<Event>> {
    engine.events().flush().await;
    let path = engine.events().path().to_owned();
    blocking(move || file::read(&path)).await
}
