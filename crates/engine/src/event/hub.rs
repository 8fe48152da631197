//! Where events are told: they get their numbers, go to the listeners, and to the file behind them.

use super::file::{EventFile, Told};
use super::{Event, News};
use crate::Result;
use crate::blocking::blocking;
use sampan_spec::with_sources;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{broadcast, mpsc, oneshot};

/// How many events wait for a listener before it has to read the rest from the file.
const AHEAD: usize = 256;

/// The one place that everybody tells, and where listeners come to.
pub(crate) struct Hub {
    path: PathBuf,
    /// What the file said when it was opened.
    told: Told,
    teller: Mutex<Teller>,
}

struct Teller {
    number: u64,
    listeners: broadcast::Sender<Arc<Event>>,
    writer: mpsc::UnboundedSender<Message>,
}

enum Message {
    Event(Arc<Event>),
    Flush(oneshot::Sender<()>),
}

/// Writes what is told. To be run as a task.
pub(crate) struct Writer {
    file: EventFile,
    queue: mpsc::UnboundedReceiver<Message>,
}

impl Hub {
    /// Opens the file at `path`. Blocks.
    pub(crate) fn open(path: &Path) -> Result<(Self, Writer)> {
        let file = EventFile::open(path)?;
        let (writer, queue) = mpsc::unbounded_channel();
        let (listeners, _) = broadcast::channel(AHEAD);
        let teller = Mutex::new(Teller { number: file.number(), listeners, writer });
        Ok((Self { path: path.to_owned(), told: file.told().clone(), teller }, Writer { file, queue }))
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Which containers former daemons have told of, and up to which entry.
    pub(crate) fn told(&self) -> &Told {
        &self.told
    }

    /// Tells everybody. Waits for nobody.
    pub(crate) fn tell(&self, news: News) {
        let News { time, kind, action, id, attributes, entry } = news;
        let mut teller = self.teller.lock().unwrap_or_else(PoisonError::into_inner);
        teller.number += 1;
        let event = Arc::new(Event { number: teller.number, time, kind, action, id, attributes, entry });
        // Nobody may be listening, and a writer is gone only at the end.
        let _ = teller.listeners.send(event.clone());
        let _ = teller.writer.send(Message::Event(event));
    }

    /// Listens to what is told from now on. The second value is the number of the last event before.
    pub(super) fn listen(&self) -> (broadcast::Receiver<Arc<Event>>, u64) {
        let teller = self.teller.lock().unwrap_or_else(PoisonError::into_inner);
        (teller.listeners.subscribe(), teller.number)
    }

    /// How many listen.
    pub(super) fn listeners(&self) -> usize {
        self.teller.lock().unwrap_or_else(PoisonError::into_inner).listeners.receiver_count()
    }

    /// Waits until all that was told is in the file.
    pub(super) async fn flush(&self) {
        let (done, written) = oneshot::channel();
        let sent = {
            let teller = self.teller.lock().unwrap_or_else(PoisonError::into_inner);
            teller.writer.send(Message::Flush(done))
        };
        if sent.is_ok() {
            let _it_is_gone_at_the_end = written.await;
        }
    }
}

impl Writer {
    /// Writes until the hub is gone. What cannot be written (a full disk) is missing from the file, and a message says so.
    pub(crate) async fn run(self) {
        let Self { mut file, mut queue } = self;
        let mut batch = Vec::new();
        while queue.recv_many(&mut batch, AHEAD).await > 0 {
            let (mut events, mut waiting) = (Vec::new(), Vec::new());
            for message in batch.drain(..) {
                match message {
                    Message::Event(event) => events.push(event),
                    Message::Flush(done) => waiting.push(done),
                }
            }
            if !events.is_empty() {
                let written = blocking(move || {
                    let result = file.append(events.iter().map(AsRef::as_ref));
                    Ok::<_, crate::Error>((file, result))
                });
                let Ok((back, result)) = written.await else { return };
                file = back;
                if let Err(e) = result {
                    tracing::warn!("events were not written down: {}", with_sources(&e));
                }
            }
            // Who waited may have gone away.
            for done in waiting {
                let _ = done.send(());
            }
        }
    }
}
