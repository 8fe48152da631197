//! Content on its way in from a registry: `ingest/<hex>`, which a later try goes on with.

use crate::lease::Pin;
use crate::{Error, Store, atomic};
use rustix::fs::{FlockOperation, flock};
use sampan_image::Hasher;
use sampan_spec::Digest;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::SystemTime;

/// Content that is being fetched. Dropped before [`Ingest::finish`], it stays for a later try.
#[derive(Debug)]
pub struct Ingest<'a> {
    store: &'a Store,
    digest: Digest,
    path: PathBuf,
    file: File,
    hasher: Hasher,
    offset: u64,
    _pin: Pin<'a>,
}

/// Begins to fetch content, or goes on where an earlier try ended: see [`Ingest::offset`].
///
/// # Errors
/// [`Error::Fetching`] if someone else is at it, or when the file cannot be made.
pub fn begin<'a>(store: &'a Store, digest: &Digest) -> Result<Ingest<'a>, Error> {
    let path = store.layout.ingest().join(digest.hex());
    let write = |source| Error::Write { path: path.clone(), source };
    let pin = Pin::new(store, vec![digest.clone()]);
    let mut options = OpenOptions::new();
    let mut file =
        options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(write)?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Err(Error::Fetching { digest: digest.clone() });
    }
    let mut hasher = Hasher::default();
    let offset = hash(&mut file, &mut hasher).map_err(write)?;
    Ok(Ingest { store, digest: digest.clone(), path, file, hasher, offset, _pin: pin })
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
        let changed = entry.metadata().and_then(|metadata| metadata.modified()).map_err(failed)?;
        if changed < before {
            atomic::remove_all(&entry.path())?;
        }
    }
    Ok(())
}

impl Ingest<'_> {
    /// How many bytes are there already: the next ones to write come behind them.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Writes the next bytes.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let written = self.file.write_all(bytes);
        written.map_err(|source| Error::Write { path: self.path.clone(), source })?;
        self.hasher.update(bytes);
        self.offset += bytes.len() as u64;
        Ok(())
    }

    /// Ends it: from now on it is a blob. A record or lease must come to refer to it before it is collected: the
    /// caller holds one.
    ///
    /// # Errors
    /// [`Error::Ingest`] if it has another digest; it is removed then, and a later try begins anew.
    pub fn finish(self) -> Result<(), Error> {
        let actual = self.hasher.clone().finish();
        if actual != self.digest {
            atomic::remove_all(&self.path)?;
            return Err(Error::Ingest { expected: self.digest.clone(), actual });
        }
        let to = self.store.layout.blob(&self.digest);
        let placed = self
            .file
            .sync_all()
            .and_then(|()| fs::rename(&self.path, &to))
            .and_then(|()| atomic::sync_dir(&self.store.layout.blobs()));
        placed.map_err(|source| Error::Write { path: to, source })
    }
}

fn hash(file: &mut File, hasher: &mut Hasher) -> io::Result<u64> {
    let mut buffer = vec![0; 128 << 10];
    let mut offset = 0;
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(offset);
        }
        hasher.update(&buffer[..count]);
        offset += count as u64;
    }
}
