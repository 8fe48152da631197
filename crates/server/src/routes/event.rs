//! `GET /events`: what happened, and what happens until the client goes.

use crate::answer::{Outcome, pieces};
use crate::convert::event as convert;
use crate::error::Error;
use crate::request::Call;
use bytes::Bytes;
use sampan_api::Filters;
use sampan_engine::event::{self, Event, Followed};
use sampan_spec::Timestamp;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// How many lines wait for the client. One that is slower than that reads from what is kept.
const AHEAD: usize = 16;
/// A moment so far away that nobody waits for it.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

pub(crate) async fn events(call: &Call) -> Result<Outcome, Error> {
    let filters = call.filters(&convert::FILTERS)?;
    let since = super::logs::time(&call.query, "since")?;
    let until = super::logs::time(&call.query, "until")?;
    if let (Some(since), Some(until)) = (since, until)
        && until < since
    {
        let seconds = |time: Timestamp| time.as_second();
        return Err(Error::Invalid(format!(
            "`since` time ({}) cannot be after `until` time ({})",
            seconds(since),
            seconds(until)
        )));
    }
    let now = Timestamp::now();
    let (to, receiver) = mpsc::channel(AHEAD);
    let mut client = Client { filters, to };
    if until.is_some_and(|until| until <= now) {
        let past = event::history(call.engine(), since, until).await?;
        tokio::spawn(async move {
            for event in &past {
                if !client.tell(event).await {
                    return;
                }
            }
        });
    } else {
        let left = until.and_then(|until| Duration::try_from(until.duration_since(now)).ok());
        let end = Instant::now() + left.unwrap_or(NEVER).min(NEVER);
        let followed = event::follow(call.engine(), since).await?;
        tokio::spawn(client.follow(followed, end));
    }
    Ok(pieces("application/json", receiver))
}

struct Client {
    filters: Filters,
    to: mpsc::Sender<Bytes>,
}

impl Client {
    async fn follow(mut self, mut followed: Followed, end: Instant) {
        loop {
            // What is there already is told also at the last moment.
            let event = tokio::select! {
                biased;
                event = followed.next() => event,
                () = sleep_until(end) => return,
                () = self.to.closed() => return,
            };
            match event {
                Some(event) if self.tell(&event).await => {}
                _ => return,
            }
        }
    }

    /// Whether the client is still there.
    async fn tell(&mut self, event: &Event) -> bool {
        if !convert::fits(event, &self.filters) {
            return true;
        }
        let Ok(mut line) = serde_json::to_vec(&convert::event(event)) else { return false };
        line.push(b'\n');
        self.to.send(line.into()).await.is_ok()
    }
}
