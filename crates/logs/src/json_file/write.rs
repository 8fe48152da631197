//! Writing: what one read from the container brought becomes one write to the file.

use super::line::{Clock, encode};
use super::rotated;
use rustix::fs::{Mode, OFlags};
use sampan_spec::Timestamp;
use sampan_spec::stream::Stream;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A longer line of output is written in pieces of this size.
const PIECE: usize = 16 << 10;

/// The writer of a log. Lines that have no end yet are kept until it comes, up to 16 KiB of each stream.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    file: Option<File>,
    size: u64,
    max_size: u64,
    max_files: u32,
    stdout: Unfinished,
    stderr: Unfinished,
    out: Vec<u8>,
    clock: Clock,
    lost: u64,
    /// Why the last ones were.
    failure: Option<io::Error>,
    /// Moving the files has failed; it is tried again with the next output.
    unmoved: bool,
}

/// The beginning of a line.
#[derive(Debug, Default)]
struct Unfinished {
    text: Vec<u8>,
    /// Pieces of this line are in the file; they all bear this time.
    since: Option<Vec<u8>>,
}

impl Writer {
    /// Opens the log at `path`, or makes it, readable by its owner; cuts a torn last line. It is rotated when it has reached
    /// `max_size` bytes; `max_files` are kept, the current one included.
    ///
    /// # Errors
    /// Those of open(2), read(2) and ftruncate(2).
    pub fn open(path: &Path, max_size: Option<u64>, max_files: u32) -> io::Result<Self> {
        let mut file = open(path)?;
        let size = cut_torn_line(&mut file)?;
        Ok(Self {
            path: path.to_owned(),
            file: Some(file),
            size,
            max_size: max_size.unwrap_or(u64::MAX),
            max_files,
            stdout: Unfinished::default(),
            stderr: Unfinished::default(),
            out: Vec::new(),
            clock: Clock::new(),
            lost: 0,
            failure: None,
            unmoved: false,
        })
    }

    /// Takes output of a stream that came at `now`; whole lines go to the file. Where it cannot be rotated it grows on.
    ///
    /// # Errors
    /// Those of write(2) and open(2): some of these lines are lost, which [`Self::take_lost`] counts.
    pub fn write(&mut self, stream: Stream, bytes: &[u8], now: Timestamp) -> io::Result<()> {
        let mut time = Vec::with_capacity(32);
        self.clock.write(now, &mut time);
        self.unmoved = false;
        let mut rest = bytes;
        while let Some(at) = memchr::memchr(b'\n', rest) {
            self.text(stream, &rest[..at], &time);
            self.end_line(stream, true, &time);
            rest = &rest[at + 1..];
        }
        self.text(stream, rest, &time);
        self.flush();
        self.result()
    }

    /// Writes what has no end yet: the streams have ended.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn finish(&mut self, now: Timestamp) -> io::Result<()> {
        let mut time = Vec::new();
        self.clock.write(now, &mut time);
        for stream in [Stream::Stdout, Stream::Stderr] {
            if !self.unfinished(stream).text.is_empty() {
                self.end_line(stream, false, &time);
            }
            *self.unfinished(stream) = Unfinished::default();
        }
        self.flush();
        self.out = Vec::new();
        self.result()
    }

    /// The beginning of a stream's line that is not in the file yet.
    pub fn pending(&self, stream: Stream) -> &[u8] {
        match stream {
            Stream::Stderr => &self.stderr.text,
            _ => &self.stdout.text,
        }
    }

    /// How many bytes of the file's lines were lost since the last call.
    pub fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    /// Adds text without a newline to a stream's line.
    fn text(&mut self, stream: Stream, text: &[u8], time: &[u8]) {
        let mut rest = text;
        while self.unfinished(stream).text.len() + rest.len() >= PIECE {
            let (piece, more) = rest.split_at(PIECE - self.unfinished(stream).text.len());
            self.unfinished(stream).text.extend_from_slice(piece);
            self.end_piece(stream, time);
            rest = more;
        }
        self.unfinished(stream).text.extend_from_slice(rest);
    }

    fn end_piece(&mut self, stream: Stream, time: &[u8]) {
        let since = self.unfinished(stream).since.clone().unwrap_or_else(|| time.to_owned());
        self.encode(stream, false, &since);
        self.unfinished(stream).since = Some(since);
    }

    fn end_line(&mut self, stream: Stream, newline: bool, time: &[u8]) {
        match self.unfinished(stream).since.take() {
            Some(since) => self.encode(stream, newline, &since),
            None => self.encode(stream, newline, time),
        }
    }

    /// Turns a stream's text into a line of the file, in a new file if this one is full.
    fn encode(&mut self, stream: Stream, newline: bool, time: &[u8]) {
        if !self.unmoved && self.size.saturating_add(self.out.len() as u64) >= self.max_size {
            self.flush();
            // It may have taken nothing.
            if self.size >= self.max_size {
                self.unmoved = self.rotate().is_err();
            }
        }
        let mut text = std::mem::take(&mut self.unfinished(stream).text);
        encode(&text, newline, stream, time, &mut self.out);
        text.clear();
        self.unfinished(stream).text = text;
    }

    /// Writes what is encoded. What cannot be written is lost.
    fn flush(&mut self) {
        if self.out.is_empty() {
            return;
        }
        let out = std::mem::take(&mut self.out);
        match self.file().and_then(|mut file| file.write_all(&out)) {
            Ok(()) => self.size += out.len() as u64,
            Err(error) => {
                self.lost += out.len() as u64;
                self.failure.get_or_insert(error);
                // The line that is half there goes; where that fails, opening cuts it and readers skip it.
                let _ = self.file.as_ref().map(|file| file.set_len(self.size));
            }
        }
        self.out = out;
        self.out.clear();
    }

    /// Why lines were lost since the last call.
    fn result(&mut self) -> io::Result<()> {
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Readers go on in the old file, so it is moved or unlinked, never cut.
    fn rotate(&mut self) -> io::Result<()> {
        self.file = None;
        for number in (1..self.max_files).rev() {
            ignore_missing(fs::rename(rotated(&self.path, number - 1), rotated(&self.path, number)))?;
        }
        if self.max_files < 2 {
            ignore_missing(fs::remove_file(&self.path))?;
        }
        self.size = 0;
        self.file().map(|_| ())
    }

    /// The file; opened again if that failed before.
    fn file(&mut self) -> io::Result<&File> {
        if self.file.is_none() {
            let mut file = open(&self.path)?;
            self.size = cut_torn_line(&mut file)?;
            self.file = Some(file);
        }
        self.file.as_ref().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn unfinished(&mut self, stream: Stream) -> &mut Unfinished {
        match stream {
            Stream::Stderr => &mut self.stderr,
            _ => &mut self.stdout,
        }
    }
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    result.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::APPEND | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR | Mode::RGRP)?.into())
}

/// A writer that was killed may have left part of a line; gives the size without it.
fn cut_torn_line(file: &mut File) -> io::Result<u64> {
    let size = file.seek(SeekFrom::End(0))?;
    let mut end = size;
    let mut block = vec![0; PIECE];
    while end > 0 {
        let start = end.saturating_sub(PIECE as u64);
        let part = &mut block[..(end - start) as usize];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(part)?;
        if let Some(at) = memchr::memrchr(b'\n', part) {
            end = start + at as u64 + 1;
            break;
        }
        end = start;
    }
    if end < size {
        file.set_len(end)?;
    }
    Ok(end)
}
