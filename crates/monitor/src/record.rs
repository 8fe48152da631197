//! The journal as the monitor keeps it: an entry that the disk refuses is kept and told all the same.

use sampan_logs::journal::{self, JournalError, Writer};
use sampan_spec::journal::{Entry, Event, Summary};
use std::path::{Path, PathBuf};

/// The journal, until it is left to others.
#[derive(Debug)]
pub(crate) struct Record {
    path: PathBuf,
    writer: Option<Writer>,
    unwritten: Vec<Entry>,
    last: Summary,
}

impl Record {
    pub(crate) fn open(path: &Path) -> Result<Self, JournalError> {
        let writer = Writer::open(path)?;
        Ok(Self {
            path: path.to_owned(),
            writer: Some(writer),
            unwritten: Vec::new(),
            last: Summary::default(),
        })
    }

    /// What is so now.
    pub(crate) fn summary(&self) -> &Summary {
        self.writer.as_ref().map_or(&self.last, Writer::summary)
    }

    /// Writes an event down; gives the entries that the journal grew by, for those who follow it.
    pub(crate) fn append(&mut self, event: Event) -> Vec<Entry> {
        let Some(writer) = &mut self.writer else { return Vec::new() };
        let entry = writer.take_entry(event);
        self.unwritten.push(entry.clone());
        write_all(writer, &mut self.unwritten);
        let mut grown = vec![entry];
        if self.unwritten.is_empty()
            && let Ok(Some(snapshot)) = writer.compact()
        {
            grown.push(snapshot);
        }
        grown
    }

    /// The entries behind `after`.
    pub(crate) fn entries(&self, after: u64) -> Result<Vec<Entry>, JournalError> {
        let mut entries = journal::read(&self.path, after)?;
        entries.extend(self.unwritten.iter().filter(|entry| entry.seq > after).cloned());
        Ok(entries)
    }

    /// Lets others write the journal.
    pub(crate) fn close(&mut self) {
        if let Some(mut writer) = self.writer.take() {
            write_all(&mut writer, &mut self.unwritten);
            self.last = writer.summary().clone();
        }
    }
}

/// Writes what could not be written before, in order; stops at the first that still cannot.
fn write_all(writer: &mut Writer, entries: &mut Vec<Entry>) {
    let written = entries.iter().take_while(|entry| writer.write_line(entry).is_ok()).count();
    entries.drain(..written);
}
