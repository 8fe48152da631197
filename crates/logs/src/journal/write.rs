//! Writing a journal: one process at a time, without syncs, and with room kept for the day the disk is full.

use super::JournalError;
use super::read::{entries, whole_lines};
use rustix::fs::{FallocateFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::time::ClockId;
use sampan_spec::Timestamp;
use sampan_spec::journal::{Entry, Event, Summary};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// How much room is always allocated ahead, in bytes. On a full disk one half of it is for what happens to process 1 alone.
const AHEAD: u64 = 8 << 10;
/// Above this size the file is rewritten as one snapshot.
const REWRITE_ABOVE: u64 = 256 << 10;

/// The one writer of a journal. It holds the file's flock until it is dropped.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    file: File,
    length: u64,
    allocated: u64,
    /// The file system has no room for more.
    full: bool,
    rewrite_above: u64,
    summary: Summary,
}

impl Writer {
    /// Opens the journal at `path`, or makes it; cuts a torn last line.
    ///
    /// # Errors
    /// [`JournalError::Locked`] when another process writes it; else [`JournalError::Open`], [`JournalError::Read`].
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let mut file = lock(path)?;
        let mut content = Vec::new();
        file.read_to_end(&mut content)
            .map_err(|source| JournalError::Read { path: path.to_owned(), source })?;
        let length = whole_lines(&content).len() as u64;
        if length < content.len() as u64 {
            file.set_len(length).map_err(|source| JournalError::Open { path: path.to_owned(), source })?;
        }
        let mut summary = Summary::default();
        entries(&content).for_each(|entry| summary.apply(&entry));
        let (allocated, rewrite_above) = (length, REWRITE_ABOVE);
        let path = path.to_owned();
        let mut writer = Self { path, file, length, allocated, full: false, rewrite_above, summary };
        writer.allocate();
        Ok(writer)
    }

    /// What the journal says up to now.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Writes `event` with the next number and the present time. What is returned and [`Self::summary`] hold the event even
    /// when the file does not: call [`Self::take_entry`] in that case.
    ///
    /// # Errors
    /// [`JournalError::Write`]: the line is not in the file, and nothing torn is.
    pub fn append(&mut self, event: Event) -> Result<Entry, JournalError> {
        let entry = self.take_entry(event);
        self.write_line(&entry)?;
        Ok(entry)
    }

    /// Counts `event` as having happened, without the file.
    pub fn take_entry(&mut self, event: Event) -> Entry {
        let entry = entry(self.summary.seq + 1, event);
        self.summary.apply(&entry);
        entry
    }

    /// Writes an entry from [`Self::take_entry`]. On a full disk those that are not about process 1 are refused while there
    /// is still room for the others.
    ///
    /// # Errors
    /// [`JournalError::Write`].
    pub fn write_line(&mut self, entry: &Entry) -> Result<(), JournalError> {
        let line = line_of(entry);
        let length = line.len() as u64;
        self.allocate();
        let written =
            if self.full && !is_vital(&entry.event) && self.length + length + AHEAD / 2 > self.allocated {
                Err(Errno::NOSPC.into())
            } else {
                // What part of a line there is after a failure has no end: readers skip it, and the next line replaces it.
                // Cutting it off would give the blocks behind it away, too.
                self.file.write_all_at(&line, self.length)
            };
        written.map_err(|source| JournalError::Write { path: self.path.clone(), source })?;
        self.length += length;
        self.allocate();
        Ok(())
    }

    /// Writes one snapshot for all that happened; gives its entry. It also stands for entries that could not be written.
    ///
    /// # Errors
    /// [`JournalError::Write`]: then there is no such entry.
    pub fn write_snapshot(&mut self) -> Result<Entry, JournalError> {
        let snapshot = self.snapshot();
        self.write_line(&snapshot)?;
        self.summary.apply(&snapshot);
        Ok(snapshot)
    }

    /// As [`Self::write_snapshot`], without the file.
    pub fn take_snapshot(&mut self) -> Entry {
        let snapshot = self.snapshot();
        self.summary.apply(&snapshot);
        snapshot
    }

    fn snapshot(&self) -> Entry {
        entry(self.summary.seq + 1, Event::Snapshot { summary: Box::new(self.summary.clone()) })
    }

    /// Replaces a file that has grown by one snapshot; gives its entry if it did.
    ///
    /// # Errors
    /// [`JournalError::Write`]: the old file is still in use.
    pub fn compact(&mut self) -> Result<Option<Entry>, JournalError> {
        if self.length <= self.rewrite_above {
            return Ok(None);
        }
        let snapshot = self.snapshot();
        let line = line_of(&snapshot);
        let fail = |source| JournalError::Write { path: self.path.clone(), source };
        self.file = replace(&self.path, &line).map_err(fail)?;
        self.summary.apply(&snapshot);
        (self.length, self.allocated) = (line.len() as u64, line.len() as u64);
        // A summary can itself be large: then the next rewrite has to be worth it.
        self.rewrite_above = REWRITE_ABOVE.max(self.length * 2);
        self.allocate();
        Ok(Some(snapshot))
    }

    /// Keeps [`AHEAD`] bytes allocated. Not every file system can; then a full disk may cost entries.
    fn allocate(&mut self) {
        if self.allocated < self.length + AHEAD / 2 {
            let allocated = rustix::fs::fallocate(&self.file, FallocateFlags::KEEP_SIZE, self.length, AHEAD);
            self.full = matches!(allocated, Err(Errno::NOSPC | Errno::DQUOT));
            if allocated.is_ok() {
                self.allocated = self.length + AHEAD;
            }
        }
    }
}

/// Whether an event is about process 1: there are few of them and they are short, and an end must not be forgotten.
fn is_vital(event: &Event) -> bool {
    match event {
        Event::Started { .. }
        | Event::StartFailed { .. }
        | Event::Shutdown
        | Event::StopRequested { .. }
        | Event::RestartRequested { .. }
        | Event::Exited(_)
        | Event::Restarting { .. }
        | Event::Paused
        | Event::Resumed
        | Event::OutOfMemory
        | Event::MonitorLost => true,
        Event::ExecCreated { .. }
        | Event::ExecStarted { .. }
        | Event::ExecFailed { .. }
        | Event::ExecEnded { .. }
        | Event::ProbeStarted { .. }
        | Event::Probed { .. }
        | Event::LogGap { .. }
        | Event::Updated { .. }
        | Event::Snapshot { .. } => false,
    }
}

fn entry(seq: u64, event: Event) -> Entry {
    let boot = rustix::time::clock_gettime(ClockId::Boottime);
    let boot_ns = boot.tv_sec as u64 * 1_000_000_000 + boot.tv_nsec as u64;
    Entry { seq, time: Timestamp::now(), boot_ns, event }
}

/// Journal types have string keys and no floats: they always serialize.
fn line_of(entry: &Entry) -> Vec<u8> {
    let mut line = serde_json::to_vec(entry).unwrap_or_default();
    line.push(b'\n');
    line
}

/// Opens and locks the file that is at `path` *now*: its last writer may have replaced it between open and lock.
fn lock(path: &Path) -> Result<File, JournalError> {
    let fail = |source: io::Error| JournalError::Open { path: path.to_owned(), source };
    loop {
        let file = open(path, OFlags::CREATE).map_err(fail)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => return Err(JournalError::Locked { path: path.to_owned() }),
            result => result.map_err(|e| fail(e.into()))?,
        }
        let (ours, there) = (file.metadata().map_err(fail)?, std::fs::metadata(path));
        if there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())) {
            return Ok(file);
        }
    }
}

/// A new file with this content, locked, put in the place of the old one.
fn replace(path: &Path, content: &[u8]) -> io::Result<File> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    let mut file = open(&temporary, OFlags::CREATE | OFlags::TRUNC)?;
    let renamed = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)
        .map_err(io::Error::from)
        .and_then(|()| file.write_all(content))
        .and_then(|()| std::fs::rename(&temporary, path));
    match renamed {
        Ok(()) => Ok(file),
        Err(error) => {
            let _ = std::fs::remove_file(&temporary);
            Err(error)
        }
    }
}

fn open(path: &Path, flags: OFlags) -> io::Result<File> {
    let flags = flags | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?.into())
}
