//! Blobs on their way in from a registry: `ingest/<hex>`, which a later try goes on with. Complete ones wait there, too, until
//! the image that they belong to is whole.

use crate::{Error, Store, atomic};
use rustix::fs::{FlockOperation, flock};
use sampan_image::{Descriptor, Hasher};
use sampan_spec::Digest;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::SystemTime;

/// A blob of which a part may be there. It is this one's holder's to fetch until it is dropped; what was fetched stays.
#[derive(Debug)]
pub struct Ingest {
    digest: Digest,
    path: PathBuf,
    file: File,
    offset: u64,
}

/// Begins to fetch a blob, or goes on where an earlier try ended: see [`Ingest::offset`].
///
/// # Errors
/// [`Error::Fetching`] if someone else is at it, or when the file cannot be made.
pub(crate) fn begin(store: &Store, blob: &Descriptor) -> Result<Ingest, Error> {
    let digest = blob.digest.clone();
    let here = store.layout.blob(&digest);
    if let Ok(file) = File::open(&here) {
        return Ok(Ingest { digest, path: here, file, offset: blob.size });
    }
    let path = store.layout.ingest().join(digest.hex());
    let write = |source| Error::Write { path: path.clone(), source };
    let mut options = OpenOptions::new();
    let file =
        options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(write)?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Err(Error::Fetching { digest });
    }
    let mut offset = file.metadata().map_err(write)?.len();
    if offset > blob.size {
        file.set_len(0).map_err(write)?;
        offset = 0;
    }
    Ok(Ingest { digest, path, file, offset })
}

/// Removes what was not gone on with since `before`.
///
/// # Errors
/// When it cannot be listed or removed.
pub fn expire(store: &Store, before: SystemTime) -> Result<(), Error> {
    let path = store.layout.ingest();
    let failed = |source| Error::Read { path: path.clone(), source };
    for entry in fs::read_dir(&path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let changed = match entry.metadata().and_then(|metadata| metadata.modified()) {
            Err(e) if e.kind() == ErrorKind::NotFound => continue,
            changed => changed.map_err(failed)?,
        };
        if changed < before {
            atomic::remove_all(&entry.path())?;
        }
    }
    Ok(())
}

impl Ingest {
    /// How many bytes are there already: the next ones to fetch come behind them.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The blob's bytes: those that are there, then those of `rest`, which are kept as they pass.
    pub(crate) fn with<R: Read>(self, rest: R) -> Arriving<R> {
        Arriving { ingest: self, rest, hasher: Hasher::default(), count: 0, trouble: None }
    }
}

/// A reader of a blob that arrives.
pub(crate) struct Arriving<R> {
    ingest: Ingest,
    rest: R,
    hasher: Hasher,
    count: u64,
    trouble: Option<Error>,
}

impl<R: Read> Arriving<R> {
    /// Reads what is left, and checks the whole.
    ///
    /// # Errors
    /// [`Error::Ingest`] if it has another digest, [`Error::Interrupted`] if the rest did not come, or when it cannot be
    /// kept.
    pub(crate) fn finish(&mut self) -> Result<(), Error> {
        let ended = match self.trouble {
            None => io::copy(self, &mut io::sink()),
            Some(_) => Ok(0),
        };
        if let Some(trouble) = self.trouble.take() {
            return Err(trouble);
        }
        ended.map_err(|source| Error::Read { path: self.ingest.path.clone(), source })?;
        let (expected, actual) = (self.ingest.digest.clone(), self.hasher.clone().finish());
        if actual == expected { Ok(()) } else { Err(Error::Ingest { expected, actual }) }
    }

    /// Whether reading failed, and not because of what the bytes mean.
    pub(crate) fn is_broken(&self) -> bool {
        self.trouble.is_some()
    }

    /// Removes what was fetched, so that a later try begins anew.
    pub(crate) fn discard(self) -> Result<(), Error> {
        atomic::remove_all(&self.ingest.path)
    }

    /// Reads from what an earlier try left, then from the rest.
    fn next(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let path = || self.ingest.path.clone();
        if self.count < self.ingest.offset {
            let left = (self.ingest.offset - self.count).min(buffer.len() as u64) as usize;
            let count = self.ingest.file.read(&mut buffer[..left]);
            let count = count.map_err(|source| Error::Read { path: path(), source })?;
            if count > 0 {
                return Ok(count);
            }
        }
        let count = self.rest.read(buffer);
        let count =
            count.map_err(|source| Error::Interrupted { digest: self.ingest.digest.clone(), source })?;
        let kept = self.ingest.file.write_all(&buffer[..count]);
        kept.map_err(|source| Error::Write { path: path(), source })?;
        Ok(count)
    }
}

impl<R: Read> Read for Arriving<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.next(buffer) {
            Ok(count) => {
                self.hasher.update(&buffer[..count]);
                self.count += count as u64;
                Ok(count)
            }
            Err(trouble) => {
                self.trouble = Some(trouble);
                Err(io::Error::other("the blob does not arrive"))
            }
        }
    }
}
