//! Pulling: an answer that lasts as long as the work, and ends it when the client goes away.

use crate::answer::{Outcome, pieces};
use crate::convert::pull as convert;
use crate::error::{Error, with_sources};
use crate::request::Call;
use bytes::Bytes;
use sampan_api::body::Progress;
use sampan_engine::image::{self, Progress as Event, PullRequest, Pulled};
use tokio::sync::mpsc;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;

/// How many pieces of the answer may wait for the client.
const AHEAD: usize = 16;

type Pulling = JoinHandle<sampan_engine::Result<Pulled>>;

/// `POST /images/create?fromImage=`. What goes wrong before there is something to tell is an answer of its own.
pub(super) async fn pull(call: &Call) -> Result<Outcome, Error> {
    let reference = convert::reference(call.query.text("fromImage"), call.query.text("tag"))?;
    let platform = call.platform()?;
    let credentials = convert::credentials(&call.headers);
    let request = PullRequest { reference, platform, credentials };
    let (tell, mut events) = mpsc::unbounded_channel();
    let (engine, asked) = (call.engine().clone(), request.clone());
    let pulling = tokio::spawn(async move { image::pull(&engine, asked, tell).await });
    let Some(first) = events.recv().await else {
        let pulled = ended(pulling).await?;
        return Ok(finished(&request, &pulled));
    };
    let (sender, receiver) = mpsc::channel(AHEAD);
    tokio::spawn(follow(request, first, events, pulling, sender));
    Ok(pieces("application/json", receiver))
}

/// Passes on what is told, until the end of the work or of the client. The work ends when nobody listens to it.
async fn follow(
    request: PullRequest,
    first: Event,
    mut events: UnboundedReceiver<Event>,
    pulling: Pulling,
    client: mpsc::Sender<Bytes>,
) {
    let mut next = Some(first);
    while let Some(event) = next {
        let mut text = lines(&convert::lines(&event));
        while let Ok(event) = events.try_recv() {
            text += &lines(&convert::lines(&event));
        }
        if client.send(text.into()).await.is_err() {
            return;
        }
        next = tokio::select! {
            event = events.recv() => event,
            () = client.closed() => return,
        };
    }
    let last = match ended(pulling).await {
        Ok(pulled) => lines(&convert::last_lines(&request, &pulled)),
        Err(error) => lines(&[Progress::failed(&with_sources(&error))]),
    };
    // Nobody may be there to read it.
    let _ = client.send(last.into()).await;
}

async fn ended(pulling: Pulling) -> Result<Pulled, Error> {
    let panicked = |error| Error::Invalid(format!("the pull was cut short: {error}"));
    Ok(pulling.await.map_err(panicked)??)
}

/// The answer where all was told at once.
fn finished(request: &PullRequest, pulled: &Pulled) -> Outcome {
    let (sender, receiver) = mpsc::channel(1);
    // There is room for one.
    let _ = sender.try_send(lines(&convert::last_lines(request, pulled)).into());
    pieces("application/json", receiver)
}

fn lines(all: &[Progress]) -> String {
    all.iter().map(|progress| serde_json::to_string(progress).unwrap_or_default() + "\r\n").collect()
}
