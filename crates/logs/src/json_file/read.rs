//! Reading, over all the files there are, and on as they grow and are rotated.

use super::line::{Head, Line};
use super::tail::offset_of_last;
use super::{LogError, rotated};
use rustix::fs::{Mode, OFlags};
use sampan_spec::Timestamp;
use sampan_spec::monitor::LogQuery;
use sampan_spec::stream::Stream;
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// How much is read at a time, in bytes.
const BLOCK: usize = 32 << 10;
/// A piece of 16 KiB with every byte escaped to six has room in this.
const LINE_MAX: usize = 1 << 20;

/// Goes through a log's lines that a query asks for.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    query: LogQuery,
    /// The file that is being read, then the newer ones.
    files: VecDeque<Source>,
    buffer: Vec<u8>,
    /// What of `buffer` has been given out.
    done: usize,
    /// It is in the middle of a line that is longer than any that is written.
    in_long_line: bool,
    ended: bool,
}

/// What a [`Reader`] has next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading<'a> {
    /// A line.
    Line(Line<'a>),
    /// No more now; the log may grow.
    Behind,
    /// No more ever: what comes is later than asked for.
    Ended,
}

#[derive(Debug)]
struct Source {
    file: File,
    identity: (u64, u64),
    offset: u64,
}

impl Reader {
    /// Opens the log at `path` and looks up where to begin. A log without a file is empty.
    ///
    /// # Errors
    /// [`LogError::Open`], [`LogError::Read`].
    pub fn open(path: &Path, query: LogQuery) -> Result<Self, LogError> {
        let mut reader = Self {
            path: path.to_owned(),
            files: VecDeque::new(),
            buffer: Vec::new(),
            done: 0,
            in_long_line: false,
            ended: false,
            query,
        };
        reader.find_newer()?;
        if let Some(lines) = reader.query.tail {
            reader.skip_to_tail(lines)?;
        } else if let Some(since) = reader.query.since {
            reader.skip_older(since);
        }
        Ok(reader)
    }

    /// The next line that the query asks for. Damaged lines are skipped.
    ///
    /// # Errors
    /// [`LogError::Open`], [`LogError::Read`].
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend its buffer")]
    pub fn next(&mut self) -> Result<Reading<'_>, LogError> {
        loop {
            if self.ended {
                return Ok(Reading::Ended);
            }
            let Some(range) = self.next_range()? else { return Ok(Reading::Behind) };
            let Some(head) = Head::parse(&self.buffer[range.clone()]) else { continue };
            self.ended = self.query.until.is_some_and(|until| head.time > until);
            if !self.ended && self.wanted(&head) {
                return Ok(Reading::Line(head.with_text(&self.buffer[range])));
            }
        }
    }

    /// What the log was asked for.
    pub fn query(&self) -> &LogQuery {
        &self.query
    }

    fn wanted(&self, line: &Head) -> bool {
        let stream = match line.stream {
            Stream::Stdout => self.query.stdout,
            Stream::Stderr => self.query.stderr,
            Stream::Stdin | Stream::System => false,
        };
        stream && self.query.since.is_none_or(|since| line.time >= since)
    }

    /// Where in the buffer the next line is, without its newline.
    fn next_range(&mut self) -> Result<Option<std::ops::Range<usize>>, LogError> {
        let mut searched = self.done;
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.buffer[searched..]) {
                let range = self.done..searched + at;
                self.done = range.end + 1;
                if std::mem::take(&mut self.in_long_line) {
                    searched = self.done;
                    continue;
                }
                return Ok(Some(range));
            }
            self.buffer.drain(..self.done);
            (searched, self.done) = (self.buffer.len(), 0);
            if self.buffer.len() > LINE_MAX {
                self.buffer.clear();
                self.in_long_line = true;
            }
            if self.fill()? == 0 && !self.advance()? {
                return Ok(None);
            }
            searched = searched.min(self.buffer.len());
        }
    }

    /// Reads more of the present file.
    fn fill(&mut self) -> Result<usize, LogError> {
        let Some(source) = self.files.front_mut() else { return Ok(0) };
        let length = self.buffer.len();
        self.buffer.resize(length + BLOCK, 0);
        let read = source.file.read_at(&mut self.buffer[length..], source.offset);
        let count = read.map_err(|source| LogError::Read { path: self.path.clone(), source })?;
        source.offset += count as u64;
        self.buffer.truncate(length + count);
        if self.buffer.is_empty() {
            self.buffer = Vec::new();
        }
        Ok(count)
    }

    /// At a file's end: whether there is more to read now.
    fn advance(&mut self) -> Result<bool, LogError> {
        if self.files.len() > 1 {
            self.files.pop_front();
            // What a killed writer left of a line has no end.
            self.buffer = Vec::new();
            self.in_long_line = false;
            return Ok(true);
        }
        // It may have been written to once more before it was rotated: then it is read again before its successor.
        self.find_newer()
    }

    /// Opens the files that are newer than those known; says whether there are any. From the newest on, so that a rotation
    /// meanwhile hides none: it only shows one twice.
    fn find_newer(&mut self) -> Result<bool, LogError> {
        let known = self.files.back().map(|source| source.identity);
        let mut found: VecDeque<Source> = VecDeque::new();
        for number in 0.. {
            let Some(source) = open(&rotated(&self.path, number))? else {
                // The newest is missing where a full disk had no room for it after a rotation.
                if number == 0 { continue } else { break }
            };
            if Some(source.identity) == known {
                break;
            }
            if found.iter().all(|other| other.identity != source.identity) {
                found.push_front(source);
            }
        }
        let any = !found.is_empty();
        self.files.append(&mut found);
        Ok(any)
    }

    fn skip_to_tail(&mut self, lines: u64) -> Result<(), LogError> {
        let mut wanted = lines;
        for index in (0..self.files.len()).rev() {
            let source = &mut self.files[index];
            let size = source.file.metadata().map(|m| m.len());
            let (offset, found) = size
                .and_then(|size| offset_of_last(&source.file, size, wanted))
                .map_err(|source| LogError::Read { path: self.path.clone(), source })?;
            source.offset = offset;
            wanted -= found;
            if wanted == 0 {
                self.files.drain(..index);
                break;
            }
        }
        Ok(())
    }

    /// Leaves files out that were last written before `since`.
    fn skip_older(&mut self, since: Timestamp) {
        let old = |source: &Source| source.file.metadata().is_ok_and(|m| m.mtime() < since.as_second());
        while self.files.len() > 1 && self.files.front().is_some_and(old) {
            self.files.pop_front();
        }
    }
}

fn open(path: &Path) -> Result<Option<Source>, LogError> {
    let fail = |source: io::Error| LogError::Open { path: path.to_owned(), source };
    let file: File = match rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(file) => file.into(),
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(error) => return Err(fail(error.into())),
    };
    let metadata = file.metadata().map_err(fail)?;
    Ok(Some(Source { file, identity: (metadata.dev(), metadata.ino()), offset: 0 }))
}
