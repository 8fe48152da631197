//! What goes wrong with volumes, in Docker's words.

use sampan_spec::{ContainerId, ErrorKind};
use std::io;
use std::path::PathBuf;

/// A verb on a volume failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VolumeError {
    /// No volume has this name.
    #[error("get {0}: no such volume")]
    NotFound(String),
    /// Containers use it.
    #[error("remove {name}: volume is in use - [{}]", list(users))]
    InUse {
        /// Its name.
        name: String,
        /// Who.
        users: Vec<ContainerId>,
    },
    /// A name of one letter.
    #[error("create {0}: volume name is too short, names should be at least two alphanumeric characters")]
    ShortName(String),
    /// A name has characters that names cannot have.
    #[error(
        "create {0}: {0:?} includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are \
         allowed. If you intended to pass a host directory, use absolute path"
    )]
    BadName(String),
    /// There is no such driver.
    #[error("create {name}: error looking up volume plugin {driver}: plugin {driver:?} not found")]
    NoDriver {
        /// The volume.
        name: String,
        /// What was asked for.
        driver: String,
    },
    /// The driver knows no such option.
    #[error("create {name}: invalid option: {option:?}")]
    UnknownOption {
        /// The volume.
        name: String,
        /// The option.
        option: String,
    },
    /// One option needs another.
    #[error("create {name}: missing required option: {option:?}")]
    MissingOption {
        /// The volume.
        name: String,
        /// What is missing.
        option: &'static str,
    },
    /// A size was asked for.
    #[error("create {0}: quota size requested but no quota support")]
    NoQuota(String),
    /// What its options say could not be mounted.
    #[error("error while mounting volume '{}': failed to mount local volume: mount {what}: {}", path.display(), lower(source))]
    Mount {
        /// Where.
        path: PathBuf,
        /// Device, target, flags and data.
        what: String,
        /// Why.
        #[source]
        source: Repeated,
    },
    /// The server of a network volume is given by name.
    #[error(
        "error while mounting volume '{}': error resolving passed in network volume address: {address} is not an IP address, \
         and names of servers are not looked up by this version of Sampan", path.display()
    )]
    Address {
        /// Where.
        path: PathBuf,
        /// The name.
        address: String,
    },
    /// It could not be filled from the image.
    #[error("failed to populate volume: {0}")]
    Populate(#[source] Box<crate::Error>),
    /// The image has something else than a folder there.
    #[error("cannot mount volume over existing file, file exists {0}")]
    OverFile(String),
    /// Another prune is at work.
    #[error("a prune operation is already running")]
    Pruning,
}

/// An error whose text the one that holds it has in its own already.
#[derive(Debug, thiserror::Error)]
#[error("{}", lower(.0))]
pub struct Repeated(pub io::Error);

pub(crate) fn lower(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    let text = text.find(" (os error").map_or(text.as_str(), |at| &text[..at]);
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

fn list(users: &[ContainerId]) -> String {
    users.iter().map(ContainerId::as_str).collect::<Vec<_>>().join(", ")
}

impl VolumeError {
    /// What sort of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound(_) | Self::NoDriver { .. } => ErrorKind::NotFound,
            Self::InUse { .. } | Self::Pruning => ErrorKind::Conflict,
            Self::ShortName(_)
            | Self::BadName(_)
            | Self::UnknownOption { .. }
            | Self::MissingOption { .. }
            | Self::NoQuota(_)
            | Self::OverFile(_) => ErrorKind::InvalidParameter,
            Self::Populate(source) => source.kind(),
            Self::Mount { .. } | Self::Address { .. } => ErrorKind::System,
        }
    }
}
