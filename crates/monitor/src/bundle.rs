//! Reading the bundle (`sampan_spec::bundle`).

use sampan_spec::bundle::{CONFIG, SUPERVISE, Supervise, VERSION};
use sampan_spec::oci;
use serde::de::DeserializeOwned;
use std::io;
use std::path::{Path, PathBuf};

/// A bundle cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("cannot understand {path}: {source}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// It was written by another version.
    #[error("{path} has version {found}, this monitor reads {VERSION}")]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
}

/// A bundle, read.
#[derive(Debug)]
pub(crate) struct Bundle {
    pub(crate) folder: PathBuf,
    pub(crate) config: oci::Spec,
    pub(crate) supervise: Supervise,
}

impl Bundle {
    pub(crate) fn read(folder: &Path) -> Result<Self, BundleError> {
        let supervise: Supervise = parse(&folder.join(SUPERVISE))?;
        if supervise.version != VERSION {
            let path = folder.join(SUPERVISE);
            return Err(BundleError::Version { path, found: supervise.version });
        }
        Ok(Self { folder: folder.to_owned(), config: parse(&folder.join(CONFIG))?, supervise })
    }

    /// Whether process 1 has a terminal.
    pub(crate) fn terminal(&self) -> bool {
        self.config.process.as_ref().and_then(|process| process.terminal).unwrap_or(false)
    }
}

fn parse<T: DeserializeOwned>(path: &Path) -> Result<T, BundleError> {
    let text = std::fs::read(path).map_err(|source| BundleError::Read { path: path.to_owned(), source })?;
    serde_json::from_slice(&text).map_err(|source| BundleError::Parse { path: path.to_owned(), source })
}
