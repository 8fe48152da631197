//! `docker load`: images from an archive.

use crate::atomic::Scratch;
use crate::commit::{self, Staged, StagedImage};
use crate::images::{ImageRecord, Source};
use crate::lease::Pin;
use crate::spool::Files;
use crate::unpack::{self, Job, Layer};
use crate::{Error, Store};
use sampan_image::archive::{self, ArchivedImage};
use sampan_image::chain_ids;
use sampan_spec::{Digest, Platform, Reference};
use std::collections::HashSet;
use std::io::Read;

/// How to load.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which image of an index to take.
    pub platform: Platform,
    /// A layer that has more than this many bytes, or whose files' contents have, is refused.
    pub max_layer: u64,
}

/// One image that was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Its id.
    pub id: Digest,
    /// The names that it got, in the archive's order.
    pub names: Vec<Reference>,
    /// Of these, the ones that another image lost, and that image's id.
    pub replaced: Vec<(Reference, Digest)>,
}

/// What is going on, for progress bars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Bytes of the archive that were read.
    Read {
        /// So far.
        bytes: u64,
    },
    /// A layer is being unpacked.
    Layer {
        /// Its diff id.
        layer: Digest,
        /// Bytes of its blob unpacked so far.
        done: u64,
        /// The size of its blob.
        total: u64,
    },
}

/// Loads every image of an archive of `docker save` or an OCI layout, plain or compressed. All of them are there with
/// their names when this returns; if it fails, none of its content is left.
///
/// # Errors
/// See [`Error`].
pub fn load(
    store: &Store,
    archive: impl Read + Send,
    options: &Options,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Vec<Loaded>, Error> {
    let scratch = Scratch::new(&store.layout.tmp())?;
    let folder = commit::blobs(&scratch);
    let mut spool = Files::create(folder.clone()).map_err(|source| Error::Write { path: folder, source })?;
    let read = |bytes| progress(Progress::Read { bytes });
    let images = archive::read(archive, &mut spool, &options.platform, options.max_layer, &read)?;
    let pin = Pin::new(store, content(&images));
    let jobs = jobs(store, &spool, &images);
    let tell = |layer: &Digest, done, total| progress(Progress::Layer { layer: layer.clone(), done, total });
    let layers = unpack::all(scratch.path(), jobs, options.max_layer, &tell)?;
    for image in &images {
        // The configuration of an image of `docker save` has another name there than its digest.
        commit::stage_document(&scratch, image.config.id(), image.config.bytes())?;
    }
    let staged: Vec<StagedImage> = images.into_iter().map(staged).collect();
    let loaded: Vec<_> = staged.iter().map(|i| (i.record.id.clone(), i.names.clone())).collect();
    let replaced = Staged { store, scratch: &scratch, layers, images: staged }.commit(pin)?;
    Ok(loaded
        .into_iter()
        .zip(replaced)
        .map(|((id, names), replaced)| Loaded { id, names, replaced })
        .collect())
}

/// Everything that the images are made of.
fn content(images: &[ArchivedImage]) -> Vec<Digest> {
    let mut all = Vec::new();
    for image in images {
        all.push(image.config.id().clone());
        all.extend(image.manifest.iter().map(|manifest| manifest.digest().clone()));
        all.extend(image.layers.iter().map(|layer| layer.digest.clone()));
        all.extend(chain_ids(image.config.diff_ids()));
    }
    all
}

/// The layers that the store does not have yet, each once.
fn jobs(store: &Store, spool: &Files, images: &[ArchivedImage]) -> Vec<Job> {
    let index = store.index();
    let mut seen = HashSet::new();
    let mut jobs = Vec::new();
    for image in images {
        let diff_ids = image.config.diff_ids();
        let chains = chain_ids(diff_ids);
        for (i, layer) in image.layers.iter().enumerate() {
            if index.layers.contains_key(&chains[i]) || !seen.insert(chains[i].clone()) {
                continue;
            }
            jobs.push(Job {
                layer: Layer {
                    chain: chains[i].clone(),
                    parent: i.checked_sub(1).map(|below| chains[below].clone()),
                    diff_id: diff_ids[i].clone(),
                    blob: layer.clone(),
                },
                file: spool.path(&layer.digest),
            });
        }
    }
    jobs
}

fn staged(image: ArchivedImage) -> StagedImage {
    let record = ImageRecord::new(&image.config, image.layers, image.manifest.as_ref(), Source::Load);
    StagedImage { record, config: image.config, names: image.names }
}
