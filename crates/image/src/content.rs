//! Where the parsers get content from: a map from digest to bytes.

use crate::hash::Hashing;
use sampan_spec::Digest;
use std::io::{self, Read};

/// The size above which no manifest, index or configuration is read: 4 MiB, as registries hold it.
pub const MAX_DOCUMENT: u64 = 4 << 20;

/// Content by digest. Implementations need not verify: what reads from them does.
pub trait Content {
    /// Opens the content with this digest. `Ok(None)` if it is not there.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    fn open(&self, digest: &Digest) -> io::Result<Option<Box<dyn Read + Send + '_>>>;
}

/// Why a document could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// It is not there.
    #[error("content {digest} is missing")]
    Missing {
        /// Which.
        digest: Digest,
    },
    /// It could not be read.
    #[error("content {digest} cannot be read")]
    Read {
        /// Which.
        digest: Digest,
        /// Why.
        source: io::Error,
    },
    /// It is larger than a document may be.
    #[error("document {digest} is larger than {limit} bytes")]
    TooLarge {
        /// Which.
        digest: Digest,
        /// The limit.
        limit: u64,
    },
    /// Its bytes have another digest.
    #[error("content {expected} has digest {actual}")]
    Digest {
        /// What it should be.
        expected: Digest,
        /// What it is.
        actual: Digest,
    },
}

/// Reads a whole document of at most [`MAX_DOCUMENT`] bytes and verifies its digest.
///
/// # Errors
/// See [`ContentError`].
pub fn read_document(content: &dyn Content, digest: &Digest) -> Result<Vec<u8>, ContentError> {
    let read = |source| ContentError::Read { digest: digest.clone(), source };
    let opened = content.open(digest).map_err(read)?;
    let reader = opened.ok_or_else(|| ContentError::Missing { digest: digest.clone() })?;
    let mut reader = Hashing::new(reader.take(MAX_DOCUMENT + 1));
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).map_err(read)?;
    if bytes.len() as u64 > MAX_DOCUMENT {
        return Err(ContentError::TooLarge { digest: digest.clone(), limit: MAX_DOCUMENT });
    }
    match reader.finish().0 {
        actual if actual == *digest => Ok(bytes),
        actual => Err(ContentError::Digest { expected: digest.clone(), actual }),
    }
}
