//! An image on its way in from a registry: its documents first, then its layers in any order and several at once.
//!
//! A layer is kept as it comes, hashed, decompressed, hashed again and unpacked in one pass. It gets its place under its
//! chain id as soon as it is whole, so that another image that shares it need not wait; nothing refers to it before
//! [`commit`], and after [`abandon`] or the process's death it is collected.

use crate::atomic::Scratch;
use crate::commit::{self, Replaced, Staged, StagedImage, place_layer, rename};
use crate::gc::{self, Candidates};
use crate::images::{ImageRecord, Source};
use crate::ingest::{self, Ingest};
use crate::lease::Pin;
use crate::remove::InUse;
use crate::unpack::{self, Layer};
use crate::{Error, Store};
use sampan_image::{ImageConfig, Manifest, chain_ids};
use sampan_spec::{Digest, ErrorKind, Reference};
use std::fs;
use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An image on its way in.
#[derive(Debug)]
pub struct Intake {
    store: Arc<Store>,
    scratch: Scratch,
    manifest: Manifest,
    config: ImageConfig,
    layers: Vec<Layer>,
    max_layer: u64,
    so_far: Mutex<SoFar>,
}

#[derive(Debug)]
struct SoFar {
    /// Holds all layers and blobs, there or to come.
    pin: Option<Pin<Arc<Store>>>,
    /// Chain ids of layers that this intake has put into their places.
    placed: Vec<Digest>,
    /// Blobs that were verified and wait under `ingest/`.
    arrived: Vec<Digest>,
}

/// Begins to take an image in. A layer that has more than `max_layer` bytes of files' contents will be refused.
///
/// # Errors
/// [`Error::LayerCount`], or when the documents cannot be written.
pub fn begin(
    store: &Arc<Store>,
    manifest: Manifest,
    config: ImageConfig,
    max_layer: u64,
) -> Result<Intake, Error> {
    let layers = layers(&manifest, &config)?;
    let scratch = Scratch::new(&store.layout.tmp())?;
    let folder = commit::blobs(&scratch);
    fs::create_dir(&folder).map_err(|source| Error::Write { path: folder, source })?;
    commit::stage_document(&scratch, manifest.digest(), manifest.bytes())?;
    commit::stage_document(&scratch, config.id(), config.bytes())?;
    let mut content = vec![config.id().clone(), manifest.digest().clone()];
    content.extend(layers.iter().flat_map(|layer| [layer.chain.clone(), layer.blob.digest.clone()]));
    let pin = Some(Pin::new(store.clone(), content));
    let so_far = Mutex::new(SoFar { pin, placed: Vec::new(), arrived: Vec::new() });
    Ok(Intake { store: store.clone(), scratch, manifest, config, layers, max_layer, so_far })
}

fn layers(manifest: &Manifest, config: &ImageConfig) -> Result<Vec<Layer>, Error> {
    let (blobs, diff_ids) = (manifest.layers(), config.diff_ids());
    if blobs.len() != diff_ids.len() {
        return Err(Error::LayerCount { manifest: blobs.len(), config: diff_ids.len() });
    }
    let chains = chain_ids(diff_ids);
    let layer = |i: usize| Layer {
        chain: chains[i].clone(),
        parent: i.checked_sub(1).map(|below| chains[below].clone()),
        diff_id: diff_ids[i].clone(),
        blob: blobs[i].clone(),
    };
    Ok((0..blobs.len()).map(layer).collect())
}

impl Intake {
    /// The image's id.
    pub fn id(&self) -> &Digest {
        self.config.id()
    }

    /// Its layers, lowest first.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    fn so_far(&self) -> MutexGuard<'_, SoFar> {
        self.so_far.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a layer is unpacked.
pub fn is_there(intake: &Intake, layer: &Layer) -> bool {
    intake.store.index().layers.contains_key(&layer.chain)
}

/// Begins to fetch a layer's blob, or goes on with it.
///
/// # Errors
/// [`Error::Fetching`] if someone else is at it, or when its file cannot be made.
pub fn open(intake: &Intake, layer: &Layer) -> Result<Ingest, Error> {
    ingest::begin(&intake.store, &layer.blob)
}

/// Unpacks a layer: what is there of its blob, then `rest`. `report` is told of the bytes of the blob that were taken.
/// If the rest does not come, what has come stays for a later try; a layer that is refused leaves nothing.
///
/// # Errors
/// [`Error::Ingest`], [`Error::Interrupted`], [`Error::Layer`], or when it cannot be written.
pub fn unpack(
    intake: &Intake,
    layer: &Layer,
    ingest: Ingest,
    rest: impl Read + Send,
    report: &(dyn Fn(u64) + Sync),
) -> Result<(), Error> {
    let mut arriving = ingest.with(rest);
    let unpacked = unpack::one(intake.scratch.path(), layer, &mut arriving, intake.max_layer, report);
    let no_space = !arriving.is_broken() && unpacked.as_ref().is_err_and(|e| e.kind() == ErrorKind::System);
    // A blob that is not the one that was asked for is the better reason to refuse it.
    let arrived = if no_space { Ok(()) } else { arriving.finish() };
    let staged = match (arrived, unpacked) {
        (Ok(()), Ok(staged)) => staged,
        (Err(interrupted @ Error::Interrupted { .. }), _) => return Err(interrupted),
        (Err(error), _) | (Ok(()), Err(error)) => {
            arriving.discard()?;
            return Err(error);
        }
    };
    let _changes = intake.store.changes();
    if place_layer(&intake.store, &staged)? {
        intake.so_far().placed.push(layer.chain.clone());
    }
    intake.so_far().arrived.push(layer.blob.digest.clone());
    Ok(())
}

/// The image is there from now on, with these names. Gives those that another image lost.
///
/// # Errors
/// When something cannot be written: the image is not there then, and is still to be abandoned.
pub fn commit(intake: &Intake, names: Vec<Reference>) -> Result<Replaced, Error> {
    for digest in &intake.so_far().arrived {
        let from = intake.store.layout.ingest().join(digest.hex());
        let to = commit::blobs(&intake.scratch).join(digest.hex());
        // It is a blob already if another image shares it.
        if from.exists() {
            rename(&from, &to)?;
        }
    }
    let blobs = intake.layers.iter().map(|layer| layer.blob.clone()).collect();
    let record = ImageRecord::new(&intake.config, blobs, Some(&intake.manifest), Source::Pull);
    let image = StagedImage { record, config: intake.config.clone(), names };
    let staged =
        Staged { store: &intake.store, scratch: &intake.scratch, layers: Vec::new(), images: vec![image] };
    Ok(staged.commit(())?.into_iter().flatten().collect())
}

/// Takes away what was unpacked so far and nothing else needs. What was fetched stays for a later try.
///
/// # Errors
/// When something cannot be removed.
pub fn abandon(intake: &Intake, in_use: &InUse) -> Result<(), Error> {
    let (pin, layers) = {
        let mut so_far = intake.so_far();
        (so_far.pin.take(), std::mem::take(&mut so_far.placed))
    };
    drop(pin);
    let mut blobs = vec![intake.config.id().clone(), intake.manifest.digest().clone()];
    blobs.extend(intake.layers.iter().map(|layer| layer.blob.digest.clone()));
    let changes = intake.store.changes();
    let (_, rubbish) = gc::sweep(&intake.store, &Candidates { layers, blobs }, in_use)?;
    drop(changes);
    drop(rubbish);
    Ok(())
}
