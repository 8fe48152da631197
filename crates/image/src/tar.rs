//! Tar streams as layers and archives use them: ustar, GNU and PAX (tar(5), pax(1)), read in one pass.
//!
//! Everything between the files' contents can be recorded by a [`Tape`], so that the stream can be made again byte for
//! byte: tars of one tree differ in more than their headers say. What a writer may leave unsaid is read as Go's
//! `archive/tar` reads it, since most layers were checked against that: links, folders and devices have no content
//! whatever their size field says, and global PAX headers mean nothing.

mod header;
mod pax;
mod sparse;
#[cfg(test)]
mod tests;
mod whiteout;
pub mod write;

pub use sparse::Chunk;
pub use whiteout::{Whiteout, whiteout};

use header::{BLOCK, Block};
use pax::Extended;
use std::io::{self, Read};

/// What bounds a tar besides its length.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many entries it may have.
    pub entries: u64,
    /// How long an extended header or long name may be, in bytes.
    pub extended: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 16_000_000, extended: 1 << 20 }
    }
}

/// One entry, with its extended headers worked in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name as it is written. Never empty.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Where a link points; empty otherwise.
    pub link: Vec<u8>,
    /// Permissions with set-user-id, set-group-id and sticky bits.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// When it was changed.
    pub mtime: Time,
    /// A device's major and minor number.
    pub device: (u32, u32),
    /// The size of the file in bytes; 0 for what is no file.
    pub size: u64,
    /// How many bytes of content are in the tar: less than `size` for a sparse file.
    pub stored: u64,
    /// Where the content of a sparse file goes; the rest of it are holes.
    pub sparse: Option<Vec<Chunk>>,
    /// Extended attributes (PAX `SCHILY.xattr.`), in the tar's order.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// Another name of an entry before it.
    HardLink,
    /// A symbolic link.
    Symlink,
    /// A character device.
    Char,
    /// A block device.
    Block,
    /// A folder.
    Directory,
    /// A named pipe.
    Fifo,
}

/// A time, in seconds since 1970 and nanoseconds after that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Time {
    /// Seconds; before 1970 negative.
    pub seconds: i64,
    /// Nanoseconds, below 1,000,000,000.
    pub nanos: u32,
}

/// Takes down all bytes of a tar that are not handed out as content: headers, padding, the end, content not asked for.
pub trait Tape {
    /// The next such bytes.
    ///
    /// # Errors
    /// When they cannot be kept.
    fn framing(&mut self, bytes: &[u8]) -> io::Result<()>;
}

impl Tape for () {
    fn framing(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

/// Why a tar could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The stream could not be read, or its compression is damaged.
    #[error("cannot read the tar at byte {position}: {source}")]
    Read {
        /// Where, in the plain tar.
        position: u64,
        /// Why.
        source: io::Error,
    },
    /// It ends in the middle.
    #[error("the tar is cut off at byte {position}")]
    Truncated {
        /// Where.
        position: u64,
    },
    /// What should be a header is none.
    #[error("no valid tar header at byte {position}: {what}")]
    Header {
        /// Where it begins.
        position: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// An entry says something that cannot be.
    #[error("tar entry {name:?}: {what}")]
    Entry {
        /// Its name.
        name: String,
        /// What is wrong.
        what: &'static str,
    },
    /// It has more entries than allowed.
    #[error("the tar has more than {limit} entries")]
    TooManyEntries {
        /// How many are allowed.
        limit: u64,
    },
    /// The tape could not be written.
    #[error("cannot record the tar's headers: {source}")]
    Tape {
        /// Why.
        source: io::Error,
    },
}

impl Error {
    /// Whether the stream is to blame, and not this host.
    pub fn is_foreign(&self) -> bool {
        match self {
            Self::Read { source, .. } => source.raw_os_error().is_none(),
            Self::Tape { .. } => false,
            _ => true,
        }
    }
}

/// Reads a plain tar. After [`Reader::next`] gave an entry, its content can be read from the reader itself; what is
/// not read is passed over.
#[derive(Debug)]
pub struct Reader<R, T = ()> {
    source: R,
    tape: T,
    limits: Limits,
    position: u64,
    entries: u64,
    /// Bytes of content and of padding before the next header.
    content: u64,
    padding: u64,
    ended: bool,
}

impl<R: Read> Reader<R> {
    /// Reads without a tape.
    pub fn new(source: R, limits: Limits) -> Self {
        Self::with_tape(source, (), limits)
    }
}

impl<R: Read, T: Tape> Reader<R, T> {
    /// Reads, and takes down on `tape` what is not content.
    pub fn with_tape(source: R, tape: T, limits: Limits) -> Self {
        Self { source, tape, limits, position: 0, entries: 0, content: 0, padding: 0, ended: false }
    }

    /// The tape, to note on it what becomes of the content that is read.
    pub fn tape(&mut self) -> &mut T {
        &mut self.tape
    }

    /// Gives source and tape back.
    pub fn into_parts(self) -> (R, T) {
        (self.source, self.tape)
    }

    /// The next entry; `None` after the last, when the source has been read to its end.
    ///
    /// # Errors
    /// See [`Error`]. The reader is of no use then.
    #[expect(clippy::should_implement_trait, reason = "entries lend the reader and can fail")]
    pub fn next(&mut self) -> Result<Option<Entry>, Error> {
        let mut extended = Extended::default();
        loop {
            self.pass_over()?;
            let start = self.position;
            let Some(block) = self.header()? else { return Ok(None) };
            self.entries += 1;
            if self.entries > self.limits.entries {
                return Err(Error::TooManyEntries { limit: self.limits.entries });
            }
            let wrong = |what| Error::Header { position: start, what };
            let size = block.size().map_err(wrong)?;
            match block.kind() {
                b'L' => extended.name = Some(header::cut_at_nul(&self.extended(size)?).to_vec()),
                b'K' => extended.link = Some(header::cut_at_nul(&self.extended(size)?).to_vec()),
                b'x' => extended.add(&self.extended(size)?).map_err(wrong)?,
                b'g' => drop(self.extended(size)?),
                _ => return self.entry(&block, extended, start).map(Some),
            }
        }
    }

    /// Makes the entry of a header and what was said before it.
    fn entry(&mut self, block: &Block, extended: Extended, start: u64) -> Result<Entry, Error> {
        let (mut entry, layout) =
            block.entry(&extended).map_err(|what| Error::Header { position: start, what })?;
        self.content = entry.stored;
        self.padding = padding(entry.stored);
        let name = String::from_utf8_lossy(&entry.name).into_owned();
        let wrong = |what| Error::Entry { name: name.clone(), what };
        let chunks = match layout {
            sparse::Layout::Dense => return Ok(entry),
            sparse::Layout::Known(chunks) => chunks,
            sparse::Layout::Old { mut chunks, mut more } => {
                let mut next = [0; BLOCK];
                while more {
                    self.exact(&mut next)?;
                    more = sparse::continued(&next, &mut chunks).map_err(wrong)?;
                }
                chunks
            }
            sparse::Layout::InContent => self.sparse_map().map_err(|e| e.named(&name))?,
        };
        entry.stored = self.content;
        sparse::check(&chunks, entry.size, entry.stored).map_err(wrong)?;
        entry.sparse = Some(chunks);
        Ok(entry)
    }

    /// The map before the content of a sparse file of PAX format 1.0: decimal numbers, a line each, padded to a block.
    fn sparse_map(&mut self) -> Result<Vec<Chunk>, Error> {
        let mut map = sparse::MapParser::default();
        let mut block = [0; BLOCK];
        while !map.done() {
            if self.content < BLOCK as u64 {
                return Err(Error::Entry { name: String::new(), what: "its sparse map is cut off" });
            }
            self.exact(&mut block)?;
            self.content -= BLOCK as u64;
            map.add(&block).map_err(|what| Error::Entry { name: String::new(), what })?;
        }
        Ok(map.chunks)
    }

    /// The next header; `None` at the end of the archive, after which all the rest of the stream has been passed over.
    fn header(&mut self) -> Result<Option<Block>, Error> {
        let mut bytes = [0; BLOCK];
        if self.ended || !self.exact_or_end(&mut bytes)? {
            self.ended = true;
            return Ok(None);
        }
        let position = self.position - BLOCK as u64;
        if bytes != [0; BLOCK] {
            return Block::new(bytes).map(Some).map_err(|what| Error::Header { position, what });
        }
        self.ended = true;
        if self.exact_or_end(&mut bytes)? && bytes != [0; BLOCK] {
            return Err(Error::Header { position, what: "an empty block is followed by more" });
        }
        self.drain()?;
        Ok(None)
    }

    /// The content of an extended header, and its padding.
    fn extended(&mut self, size: u64) -> Result<Vec<u8>, Error> {
        if size > self.limits.extended {
            return Err(Error::Header { position: self.position, what: "an extended header is too long" });
        }
        let mut bytes = vec![0; (size + padding(size)) as usize];
        self.exact(&mut bytes)?;
        bytes.truncate(size as usize);
        Ok(bytes)
    }

    /// Passes over what is left of the current entry.
    fn pass_over(&mut self) -> Result<(), Error> {
        let mut buffer = [0; 16 * BLOCK];
        let mut left = self.content + self.padding;
        (self.content, self.padding) = (0, 0);
        while left > 0 {
            let part = left.min(buffer.len() as u64) as usize;
            self.exact(&mut buffer[..part])?;
            left -= part as u64;
        }
        Ok(())
    }

    fn drain(&mut self) -> Result<(), Error> {
        let mut buffer = [0; 16 * BLOCK];
        loop {
            let count = self.some(&mut buffer)?;
            if count == 0 {
                return Ok(());
            }
            self.tape.framing(&buffer[..count]).map_err(|source| Error::Tape { source })?;
        }
    }

    fn exact(&mut self, buffer: &mut [u8]) -> Result<(), Error> {
        if self.exact_or_end(buffer)? { Ok(()) } else { Err(Error::Truncated { position: self.position }) }
    }

    /// Fills `buffer` with framing; `false` if the source is at its end.
    fn exact_or_end(&mut self, buffer: &mut [u8]) -> Result<bool, Error> {
        let mut length = 0;
        while length < buffer.len() {
            match self.some(&mut buffer[length..])? {
                0 if length == 0 => return Ok(false),
                0 => return Err(Error::Truncated { position: self.position }),
                count => length += count,
            }
        }
        self.tape.framing(buffer).map_err(|source| Error::Tape { source })?;
        Ok(true)
    }

    fn some(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        loop {
            match self.source.read(buffer) {
                Ok(count) => {
                    self.position += count as u64;
                    return Ok(count);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(Error::Truncated { position: self.position });
                }
                Err(source) => return Err(Error::Read { position: self.position, source }),
            }
        }
    }
}

impl<R: Read, T: Tape> Reader<R, T> {
    /// Reads content of the current entry; 0 bytes at its end. The tape is not told of it.
    ///
    /// # Errors
    /// When the source cannot be read or ends within the content.
    pub fn content(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let most = self.content.min(buffer.len() as u64) as usize;
        if most == 0 {
            return Ok(0);
        }
        let count = self.some(&mut buffer[..most])?;
        if count == 0 {
            return Err(Error::Truncated { position: self.position });
        }
        self.content -= count as u64;
        Ok(count)
    }
}

impl<R: Read, T: Tape> Read for Reader<R, T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.content(buffer).map_err(io::Error::other)
    }
}

impl Error {
    fn named(self, entry: &str) -> Self {
        match self {
            Self::Entry { what, .. } => Self::Entry { name: entry.to_owned(), what },
            other => other,
        }
    }
}

/// How many bytes follow content of this size to fill its last block.
fn padding(size: u64) -> u64 {
    size.next_multiple_of(BLOCK as u64) - size
}
