//! Unpacking several layers at once: layers for an overlay do not depend on each other.

use crate::commit::StagedLayer;
use crate::records::encode;
use crate::snapshots::{LayerRecord, RECORD};
use crate::{Error, LayerError, extract};
use sampan_image::Descriptor;
use sampan_spec::Digest;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// A layer of an image, as its manifest and its configuration tell of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The digest of all layers up to this one.
    pub chain: Digest,
    /// That of the layer below.
    pub parent: Option<Digest>,
    /// The digest of its plain tar.
    pub diff_id: Digest,
    /// Its blob.
    pub blob: Descriptor,
}

/// A layer whose blob is in a file.
pub(crate) struct Job {
    pub(crate) layer: Layer,
    pub(crate) file: PathBuf,
}

/// Told of a layer's diff id, the bytes of its blob that were unpacked, and the blob's size.
pub(crate) type Progress<'a> = &'a (dyn Fn(&Digest, u64, u64) + Sync);

/// Unpacks layers into folders of `scratch`.
pub(crate) fn all(
    scratch: &Path,
    mut jobs: Vec<Job>,
    max: u64,
    progress: Progress<'_>,
) -> Result<Vec<StagedLayer>, Error> {
    // The largest first, so that no thread is left alone with it at the end; they are taken from the back.
    jobs.sort_by_key(|job| job.layer.blob.size);
    let threads = thread::available_parallelism().map_or(1, usize::from).min(jobs.len());
    let state = Mutex::new((jobs, Vec::new(), None));
    let lock = || state.lock().unwrap_or_else(PoisonError::into_inner);
    let work = || {
        loop {
            let Some(job) = lock().0.pop() else { return };
            match from_file(scratch, &job, max, progress) {
                Ok(layer) => lock().1.push(layer),
                Err(error) => {
                    let mut state = lock();
                    state.0.clear();
                    state.2.get_or_insert(error);
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    let (_, layers, error) = state.into_inner().unwrap_or_else(PoisonError::into_inner);
    error.map_or(Ok(layers), Err)
}

fn from_file(scratch: &Path, job: &Job, max: u64, progress: Progress<'_>) -> Result<StagedLayer, Error> {
    let file = File::open(&job.file).map_err(|source| Error::Read { path: job.file.clone(), source })?;
    let total = job.layer.blob.size;
    one(scratch, &job.layer, file, max, &|done| progress(&job.layer.diff_id, done, total))
}

/// Unpacks a layer into a folder of `scratch`. `report` is told of the bytes of its blob that were taken.
pub(crate) fn one(
    scratch: &Path,
    layer: &Layer,
    blob: impl Read + Send,
    max: u64,
    report: &(dyn Fn(u64) + Sync),
) -> Result<StagedLayer, Error> {
    let folder = scratch.join(layer.chain.hex());
    fs::create_dir(&folder).map_err(|source| Error::Write { path: folder.clone(), source })?;
    let source = Counted { inner: blob, done: 0, told: 0, report };
    let applied = extract::apply(source, &folder, max);
    let failed = |source| Error::Layer { layer: layer.blob.digest.to_string(), source };
    let applied = applied.map_err(|e| failed(e.into()))?;
    if applied.diff_id != layer.diff_id {
        let (expected, actual) = (layer.diff_id.clone(), applied.diff_id);
        return Err(failed(LayerError::DiffId { expected, actual }));
    }
    report(layer.blob.size);
    finish(folder, layer.chain.clone(), layer.parent.clone(), applied)
}

/// Writes the record of an unpacked layer.
pub(crate) fn finish(
    folder: PathBuf,
    chain: Digest,
    parent: Option<Digest>,
    applied: extract::Applied,
) -> Result<StagedLayer, Error> {
    let record = LayerRecord { diff_id: applied.diff_id, parent, size: applied.size };
    let path = folder.join(RECORD);
    let bytes = encode(&path, &record)?;
    fs::write(&path, bytes).map_err(|source| Error::Write { path, source })?;
    Ok(StagedLayer { chain, folder, record })
}

/// Reports how much was read, every so often.
struct Counted<'a, R> {
    inner: R,
    done: u64,
    told: u64,
    report: &'a (dyn Fn(u64) + Sync),
}

const REPORT_EVERY: u64 = 1 << 20;

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.done += count as u64;
        if self.done - self.told >= REPORT_EVERY {
            self.told = self.done;
            (self.report)(self.done);
        }
        Ok(count)
    }
}
