//! One file's records, in order, on as it grows. A compressed one is read as if it were not.

use super::format::{Found, RECORD_MAX, find};
use super::pack::{Identity, identity, made_of};
use flate2::read::GzDecoder;
use rustix::fs::{Mode, OFlags};
use sampan_spec::bundle::LogFormat;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// How much is read at a time, in bytes.
const BLOCK: usize = 32 << 10;

/// A file that is being read.
#[derive(Debug)]
pub(super) struct Records {
    pub(super) file: File,
    identity: Identity,
    /// Of the file that this compressed one was made of.
    made_of: Option<Identity>,
    pub(super) is_packed: bool,
    format: LogFormat,
    /// Where to go on reading, in one that is not compressed.
    pub(super) offset: u64,
    /// How many records are to be left out first.
    pub(super) skip: u64,
    decoder: Option<Box<GzDecoder<File>>>,
    buffer: Vec<u8>,
    /// What of `buffer` has been given out.
    done: usize,
    /// It is in the middle of a line that is longer than any that is written.
    in_long_line: bool,
    /// The rest cannot be understood.
    damaged: bool,
}

impl Records {
    /// Opens a file; `None` if there is none.
    pub(super) fn open(path: &Path, format: LogFormat, is_packed: bool) -> io::Result<Option<Self>> {
        let file: File = match rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
            Ok(file) => file.into(),
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        Ok(Some(Self {
            identity: identity(&file)?,
            made_of: is_packed.then(|| made_of(&file)).flatten(),
            file,
            is_packed,
            format,
            offset: 0,
            skip: 0,
            decoder: None,
            buffer: Vec::new(),
            done: 0,
            in_long_line: false,
            damaged: false,
        }))
    }

    /// Whether another one has the same content, compressed or not. A file that is open keeps its number; one that is
    /// compressed has the time of the last change of what it was made of, whose number may be another's by now.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let time = |records: &Self| records.file.metadata().and_then(|metadata| metadata.modified()).ok();
        self.identity == other.identity
            || (self.made_of == Some(other.identity) || other.made_of == Some(self.identity))
                && time(self) == time(other)
    }

    /// Where in [`Self::bytes`] the next record's content is; `None` if there is no more now.
    pub(super) fn next(&mut self) -> io::Result<Option<Range<usize>>> {
        loop {
            match find(self.format, &self.buffer[self.done..]) {
                Found::Record(range, length) => {
                    let range = self.done + range.start..self.done + range.end;
                    self.done += length;
                    if std::mem::take(&mut self.in_long_line) {
                        continue;
                    }
                    if self.skip > 0 {
                        self.skip -= 1;
                        continue;
                    }
                    return Ok(Some(range));
                }
                Found::Damage => self.damaged = true,
                Found::Part => {}
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// What was read.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// How many records there are from here on.
    pub(super) fn count(&mut self) -> io::Result<u64> {
        let mut count = 0;
        while self.next()?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    /// Where the last whole record ends.
    pub(super) fn end(&mut self) -> io::Result<u64> {
        let mut end = 0;
        while self.next()?.is_some() {
            end = self.offset - (self.buffer.len() - self.done) as u64;
        }
        Ok(end)
    }

    /// Reads more; false if there is none now.
    fn fill(&mut self) -> io::Result<bool> {
        self.buffer.drain(..self.done);
        self.done = 0;
        if self.damaged {
            self.buffer = Vec::new();
            return Ok(false);
        }
        if self.buffer.len() > RECORD_MAX {
            self.buffer.clear();
            self.in_long_line = true;
        }
        let length = self.buffer.len();
        self.buffer.resize(length + BLOCK, 0);
        let count = self.read(length);
        self.buffer.truncate(length + *count.as_ref().unwrap_or(&0));
        if self.buffer.is_empty() {
            self.buffer = Vec::new();
        }
        Ok(count? > 0)
    }

    /// Reads behind the buffer's first `length` bytes.
    fn read(&mut self, length: usize) -> io::Result<usize> {
        if !self.is_packed {
            let count = self.file.read_at(&mut self.buffer[length..], self.offset)?;
            self.offset += count as u64;
            return Ok(count);
        }
        if self.decoder.is_none() {
            self.decoder = Some(Box::new(GzDecoder::new(self.file.try_clone()?)));
        }
        let decoder = self.decoder.as_mut().map(|decoder| decoder.read(&mut self.buffer[length..]));
        // What is damaged ends there.
        let is_damage = |error: &io::Error| {
            use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
            matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof)
        };
        decoder.unwrap_or(Ok(0)).or_else(|error| if is_damage(&error) { Ok(0) } else { Err(error) })
    }
}
