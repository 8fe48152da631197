//! Writing: what one read from the container brought becomes one write to the file.

use super::clock::Clock;
use super::files::{open, packed, packing, remove, rotated, shift};
use super::format::{encode, end_of_last};
use super::json::encode_attributes;
use super::line::{Piece, What};
use super::pack::{identity, made_of};
use super::records::Records;
use rustix::fs::{OFlags, Timespec, Timestamps, futimens};
use sampan_spec::Timestamp;
use sampan_spec::bundle::{Log, LogFormat};
use sampan_spec::stream::Stream;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A longer line of output is written in pieces of this size.
const PIECE: usize = 16 << 10;

/// The writer of a log. Lines that have no end yet are kept until it comes, up to 16 KiB of each stream.
#[derive(Debug)]
pub struct Writer {
    log: Log,
    attributes: Vec<u8>,
    file: Option<File>,
    size: u64,
    stdout: Unfinished,
    stderr: Unfinished,
    out: Vec<u8>,
    clock: Clock,
    lost: u64,
    /// Why the last ones were.
    failure: Option<io::Error>,
    /// Moving the files has failed; it is tried again with the next output.
    unmoved: bool,
    packing: Packing,
}

/// The beginning of a line.
#[derive(Debug, Default)]
struct Unfinished {
    text: Vec<u8>,
    pieces: Option<Pieces>,
}

/// What of a line is in the file; all pieces bear the first one's time.
#[derive(Debug)]
struct Pieces {
    since: Timestamp,
    id: String,
    count: u32,
}

/// Which of the older files is being compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    /// None is to be.
    Nothing,
    /// There may be some to be.
    Wanted,
    /// The one with this number.
    Under(u32),
    /// One that is gone meanwhile.
    Obsolete,
}

/// How a line or a piece of one ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Newline,
    /// The line goes on, or has no end.
    None,
}

impl Writer {
    /// Opens the log, or makes it, readable by its owner and group; cuts a torn last line. It is rotated when it has reached
    /// its size.
    ///
    /// # Errors
    /// Those of open(2), read(2) and ftruncate(2).
    pub fn open(log: &Log) -> io::Result<Self> {
        let file = open(&log.path, OFlags::empty())?;
        let size = cut_torn(&log.path, log.format, &file)?;
        // A monitor that was killed may have left one.
        remove(&packing(&log.path))?;
        Ok(Self {
            attributes: encode_attributes(&log.attributes),
            log: log.clone(),
            file: Some(file),
            size,
            stdout: Unfinished::default(),
            stderr: Unfinished::default(),
            out: Vec::new(),
            clock: Clock::new(),
            lost: 0,
            failure: None,
            unmoved: false,
            packing: if log.compress { Packing::Wanted } else { Packing::Nothing },
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
            if at < PIECE && self.is_between_lines(stream) {
                self.record(stream, (now, &time), &rest[..at], End::Newline, None);
            } else {
                self.text(stream, &rest[..at], now);
                self.end(stream, now, End::Newline);
            }
            rest = &rest[at + 1..];
        }
        self.text(stream, rest, now);
        self.flush();
        self.result()
    }

    /// Writes what has no end yet: the streams have ended.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn finish(&mut self, now: Timestamp) -> io::Result<()> {
        for stream in [Stream::Stdout, Stream::Stderr] {
            if !self.unfinished(stream).text.is_empty() {
                self.end(stream, now, End::None);
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

    /// An older file that is to be compressed into another: both, open. [`Self::packed`] is to be called afterwards.
    ///
    /// # Errors
    /// Those of open(2): it is tried again after the next rotation.
    pub fn next_to_pack(&mut self) -> io::Result<Option<(File, File)>> {
        if self.packing != Packing::Wanted {
            return Ok(None);
        }
        self.packing = Packing::Nothing;
        let path = &self.log.path;
        let Some(number) = (1..self.log.max_files).find(|number| rotated(path, *number).exists()) else {
            return Ok(None);
        };
        let source = File::open(rotated(path, number))?;
        let target = open(&packing(path), OFlags::TRUNC)?;
        self.packing = Packing::Under(number);
        Ok(Some((source, target)))
    }

    /// The file is compressed, or it has failed: then it stays as it is.
    ///
    /// # Errors
    /// Those of rename(2): then, too.
    pub fn packed(&mut self, well: bool) -> io::Result<()> {
        let (path, was) = (&self.log.path, std::mem::replace(&mut self.packing, Packing::Nothing));
        let made = packing(path);
        match was {
            Packing::Under(number) if well && is_made_of(&made, &rotated(path, number))? => {
                keep_time(&rotated(path, number), &made)?;
                fs::rename(&made, packed(path, number))?;
                remove(&rotated(path, number))?;
            }
            Packing::Under(_) => return remove(&made),
            _ => remove(&made)?,
        }
        self.packing = Packing::Wanted;
        Ok(())
    }

    fn is_between_lines(&self, stream: Stream) -> bool {
        let unfinished = if stream == Stream::Stderr { &self.stderr } else { &self.stdout };
        unfinished.text.is_empty() && unfinished.pieces.is_none()
    }

    /// Adds text without a newline to a stream's line.
    fn text(&mut self, stream: Stream, text: &[u8], now: Timestamp) {
        let mut rest = text;
        while self.unfinished(stream).text.len() + rest.len() >= PIECE {
            let (piece, more) = rest.split_at(PIECE - self.unfinished(stream).text.len());
            let line = self.unfinished(stream);
            line.text.extend_from_slice(piece);
            line.pieces.get_or_insert_with(|| Pieces { since: now, id: random_id(), count: 0 });
            self.end(stream, now, End::None);
            rest = more;
        }
        self.unfinished(stream).text.extend_from_slice(rest);
    }

    /// Writes what a stream's line has so far.
    fn end(&mut self, stream: Stream, now: Timestamp, end: End) {
        let mut line = std::mem::take(self.unfinished(stream));
        if let Some(pieces) = &mut line.pieces {
            pieces.count += 1;
        }
        let piece = line.pieces.as_ref().map(|pieces| Piece { id: &pieces.id, ordinal: pieces.count });
        let now = line.pieces.as_ref().map_or(now, |pieces| pieces.since);
        let mut time = Vec::new();
        self.clock.write(now, &mut time);
        self.record(stream, (now, &time), &line.text, end, piece);
        line.text.clear();
        line.pieces = line.pieces.filter(|_| end == End::None);
        *self.unfinished(stream) = line;
    }

    /// Turns text into a record of the file, in a new file if this one is full.
    fn record(
        &mut self,
        stream: Stream,
        (time, time_text): (Timestamp, &[u8]),
        text: &[u8],
        end: End,
        piece: Option<Piece<'_>>,
    ) {
        let max = self.log.max_size.unwrap_or(u64::MAX);
        if !self.unmoved && self.size.saturating_add(self.out.len() as u64) >= max {
            self.flush();
            // It may have taken nothing.
            if self.size >= max {
                self.unmoved = self.rotate().is_err();
            }
        }
        let ends = end == End::Newline;
        let what = What { stream, time, time_text, text, ends, piece, attributes: &self.attributes };
        encode(self.log.format, &what, &mut self.out);
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

    /// Readers go on in the old file, so it is moved or unlinked, never cut. So does who compresses one.
    fn rotate(&mut self) -> io::Result<()> {
        self.file = None;
        shift(&self.log.path, self.log.max_files)?;
        self.packing = match self.packing {
            Packing::Under(number) if number + 1 < self.log.max_files => Packing::Under(number + 1),
            Packing::Under(_) | Packing::Obsolete => Packing::Obsolete,
            Packing::Nothing | Packing::Wanted if self.log.compress => Packing::Wanted,
            other => other,
        };
        self.size = 0;
        self.file().map(|_| ())
    }

    /// The file; opened again if that failed before.
    fn file(&mut self) -> io::Result<&File> {
        if self.file.is_none() {
            let file = open(&self.log.path, OFlags::empty())?;
            self.size = cut_torn(&self.log.path, self.log.format, &file)?;
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

/// A writer that was killed may have left part of a record; gives the size without it.
fn cut_torn(path: &Path, format: LogFormat, file: &File) -> io::Result<u64> {
    let size = file.metadata()?.len();
    let end = match end_of_last(format, file, size)? {
        Some(end) => end,
        None => Records::open(path, format, false)?.map_or(Ok(0), |mut records| records.end())?,
    };
    if end < size {
        file.set_len(end)?;
    }
    Ok(end)
}

fn is_made_of(made: &Path, source: &Path) -> io::Result<bool> {
    Ok(made_of(&File::open(made)?) == Some(identity(&File::open(source)?)?))
}

fn keep_time(from: &Path, to: &Path) -> io::Result<()> {
    let metadata = fs::metadata(from)?;
    let time = Timespec { tv_sec: metadata.mtime(), tv_nsec: metadata.mtime_nsec() };
    Ok(futimens(File::open(to)?, &Timestamps { last_access: time, last_modification: time })?)
}

/// As many hexadecimal digits as Docker's. That there is no second one matters only to other readers of the file.
fn random_id() -> String {
    let mut bytes = [0; 32];
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
