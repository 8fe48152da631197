//! Where things are in the data root.
//!
//! ```text
//! <data root>/format                       the number of this layout
//!             blobs/sha256/<hex>           manifests, configurations, layers as they came
//!             ingest/<hex>                 half-fetched blobs
//!             snapshots/overlay/<hex>/     unpacked layers by chain id (`snapshots`)
//!             skeletons/<attributes>/      what is in each container (`skeleton`)
//!             images/<hex>.json            `ImageRecord`
//!             names/<hex>.json             `NameRecord`, by the SHA-256 of the name
//!             tmp/                         what is half-done; emptied when the store is opened
//! ```

use crate::{Error, atomic};
use sampan_image::sha256;
use sampan_spec::Digest;
use std::path::{Path, PathBuf};

/// The layout's number. Format break.
pub(crate) const FORMAT: u32 = 1;

/// The paths of a data root.
#[derive(Debug)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    /// Makes what is missing of the folders, and checks the number of the layout.
    pub(crate) fn open(root: &Path) -> Result<Self, Error> {
        let layout = Self { root: root.to_owned() };
        atomic::create_dir(root)?;
        layout.check_format()?;
        for folder in [layout.blobs(), layout.ingest(), layout.snapshots(), layout.images(), layout.names()] {
            atomic::create_dir(&folder)?;
        }
        atomic::empty_dir(&layout.tmp())?;
        Ok(layout)
    }

    /// A data root without a number is a new one.
    fn check_format(&self) -> Result<(), Error> {
        let path = self.root.join("format");
        let text = match std::fs::read_to_string(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let number = format!("{FORMAT}\n");
                return atomic::write(&path, number.as_bytes(), atomic::Sync::Yes)
                    .map_err(|source| Error::Write { path, source });
            }
            Err(source) => return Err(Error::Read { path, source }),
            Ok(text) => text,
        };
        match text.trim().parse::<u32>() {
            Ok(FORMAT) => Ok(()),
            Ok(found) if found > FORMAT => Err(Error::NewerLayout { path, found, known: FORMAT }),
            // Migrations of older layouts come here. There is none yet.
            _ => Err(Error::Layout { path }),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn blobs(&self) -> PathBuf {
        self.root.join("blobs/sha256")
    }

    pub(crate) fn blob(&self, digest: &Digest) -> PathBuf {
        self.blobs().join(digest.hex())
    }

    pub(crate) fn ingest(&self) -> PathBuf {
        self.root.join("ingest")
    }

    pub(crate) fn snapshots(&self) -> PathBuf {
        self.root.join("snapshots/overlay")
    }

    pub(crate) fn snapshot(&self, chain: &Digest) -> PathBuf {
        self.snapshots().join(chain.hex())
    }

    pub(crate) fn skeletons(&self) -> PathBuf {
        self.root.join("skeletons")
    }

    pub(crate) fn images(&self) -> PathBuf {
        self.root.join("images")
    }

    pub(crate) fn names(&self) -> PathBuf {
        self.root.join("names")
    }

    pub(crate) fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }
}

/// The name of the record of an image's name.
pub(crate) fn name_key(name: &str) -> String {
    sha256(name.as_bytes()).hex().to_owned()
}
