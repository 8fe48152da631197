//! The store as a value: where it is, its index, and what was damaged when it was opened.

use crate::Error;
use crate::index::Index;
use crate::layout::Layout;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// An open store. One process at a time may have it: the lock of the data root is its opener's.
#[derive(Debug)]
pub struct Store {
    pub(crate) layout: Layout,
    pub(crate) index: Mutex<Index>,
    damaged: Vec<Damaged>,
}

/// An object that could not be read. Its file was renamed to `path`, and the store goes on without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// Where it is now.
    pub path: PathBuf,
    /// Why it could not be read.
    pub reason: String,
}

impl Store {
    /// Opens the store in `data_root` (made if it is not there), empties `tmp/`, and reads all records.
    ///
    /// # Errors
    /// When the layout is newer than this program, or the folders cannot be made or read. A damaged object is no
    /// error: see [`Store::damaged`].
    pub fn open(data_root: &Path) -> Result<Self, Error> {
        todo!()
    }

    /// What was damaged when the store was opened.
    pub fn damaged(&self) -> &[Damaged] {
        &self.damaged
    }

    /// The data root.
    pub fn data_root(&self) -> &Path {
        self.layout.root()
    }
}
