//! Blobs: content by digest, as it came.

use crate::layout::Layout;
use crate::{Error, Store};
use sampan_image::Content;
use sampan_spec::Digest;
use std::fs::File;
use std::io::{self, Read};

/// Opens a blob. `None` if it is not there.
///
/// # Errors
/// When it cannot be opened.
pub fn open(store: &Store, digest: &Digest) -> Result<Option<File>, Error> {
    let path = store.layout.blob(digest);
    open_file(&path).map_err(|source| Error::Read { path, source })
}

impl Content for Store {
    fn open(&self, digest: &Digest) -> io::Result<Option<Box<dyn Read + Send + '_>>> {
        Blobs(&self.layout).open_boxed(digest)
    }
}

/// The blobs of a layout, before it is a store.
pub(crate) struct Blobs<'a>(pub(crate) &'a Layout);

impl Blobs<'_> {
    fn open_boxed(&self, digest: &Digest) -> io::Result<Option<Box<dyn Read + Send + 'static>>> {
        Ok(open_file(&self.0.blob(digest))?.map(|file| Box::new(file) as Box<dyn Read + Send>))
    }
}

impl Content for Blobs<'_> {
    fn open(&self, digest: &Digest) -> io::Result<Option<Box<dyn Read + Send + '_>>> {
        self.open_boxed(digest)
    }
}

fn open_file(path: &std::path::Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}
