//! Keeps an archive's files under `tmp/` while it is read, by digest.

use sampan_image::archive::Spool;
use sampan_image::{Content, Hasher};
use sampan_spec::Digest;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::PathBuf;

/// A folder of files by the digest's digits.
pub(crate) struct Files {
    folder: PathBuf,
    current: Option<(File, Hasher, u64)>,
}

impl Files {
    /// Makes the folder.
    pub(crate) fn create(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir(&folder)?;
        Ok(Self { folder, current: None })
    }

    pub(crate) fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(digest.hex())
    }

    fn unfinished(&self) -> PathBuf {
        self.folder.join("unfinished")
    }
}

impl Content for Files {
    fn open(&self, digest: &Digest) -> io::Result<Option<Box<dyn Read + Send + '_>>> {
        match File::open(self.path(digest)) {
            Ok(file) => Ok(Some(Box::new(file))),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }
}

impl Spool for Files {
    fn begin(&mut self) -> io::Result<()> {
        self.current = Some((File::create(self.unfinished())?, Hasher::default(), 0));
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (file, hasher, size) = self.current.as_mut().ok_or(ErrorKind::InvalidInput)?;
        file.write_all(bytes)?;
        hasher.update(bytes);
        *size += bytes.len() as u64;
        Ok(())
    }

    fn finish(&mut self) -> io::Result<(Digest, u64)> {
        let (_, hasher, size) = self.current.take().ok_or(ErrorKind::InvalidInput)?;
        let digest = hasher.finish();
        fs::rename(self.unfinished(), self.path(&digest))?;
        Ok((digest, size))
    }
}

/// A reader that keeps what is read through it.
pub(crate) struct Tee<'a, R> {
    inner: R,
    spool: &'a mut Files,
    failure: Option<io::Error>,
}

impl<'a, R: Read> Tee<'a, R> {
    /// Begins a file of the spool; [`Spool::finish`] ends it.
    pub(crate) fn new(inner: R, spool: &'a mut Files) -> io::Result<Self> {
        spool.begin()?;
        Ok(Self { inner, spool, failure: None })
    }

    /// Why reading failed, if it was because what was read could not be kept.
    pub(crate) fn failed_write(&mut self) -> Option<io::Error> {
        self.failure.take()
    }
}

impl<R: Read> Read for Tee<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.spool.write(&buffer[..count]).map_err(|error| {
            let kind = error.kind();
            self.failure = Some(error);
            io::Error::from(kind)
        })?;
        Ok(count)
    }
}
