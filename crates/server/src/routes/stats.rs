//! What a container uses, once or each second.

use crate::answer::{Outcome, json, pieces};
use crate::convert::stats::stats as shown;
use crate::error::Error;
use crate::request::Call;
use http::StatusCode;
use sampan_api::body::Stats;
use sampan_engine::Engine;
use sampan_engine::container::{self, Sample};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// Between two samples.
const PERIOD: Duration = Duration::from_secs(1);

/// `GET /containers/{name}/stats`.
pub(crate) async fn stats(call: &Call) -> Result<Outcome, Error> {
    let first = container::stats(call.engine(), &call.name).await?;
    let streams = call.query.get("stream").is_none() || call.query.flag("stream");
    if streams {
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(send(call.engine().clone(), first, sender));
        return Ok(pieces("application/json", receiver));
    }
    let single = shown(&first, None);
    if call.query.flag("one-shot") {
        return Ok(json(StatusCode::OK, &Stats { name: String::new(), id: String::new(), ..single }));
    }
    if first.sample.is_none() {
        return Ok(json(StatusCode::OK, &single));
    }
    // A rate needs two samples.
    tokio::time::sleep(PERIOD).await;
    let second = container::stats(call.engine(), first.id.as_str()).await?;
    Ok(json(StatusCode::OK, &shown(&second, first.sample.as_ref())))
}

/// A line each second, until the client goes or the container does.
async fn send(engine: Engine, first: container::Stats, to: mpsc::Sender<bytes::Bytes>) {
    let mut stats = first;
    let mut before: Option<Sample> = None;
    let mut due = Instant::now();
    loop {
        let Ok(mut line) = serde_json::to_vec(&shown(&stats, before.as_ref())) else { return };
        line.push(b'\n');
        if to.send(line.into()).await.is_err() {
            return;
        }
        due += PERIOD;
        tokio::select! {
            () = sleep_until(due) => {}
            () = to.closed() => return,
        }
        before = stats.sample.take();
        match container::stats(&engine, stats.id.as_str()).await {
            Ok(next) => stats = next,
            Err(_) => return,
        }
    }
}
