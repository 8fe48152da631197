//! Reading, over all the files there are, and on as they grow and are rotated and compressed.

use super::LogError;
use super::clock;
use super::files::{packed, rotated};
use super::format;
use super::line::Line;
use super::records::Records;
use super::tail::skip_to_last;
use sampan_spec::Timestamp;
use sampan_spec::bundle::LogFormat;
use sampan_spec::monitor::LogQuery;
use sampan_spec::stream::Stream;
use std::collections::VecDeque;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Goes through a log's lines that a query asks for.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    format: LogFormat,
    query: LogQuery,
    /// The file that is being read, then the newer ones.
    files: VecDeque<Records>,
    clock: clock::Reading,
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

impl Reader {
    /// Opens the log at `path` and looks up where to begin. A log without a file is empty.
    ///
    /// # Errors
    /// [`LogError::Open`], [`LogError::Read`].
    pub fn open(path: &Path, format: LogFormat, query: LogQuery) -> Result<Self, LogError> {
        let (files, clock) = (VecDeque::new(), clock::Reading::new());
        let mut reader = Self { path: path.to_owned(), format, query, files, clock, ended: false };
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
        while !self.ended {
            let Some(range) = self.next_record()? else { return Ok(Reading::Behind) };
            let bytes = self.files.front().map_or(&[][..], Records::bytes);
            let Some(head) = format::head(self.format, &bytes[range.clone()], &mut self.clock) else {
                continue;
            };
            self.ended = self.query.until.is_some_and(|until| head.time > until);
            if !self.ended && self.wanted(&head) {
                let bytes = self.files.front().map_or(&[][..], Records::bytes);
                return Ok(Reading::Line(format::line(head, &bytes[range], self.query.details)));
            }
        }
        Ok(Reading::Ended)
    }

    /// What the log was asked for.
    pub fn query(&self) -> &LogQuery {
        &self.query
    }

    fn wanted(&self, line: &format::Head) -> bool {
        let stream = match line.stream {
            Stream::Stdout => self.query.stdout,
            Stream::Stderr => self.query.stderr,
            Stream::Stdin | Stream::System => false,
        };
        stream && self.query.since.is_none_or(|since| line.time >= since)
    }

    /// Where in the first file's bytes the next record is.
    fn next_record(&mut self) -> Result<Option<std::ops::Range<usize>>, LogError> {
        loop {
            if let Some(records) = self.files.front_mut()
                && let Some(range) = records.next().map_err(fail_reading(&self.path))?
            {
                return Ok(Some(range));
            }
            if !self.advance()? {
                return Ok(None);
            }
        }
    }

    /// At a file's end: whether there is more to read now. What a killed writer left of a record has no end.
    fn advance(&mut self) -> Result<bool, LogError> {
        if self.files.len() > 1 {
            self.files.pop_front();
            return Ok(true);
        }
        // It may have been written to once more before it was rotated: then it is read again before its successor.
        self.find_newer()
    }

    /// Opens the files that are newer than those known; says whether there are any. From the newest on, so that a rotation
    /// meanwhile hides none: it only shows one twice.
    fn find_newer(&mut self) -> Result<bool, LogError> {
        let mut found: VecDeque<Records> = VecDeque::new();
        for number in 0.. {
            let Some(records) = self.open_file(number)? else {
                // The newest is missing where a full disk had no room for it after a rotation.
                if number == 0 { continue } else { break }
            };
            if self.files.back().is_some_and(|known| known.is_same(&records)) {
                break;
            }
            if !found.iter().any(|other| other.is_same(&records)) {
                found.push_front(records);
            }
        }
        let any = !found.is_empty();
        self.files.append(&mut found);
        Ok(any)
    }

    /// A file is there under one name or the other while it is being compressed.
    fn open_file(&self, number: u32) -> Result<Option<Records>, LogError> {
        let open = |path: PathBuf, is_packed| {
            Records::open(&path, self.format, is_packed).map_err(|source| LogError::Open { path, source })
        };
        match open(rotated(&self.path, number), false)? {
            None if number > 0 => open(packed(&self.path, number), true),
            found => Ok(found),
        }
    }

    fn skip_to_tail(&mut self, lines: u64) -> Result<(), LogError> {
        let mut wanted = lines;
        for index in (0..self.files.len()).rev() {
            let found = skip_to_last(&mut self.files[index], self.format, wanted);
            wanted -= found.map_err(fail_reading(&self.path))?;
            if wanted == 0 {
                self.files.drain(..index);
                break;
            }
        }
        Ok(())
    }

    /// Leaves files out that were last written before `since`; a compressed one has the time of what it was made of.
    fn skip_older(&mut self, since: Timestamp) {
        let old = |records: &Records| records.file.metadata().is_ok_and(|m| m.mtime() < since.as_second());
        while self.files.len() > 1 && self.files.front().is_some_and(old) {
            self.files.pop_front();
        }
    }
}

fn fail_reading(path: &Path) -> impl FnOnce(io::Error) -> LogError {
    let path = path.to_owned();
    |source| LogError::Read { path, source }
}
