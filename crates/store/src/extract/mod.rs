//! Unpacking a layer's tar into a folder for overlayfs, in one pass: decompressed, hashed, written out, and recorded
//! so that the tar can be made again.
//!
//! Names are foreign. Every folder on the way to a file is opened below the layer's root without following a link
//! (`tree`), so an archive can do nothing outside its folder; what it cannot mean honestly is refused and named.

mod attributes;
mod place;
pub(crate) mod record;
#[cfg(test)]
mod tests;
pub(crate) mod tree;

use crate::snapshots::FS;
use place::Place;
use record::Recorder;
use sampan_image::Hashing;
use sampan_image::compression::Decoder;
use sampan_image::tar::{self, Limits, Reader};
use sampan_spec::Digest;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// Why a layer could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Its compression is not supported or its first bytes could not be read.
    #[error("cannot read it: {source}")]
    Compression {
        /// Why.
        source: io::Error,
    },
    /// It is no right tar.
    #[error(transparent)]
    Tar(#[from] tar::Error),
    /// An entry would do what no layer may.
    #[error("entry {entry:?} is refused: {reason}")]
    Refused {
        /// Its name.
        entry: String,
        /// What is wrong with it.
        reason: Refusal,
    },
    /// Its files are larger than allowed.
    #[error("entry {entry:?} is refused: the layer's files would be larger than {limit} bytes")]
    TooLarge {
        /// The entry that was too much.
        entry: String,
        /// The limit.
        limit: u64,
    },
    /// An entry could not be written out.
    #[error("cannot write entry {entry:?}: {source}")]
    Write {
        /// Its name.
        entry: String,
        /// Why.
        source: io::Error,
    },
    /// The folder could not be made, or the record not be written.
    #[error("cannot write the layer: {source}")]
    Folder {
        /// Why.
        source: io::Error,
    },
}

/// Why an entry is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// `..`, which would lead out of the layer.
    #[error("its name has a part \"..\"")]
    Parent,
    /// A file or link named as the root.
    #[error("it would replace the root")]
    Root,
    /// A folder on its way is a link.
    #[error("its name leads through a link")]
    ThroughLink,
    /// A folder on its way is no folder.
    #[error("its name leads through something that is no folder")]
    ThroughFile,
    /// A hard link's target has a part `..`.
    #[error("the link leads out of the layer")]
    LinkOut,
    /// A hard link's target is not in the layer.
    #[error("the link's target is not in the layer before it")]
    LinkTarget,
    /// A whiteout of nothing.
    #[error("it is a whiteout of nothing that could be there")]
    Whiteout,
    /// Something that has no content has much.
    #[error("it is no file and has content")]
    Content,
}

impl ApplyError {
    /// Whether the tar is to blame, and not this host.
    pub fn is_foreign(&self) -> bool {
        match self {
            Self::Compression { source } => source.raw_os_error().is_none(),
            Self::Tar(source) => source.is_foreign(),
            Self::Refused { .. } | Self::TooLarge { .. } => true,
            Self::Write { .. } | Self::Folder { .. } => false,
        }
    }
}

/// What was unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Applied {
    /// The digest of the plain tar.
    pub(crate) diff_id: Digest,
    /// The size of the files in bytes, hard links once.
    pub(crate) size: u64,
}

const BUFFER: usize = 256 << 10;

/// Unpacks a layer, plain or compressed, into `layer`, an empty folder: `fs/`, `framing` and `kept/` are made in it.
/// On an error the caller removes the folder. `max` bounds the bytes of its files' contents.
pub(crate) fn apply(source: impl Read + Send, layer: &Path, max: u64) -> Result<Applied, ApplyError> {
    let folder = |source| ApplyError::Folder { source };
    let plain = Decoder::new(source).map_err(|source| ApplyError::Compression { source })?;
    let hashed = BufReader::with_capacity(BUFFER, Hashing::new(plain));
    let recorder = Recorder::create(layer).map_err(folder)?;
    let mut reader = Reader::with_tape(hashed, recorder, Limits::default());
    let mut place = Place::new(layer, max).map_err(folder)?;
    while let Some(entry) = reader.next()? {
        place.entry(&entry, &mut reader)?;
    }
    let size = place.finish().map_err(folder)?;
    let (hashed, recorder) = reader.into_parts();
    recorder.finish().map_err(folder)?;
    let (diff_id, _) = hashed.into_inner().finish();
    Ok(Applied { diff_id, size })
}

/// The path of the files in a layer's folder.
pub(crate) fn files(layer: &Path) -> std::path::PathBuf {
    layer.join(FS)
}
