//! The layers of a pull: several are fetched at once, and each is unpacked as it comes.

use super::rest::{self, Piece};
use super::{LayerState, Progress, Pull, Tell};
use crate::blocking::blocking;
use crate::engine::Engine;
use crate::image::turns::Turn;
use crate::{Error, Result};
use sampan_registry::Registry;
use sampan_registry::blobs::{self, Blob, Event};
use sampan_spec::Digest;
use sampan_store::{Intake, Layer, intake};
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::task::JoinSet;

/// Of a transfer one is told so often at most.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// What the task of one layer works with.
#[derive(Clone)]
struct Work {
    engine: Engine,
    registry: Arc<Registry>,
    place: usize,
    intake: Arc<Intake>,
    layer: Layer,
    tell: Tell,
    /// Becomes true when another layer has failed.
    stop: watch::Receiver<bool>,
}

/// Fetches and unpacks all layers that are not here. When this returns nothing of it goes on.
pub(super) async fn fetch(pull: &Pull, intake: &Arc<Intake>) -> Result<()> {
    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    let work = |layer: &Layer| Work {
        engine: pull.engine.clone(),
        registry: pull.registry.clone(),
        place: pull.place,
        intake: intake.clone(),
        layer: layer.clone(),
        tell: pull.tell.clone(),
        stop: stopped.clone(),
    };
    for layer in intake.layers() {
        let work = work(layer);
        if intake::is_there(intake, layer) {
            work.tell(LayerState::Exists);
        } else {
            work.tell(LayerState::Queued);
            tasks.spawn(fetch_one(work));
        }
    }
    let mut result = Ok(());
    while let Some(ended) = tasks.join_next().await {
        let ended = ended.unwrap_or_else(|panic| {
            Err(Error::Host { what: "fetch a layer".into(), source: std::io::Error::other(panic) })
        });
        if ended.is_err() {
            stop.send_replace(true);
            result = result.and(ended);
        }
    }
    result
}

/// Waits for its turn, then fetches and unpacks one layer at the same time.
async fn fetch_one(work: Work) -> Result<()> {
    let (turn, permit) = work.while_wanted(wait(&work)).await?;
    if intake::is_there(&work.intake, &work.layer) {
        work.tell(LayerState::Done);
        return Ok(());
    }
    let (intake, layer) = (work.intake.clone(), work.layer.clone());
    let ingest = blocking(move || intake::open(&intake, &layer)).await?;
    let blob = &work.layer.blob;
    let offset = ingest.offset();
    let coming = blobs::open(work.registry.clone(), work.place, blob.digest.clone(), blob.size, offset);
    let (sender, rest) = rest::channel();
    let meter = Arc::new(Meter::new(&work));
    let unpacking = {
        let (intake, layer, meter) = (work.intake.clone(), work.layer.clone(), meter.clone());
        blocking(move || intake::unpack(&intake, &layer, ingest, rest, &|done| meter.unpacked(done)))
    };
    let downloading = async {
        let result = work.while_wanted(download(&meter, coming, offset, sender)).await;
        drop(permit);
        result
    };
    let (unpacked, downloaded) = tokio::join!(unpacking, downloading);
    drop(turn);
    // Without the transfer the unpacking cannot have ended well: why the transfer failed says more.
    downloaded.and(unpacked)?;
    work.tell(LayerState::Done);
    Ok(())
}

/// Until nobody else is at the same blob, and few enough are fetched.
async fn wait(work: &Work) -> Result<(Turn, OwnedSemaphorePermit)> {
    let transfers = work.engine.transfers();
    let mut told = false;
    let mut say = || {
        if !std::mem::replace(&mut told, true) {
            work.tell(LayerState::Waiting);
        }
    };
    let mut taking = std::pin::pin!(transfers.turns.take(&work.layer.blob.digest));
    let turn = match at_once(taking.as_mut()).await {
        Some(turn) => turn,
        None => {
            say();
            taking.await
        }
    };
    let permit = match transfers.downloads.clone().try_acquire_owned() {
        Ok(permit) => permit,
        Err(_) => {
            say();
            // Nobody closes it.
            transfers.downloads.clone().acquire_owned().await.map_err(|_| Error::Stopping)?
        }
    };
    Ok((turn, permit))
}

/// What a future gives, if it need not wait.
async fn at_once<T>(mut future: std::pin::Pin<&mut impl Future<Output = T>>) -> Option<T> {
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        std::task::Poll::Ready(value) => std::task::Poll::Ready(Some(value)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}

/// Passes a blob on to whom unpacks it. If he gives up, that is not this one's error.
async fn download(meter: &Meter, mut blob: Blob, offset: u64, to: mpsc::Sender<Piece>) -> Result<()> {
    let mut done = offset;
    meter.downloaded(done);
    loop {
        let piece = match blobs::next(&mut blob).await? {
            Event::Bytes(bytes) => {
                done += bytes.len() as u64;
                meter.downloaded(done);
                Piece::Bytes(bytes)
            }
            Event::Retrying(wait) => {
                meter.tell(LayerState::Retrying(wait));
                continue;
            }
            Event::End => Piece::End,
        };
        let ended = matches!(piece, Piece::End);
        if ended {
            meter.all_came();
        }
        if to.send(piece).await.is_err() || ended {
            return Ok(());
        }
    }
}

impl Work {
    fn tell(&self, state: LayerState) {
        // Nobody may be there to hear it: then the pull ends soon.
        let _ = self.tell.send(Progress::Layer { layer: self.layer.blob.digest.clone(), state });
    }

    /// Does `work`, unless nobody wants it any more or another layer has failed.
    async fn while_wanted<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let mut stop = self.stop.clone();
        tokio::select! {
            result = work => result,
            () = self.tell.closed() => Err(Error::Cancelled),
            _ = stop.wait_for(|stop| *stop) => Err(Error::Cancelled),
        }
    }
}

/// Tells how far a layer is: downloaded first, then unpacked, though both go on at the same time.
struct Meter {
    tell: Tell,
    digest: Digest,
    total: u64,
    came: AtomicBool,
    told: Mutex<Instant>,
}

impl Meter {
    fn new(work: &Work) -> Self {
        let blob = &work.layer.blob;
        let told = Instant::now().checked_sub(TELL_EVERY).unwrap_or_else(Instant::now);
        Self {
            tell: work.tell.clone(),
            digest: blob.digest.clone(),
            total: blob.size,
            came: AtomicBool::new(false),
            told: Mutex::new(told),
        }
    }

    fn tell(&self, state: LayerState) {
        let _ = self.tell.send(Progress::Layer { layer: self.digest.clone(), state });
    }

    fn downloaded(&self, done: u64) {
        if self.is_due() {
            self.tell(LayerState::Downloading { done, total: self.total });
        }
    }

    fn all_came(&self) {
        self.came.store(true, Ordering::Release);
        self.tell(LayerState::Downloaded);
    }

    fn unpacked(&self, done: u64) {
        if self.came.load(Ordering::Acquire) && (done == self.total || self.is_due()) {
            self.tell(LayerState::Extracting { done, total: self.total });
        }
    }

    fn is_due(&self) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let due = told.elapsed() >= TELL_EVERY;
        if due {
            *told = Instant::now();
        }
        due
    }
}
