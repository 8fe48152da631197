//! A container's output in files, in one of two formats of Docker's.
//!
//! ```text
//! <path>         the newest lines
//! <path>.1       the ones before, up to max_files files in all
//! <path>.1.gz    the same, compressed
//! <path>.packing a compressed one in the making
//! ```
//! `json-file` is an object a line: `{"log":"text\n","stream":"stdout","attrs":{"tag":"x"},"time":"2025-01-02T03:04:05.678Z"}`.
//! `local` is a record of protocol buffers a line, with its length before and behind. In both, a line of output longer
//! than 16 KiB is written in pieces, of which only the last ends the line.

mod clock;
mod escape;
mod files;
mod format;
mod json;
mod line;
mod local;
mod pack;
mod read;
mod records;
mod tail;
mod write;

pub use line::{Line, Renderer};
pub use pack::pack;
pub use read::{Reader, Reading};
pub use write::Writer;

use std::io;
use std::path::PathBuf;

/// A log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A file cannot be opened.
    #[error("cannot open the log {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be read.
    #[error("cannot read the log {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

#[cfg(test)]
mod tests;
