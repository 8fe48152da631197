//! Docker's `json-file` log: `{"log":"text\n","stream":"stdout","time":"2025-01-02T03:04:05.678Z"}`, an object a line.
//!
//! ```text
//! <path>      the newest lines
//! <path>.1    the ones before, up to max_files files in all
//! ```
//! A line of output longer than 16 KiB is written in pieces, of which only the last ends with `\n`, as Docker does.

mod escape;
mod line;
mod read;
mod tail;
mod write;

pub use line::Line;
pub use read::{Reader, Reading};
pub use write::Writer;

use std::io;
use std::path::{Path, PathBuf};

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

/// The name of the `number`th file: the path itself, then `.1`, `.2`, ...
fn rotated(path: &Path, number: u32) -> PathBuf {
    if number == 0 {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

#[cfg(test)]
mod tests;
