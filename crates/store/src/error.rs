//! Why a verb of the store failed.

use crate::extract::ApplyError;
use sampan_image::{ConfigError, ContentError, archive, changes};
use sampan_spec::{Digest, ErrorKind, ParseReferenceError};
use std::io;
use std::path::PathBuf;

/// Why a verb of the store failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data root was written by a newer Sampan.
    #[error("{path} has layout {found}, and this program knows layouts up to {known}")]
    NewerLayout {
        /// The file that says so.
        path: PathBuf,
        /// Its number.
        found: u32,
        /// The newest number known here.
        known: u32,
    },
    /// The file that holds the layout's number holds something else.
    #[error("{path} does not hold a layout number")]
    Layout {
        /// The file.
        path: PathBuf,
    },
    /// A file or folder could not be made or written.
    #[error("cannot write {path}")]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file or folder could not be read.
    #[error("cannot read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file or folder could not be removed.
    #[error("cannot remove {path}")]
    Remove {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A record could not be turned into JSON.
    #[error("cannot write the record {path}")]
    Encode {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// A record's name would leave its folder.
    #[error("{name:?} is not a name for a record")]
    RecordName {
        /// The name.
        name: String,
    },
    /// An archive is not right.
    #[error(transparent)]
    Archive(#[from] archive::Error),
    /// A layer could not be unpacked.
    #[error("layer {layer}: {source}")]
    Layer {
        /// Its digest as it came, or its name in the archive.
        layer: String,
        /// Why.
        source: LayerError,
    },
    /// An image's configuration is not right.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A document is missing or damaged.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// A `--change` is not right.
    #[error(transparent)]
    Changes(#[from] changes::Error),
    /// Nothing has this name or id.
    #[error("No such image: {typed}")]
    NoSuchImage {
        /// What was asked for.
        typed: String,
    },
    /// Several images' ids begin so.
    #[error("image id {typed} is ambiguous: {} images begin so", .matches.len())]
    Ambiguous {
        /// What was asked for.
        typed: String,
        /// Their ids.
        matches: Vec<Digest>,
    },
    /// What was typed is neither a reference nor an id.
    #[error("{source}")]
    Reference {
        /// What was typed.
        typed: String,
        /// Why.
        source: ParseReferenceError,
    },
    /// The image has names in several repositories and was to be deleted by its id without force.
    #[error(
        "conflict: unable to delete {} (must be forced) - image is referenced in multiple repositories",
        .id.short()
    )]
    SeveralNames {
        /// The image.
        id: Digest,
    },
    /// The image is leased: a container is being made of it.
    #[error("conflict: unable to delete {} (cannot be forced) - image is being used", .id.short())]
    Leased {
        /// The image.
        id: Digest,
    },
    /// A layer of the image is not there any more.
    #[error("layer {chain} of the image is missing")]
    NoSnapshot {
        /// Its chain id.
        chain: Digest,
    },
    /// The same content is being fetched by someone else.
    #[error("content {digest} is being fetched")]
    Fetching {
        /// Its digest.
        digest: Digest,
    },
    /// Fetched content is not what was asked for.
    #[error("filesystem layer verification failed for digest {expected}")]
    Ingest {
        /// The digest asked for.
        expected: Digest,
        /// The digest of what came.
        actual: Digest,
    },
    /// Content that is being fetched did not come whole. What has come stays.
    #[error("content {digest} did not come whole")]
    Interrupted {
        /// Its digest.
        digest: Digest,
        /// Why.
        source: io::Error,
    },
    /// An image's manifest and configuration name different numbers of layers.
    #[error("layers from manifest don't match image configuration: {manifest} and {config}")]
    LayerCount {
        /// In the manifest.
        manifest: usize,
        /// In the configuration.
        config: usize,
    },
    /// The layer's tar cannot be made again from what was kept.
    #[error("the tar of layer {chain} cannot be rebuilt")]
    Rebuild {
        /// Its chain id.
        chain: Digest,
        /// Why.
        source: io::Error,
    },
}

/// Why a layer could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// Its tar is not right, or could not be written out.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// Its tar has another digest than the image's configuration says.
    #[error("its tar has digest {actual}, and the image's configuration says {expected}")]
    DiffId {
        /// The digest in the configuration.
        expected: Digest,
        /// The digest of what came.
        actual: Digest,
    },
}

impl Error {
    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Archive(e) if e.is_foreign() => ErrorKind::InvalidParameter,
            Self::Layer { source: LayerError::Apply(e), .. } if !e.is_foreign() => ErrorKind::System,
            Self::Layer { .. }
            | Self::Config(_)
            | Self::Changes(_)
            | Self::Reference { .. }
            | Self::RecordName { .. }
            | Self::LayerCount { .. }
            | Self::Ingest { .. } => ErrorKind::InvalidParameter,
            Self::NoSuchImage { .. } => ErrorKind::NotFound,
            Self::Ambiguous { .. }
            | Self::SeveralNames { .. }
            | Self::Leased { .. }
            | Self::Fetching { .. } => ErrorKind::Conflict,
            Self::Archive(_)
            | Self::NewerLayout { .. }
            | Self::Layout { .. }
            | Self::Write { .. }
            | Self::Read { .. }
            | Self::Remove { .. }
            | Self::Encode { .. }
            | Self::Content(_)
            | Self::NoSnapshot { .. }
            | Self::Interrupted { .. }
            | Self::Rebuild { .. } => ErrorKind::System,
        }
    }
}
