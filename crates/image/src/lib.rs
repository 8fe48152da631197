//! Images as immutable values: the documents (configuration, manifest, index), layer tars with their whiteouts, the
//! archives that `docker save` and OCI tools write, and the invariants that hold between them.
//!
//! Nothing here knows where content is kept: it is read through [`Content`], and what an archive holds is handed to a
//! [`archive::Spool`]. All bytes are foreign: every digest is verified and every document has a limit.

pub mod archive;
pub mod changes;
pub mod compression;
mod config;
mod content;
mod hash;
mod history;
mod manifest;
pub mod media;
pub mod tar;
mod validate;

pub use config::{
    ConfigError, Healthcheck, History, ImageConfig, ImageDocument, LayerList, RunConfig, chain_ids,
};
pub use content::{Content, ContentError, MAX_DOCUMENT, read_document};
pub use hash::{Hasher, Hashing, sha256};
pub use history::{Step, history};
pub use manifest::{Descriptor, Index, Manifest, ManifestError};
pub use validate::{ValidateError, validate};
