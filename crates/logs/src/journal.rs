//! The journal's file: written under its flock, read by anyone at any time.
//!
//! A line is whole when its newline is there. A writer cuts what is behind the last newline; a reader ignores it. Lines
//! that do not parse (a power cut may leave zeros) are skipped. The file is replaced by rename when it has grown, so a
//! reader always has one consistent file open.

mod read;
mod write;

pub use read::read;
pub use write::Writer;

use std::io;
use std::path::PathBuf;

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It cannot be opened or made.
    #[error("cannot open the journal {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process writes it.
    #[error("the journal {path} has another writer")]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be read.
    #[error("cannot read the journal {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line cannot be written.
    #[error("cannot write to the journal {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

#[cfg(test)]
mod tests;
