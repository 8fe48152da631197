//! Reading a journal.

use super::JournalError;
use sampan_spec::journal::Entry;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// No journal gets that far: such a number is damage, and would leave none for what comes.
const SEQ_MAX: u64 = 1 << 53;

/// The entries behind the sequence number `after`, in order; 0 gives all. A file that does not exist has none.
///
/// # Errors
/// [`JournalError::Read`].
pub fn read(path: &Path, after: u64) -> Result<Vec<Entry>, JournalError> {
    match fs::read(path) {
        Ok(content) => Ok(entries(&content).filter(|entry| entry.seq > after).collect()),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(JournalError::Read { path: path.to_owned(), source }),
    }
}

/// The entries of all whole lines that parse, without those that do not count up.
pub(super) fn entries(content: &[u8]) -> impl Iterator<Item = Entry> {
    let mut last = 0;
    whole_lines(content)
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Entry>(line).ok())
        .filter(|entry| entry.seq < SEQ_MAX)
        .filter(move |entry| {
            let next = entry.seq > last;
            last = last.max(entry.seq);
            next
        })
}

/// The part up to and with the last newline.
pub(super) fn whole_lines(content: &[u8]) -> &[u8] {
    &content[..memchr::memrchr(b'\n', content).map_or(0, |at| at + 1)]
}
