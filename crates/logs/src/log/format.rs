//! What tells the two formats apart.

use super::line::{Line, What};
use super::{json, local};
use sampan_spec::Timestamp;
use sampan_spec::bundle::LogFormat;
use sampan_spec::stream::Stream;
use std::fs::File;
use std::io;
use std::ops::Range;

/// No record that is written is longer: a piece of 16 KiB with every byte escaped to six, and attributes.
pub(super) const RECORD_MAX: usize = 1 << 20;

/// What stands at the beginning of some bytes of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A record's content, and how long it is with all that belongs to it.
    Record(Range<usize>, usize),
    /// The beginning of one.
    Part,
    /// Nothing that could be one; where the next begins cannot be known.
    Damage,
}

/// All of a record but its text, which is looked at only where it is wanted.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) stream: Stream,
    pub(super) time: Timestamp,
    pub(super) text: Text,
}

/// Where a record's text is.
#[derive(Debug)]
pub(super) enum Text {
    /// Escaped JSON of this length, in the usual place.
    Usual(usize),
    /// Somewhere in a JSON object.
    Json,
    /// Bytes as they are, and whether a newline belongs behind them.
    Plain(Range<usize>, bool),
}

/// Looks for a record at the beginning of `bytes`.
pub(super) fn find(format: LogFormat, bytes: &[u8]) -> Found {
    match format {
        LogFormat::JsonFile => json::find(bytes),
        LogFormat::Local => local::find(bytes),
    }
}

/// Reads a record's content; `None` if it is damaged.
pub(super) fn head(format: LogFormat, record: &[u8], clock: &mut super::clock::Reading) -> Option<Head> {
    match format {
        LogFormat::JsonFile => json::head(record, clock),
        LogFormat::Local => local::head(record),
    }
}

/// The line that a record is. Attributes are looked at only where they are wanted.
pub(super) fn line(head: Head, record: &[u8], details: bool) -> Line<'_> {
    let attributes = if details { json::attributes(record) } else { Vec::new() };
    let Head { stream, time, text } = head;
    match text {
        Text::Plain(range, newline) => {
            let text = record.get(range).unwrap_or_default().into();
            Line { time, stream, text, newline, attributes: Vec::new() }
        }
        Text::Usual(length) => {
            Line { time, stream, text: json::text(record, Some(length)), newline: false, attributes }
        }
        Text::Json => Line { time, stream, text: json::text(record, None), newline: false, attributes },
    }
}

/// Where the last whole record of a file that was written one after the other ends, if that can be told from its end.
pub(super) fn end_of_last(format: LogFormat, file: &File, size: u64) -> io::Result<Option<u64>> {
    match format {
        LogFormat::JsonFile => json::end_of_last(file, size).map(Some),
        LogFormat::Local => local::is_whole(file, size).map(|whole| whole.then_some(size)),
    }
}

/// Appends a record.
pub(super) fn encode(format: LogFormat, what: &What<'_>, out: &mut Vec<u8>) {
    match format {
        LogFormat::JsonFile => json::encode(what, out),
        LogFormat::Local => local::encode(what, out),
    }
}
