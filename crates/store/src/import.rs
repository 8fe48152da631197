//! `docker import`: an image of one layer from a tar of files.

use crate::atomic::Scratch;
use crate::commit::{self, Staged, StagedImage};
use crate::extract::{self, ApplyError};
use crate::images::{ImageLayer, ImageRecord, Source};
use crate::lease::Pin;
use crate::spool::{Files, Tee};
use crate::{Error, Store, unpack};
use sampan_image::archive::Spool;
use sampan_image::compression::{self, Compression};
use sampan_image::{Descriptor, History, ImageConfig, ImageDocument, LayerList, RunConfig, changes, media};
use sampan_spec::{Digest, Platform, Reference, Timestamp};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};

/// What to make of the tar.
#[derive(Clone, Debug)]
pub struct Request {
    /// The name that the image gets.
    pub name: Option<Reference>,
    /// Dockerfile instructions (`--change`), one a string.
    pub changes: Vec<String>,
    /// The image's comment (`--message`).
    pub message: String,
    /// What it is for.
    pub platform: Platform,
    /// Its time of creation.
    pub created: Timestamp,
    /// Files larger than this many bytes in all are refused.
    pub max_layer: u64,
}

/// The image that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Its id.
    pub id: Digest,
    /// The image that lost the name to it.
    pub replaced: Option<Digest>,
}

/// Makes an image of a tar, plain or compressed.
///
/// # Errors
/// See [`Error`]. Nothing is left of it then.
pub fn import(store: &Store, tar: impl Read + Send, request: &Request) -> Result<Imported, Error> {
    let run = changes::apply(RunConfig::default(), &request.changes)?;
    make(store, tar, request, run, Source::Import)
}

/// Makes the image, which runs as `run` says.
pub(crate) fn make(
    store: &Store,
    tar: impl Read + Send,
    request: &Request,
    run: RunConfig,
    source: Source,
) -> Result<Imported, Error> {
    let scratch = Scratch::new(&store.layout.tmp())?;
    let folder = commit::blobs(&scratch);
    let write = |source| Error::Write { path: folder.clone(), source };
    let mut spool = Files::create(folder.clone()).map_err(write)?;
    let layer = scratch.path().join("layer");
    fs::create_dir(&layer).map_err(|source| Error::Write { path: layer.clone(), source })?;
    let failed = |source: ApplyError| Error::Layer { layer: "to import".into(), source: source.into() };
    let mut tee = Tee::new(tar, &mut spool).map_err(write)?;
    let applied = extract::apply(&mut tee, &layer, request.max_layer).and_then(|applied| {
        // What follows the tar's end belongs to the blob.
        let rest = io::copy(&mut tee, &mut io::sink());
        rest.map(|_| applied).map_err(|source| ApplyError::Compression { source })
    });
    let applied = applied.map_err(|error| tee.failed_write().map_or_else(|| failed(error), write))?;
    let (digest, size) = spool.finish().map_err(write)?;
    let config = config(request, run, applied.diff_id.clone())?;
    let names = request.name.iter().cloned().collect();
    let layer_blob = blob(&spool, digest, size).map_err(write)?;
    let image = StagedImage { record: record(&config, &layer_blob, source), config, names };
    commit::stage_document(&scratch, image.config.id(), image.config.bytes())?;
    let pin = Pin::new(store, content(&image));
    let staged_layer = unpack::finish(layer, applied.diff_id.clone(), None, applied)?;
    let id = image.record.id.clone();
    let staged = Staged { store, scratch: &scratch, layers: vec![staged_layer], images: vec![image] };
    let replaced = staged.commit(pin)?.into_iter().flatten().next().map(|(_, former)| former);
    Ok(Imported { id, replaced })
}

fn content(image: &StagedImage) -> Vec<Digest> {
    let mut all = vec![image.record.id.clone()];
    for layer in &image.record.layers {
        all.extend([layer.diff_id.clone(), layer.blob.digest.clone()]);
    }
    all
}

/// The configuration that Docker gives an imported image.
pub(crate) fn config(request: &Request, run: RunConfig, diff_id: Digest) -> Result<ImageConfig, Error> {
    let comment = match request.message.as_str() {
        "" => "Imported from -".to_owned(),
        message => message.to_owned(),
    };
    let created = Some(request.created);
    let document = ImageDocument {
        created,
        comment: comment.clone(),
        architecture: request.platform.architecture.clone(),
        variant: request.platform.variant.clone().unwrap_or_default(),
        os: request.platform.os.clone(),
        config: run,
        rootfs: LayerList { kind: "layers".into(), diff_ids: vec![diff_id] },
        history: vec![History { created, comment, ..History::default() }],
        ..ImageDocument::default()
    };
    Ok(ImageConfig::make(&document)?)
}

/// The tar as it came.
fn blob(spool: &Files, digest: Digest, size: u64) -> io::Result<Descriptor> {
    let mut start = Vec::new();
    File::open(spool.path(&digest))?.take(6).read_to_end(&mut start)?;
    let media_type = match compression::detect(&start) {
        Ok(Compression::Gzip) => media::DOCKER_LAYER_GZIP,
        Ok(Compression::Zstd) => media::OCI_LAYER_ZSTD,
        _ => media::DOCKER_LAYER,
    };
    Ok(Descriptor {
        media_type: media_type.into(),
        digest,
        size,
        platform: None,
        annotations: BTreeMap::new(),
    })
}

fn record(config: &ImageConfig, blob: &Descriptor, source: Source) -> ImageRecord {
    let diff_ids = config.diff_ids().iter();
    let layers = diff_ids.map(|id| ImageLayer { diff_id: id.clone(), blob: blob.clone() }).collect();
    ImageRecord { id: config.id().clone(), layers, manifest: None, added: Timestamp::now(), source }
}
