//! Where things are in the data root.

use std::path::{Path, PathBuf};

/// The paths of a data root.
#[derive(Debug)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }
}
