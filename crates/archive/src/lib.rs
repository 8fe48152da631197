//! Trees of files as tar streams and back, for `cp`: what is inside a root stays inside, whatever links say.
//!
//! A path is resolved by the kernel below the root's descriptor (openat2(2)); nothing here follows a link by itself. What
//! makes images of tars is in `store`: layers know whiteouts and no links on the way.

mod find;
mod pack;
#[cfg(test)]
mod tests;
mod unpack;

pub use find::{Found, PathStat, find, stat};
pub use pack::pack;
pub use unpack::{Owner, Unpacking, unpack};

use std::io;

/// Why a tree could not be copied.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is nothing at a path.
    #[error("{path}: no such file or directory")]
    NotFound {
        /// The path.
        path: String,
    },
    /// A path should lead to a folder.
    #[error("{path}: not a directory")]
    NotFolder {
        /// The path.
        path: String,
    },
    /// A path could not be looked at or read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The path.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The stream's reader is gone, or its writer.
    #[error("the stream broke off: {0}")]
    Stream(#[source] io::Error),
    /// It is no right tar.
    #[error(transparent)]
    Tar(#[from] sampan_image::tar::Error),
    /// An entry's name leads out.
    #[error("entry {entry:?} is refused: its name leads out of the destination")]
    Outside {
        /// The entry.
        entry: String,
    },
    /// A folder stands where something else should go.
    #[error("cannot overwrite directory {path:?} with non-directory {entry:?}")]
    OverFolder {
        /// What is there.
        path: String,
        /// The entry.
        entry: String,
    },
    /// Something that is no folder stands where a folder should go.
    #[error("cannot overwrite non-directory {path:?} with directory {entry:?}")]
    OverFile {
        /// What is there.
        path: String,
        /// The entry.
        entry: String,
    },
    /// An entry could not be written.
    #[error("cannot write {entry:?}: {source}")]
    Write {
        /// The entry.
        entry: String,
        /// Why.
        source: io::Error,
    },
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
