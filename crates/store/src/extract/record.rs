//! The record of a layer's tar: all of it but its files' contents, so that with the files it can be made again byte for
//! byte. Tars of the same files differ between the programs that write them, and a digest must not.
//!
//! ```text
//! framing                      8 bytes "SMPNTAR1", then a zstd stream of segments:
//!   1 length bytes             bytes of the tar as they are: headers, padding, the end
//!   2 length path offset length    the next bytes are in the file `fs/<path>`, there
//!   3 length path number       what was at or below `fs/<path>` until here is now at `kept/<number>`
//!   0                          the end
//! ```
//! Numbers are unsigned LEB128, paths have no leading slash. Format break.

use super::files;
use super::tree::within;
use rustix::fs::{Mode, OFlags, ResolveFlags};
use sampan_image::Hasher;
use sampan_image::tar::Tape;
use sampan_spec::Digest;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

/// The record's name in a layer's folder. Format break.
pub(crate) const FRAMING: &str = "framing";
/// The folder of what was replaced. Format break.
pub(crate) const KEPT: &str = "kept";
const MAGIC: &[u8; 8] = b"SMPNTAR1";
const END: u8 = 0;
const BYTES: u8 = 1;
const CONTENT: u8 = 2;
const MOVED: u8 = 3;

/// Headers compress well at any level.
const LEVEL: i32 = 1;
const PENDING_MAX: usize = 64 << 10;
const BUFFER: usize = 256 << 10;
/// The longest run of bytes in one segment that a reader takes.
const SEGMENT_MAX: u64 = 1 << 20;

/// Writes a record while the tar is read.
pub(super) struct Recorder {
    out: zstd::Encoder<'static, BufWriter<File>>,
    pending: Vec<u8>,
}

impl Recorder {
    pub(super) fn create(layer: &Path) -> io::Result<Self> {
        let mut out = BufWriter::new(File::create_new(layer.join(FRAMING))?);
        out.write_all(MAGIC)?;
        Ok(Self { out: zstd::Encoder::new(out, LEVEL)?, pending: Vec::new() })
    }

    /// The next bytes of the tar are now in the file at `path`.
    pub(super) fn content(&mut self, path: &[u8], offset: u64, length: u64) -> io::Result<()> {
        if length == 0 {
            return Ok(());
        }
        self.flush()?;
        self.segment(CONTENT, path)?;
        self.number(offset)?;
        self.number(length)
    }

    /// What was at `path` is now kept under this number.
    pub(super) fn moved(&mut self, path: &[u8], number: u64) -> io::Result<()> {
        self.flush()?;
        self.segment(MOVED, path)?;
        self.number(number)
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        self.out.write_all(&[END])?;
        self.out.finish()?.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let pending = std::mem::take(&mut self.pending);
        self.segment(BYTES, &pending)?;
        self.pending = pending;
        self.pending.clear();
        Ok(())
    }

    fn segment(&mut self, tag: u8, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(&[tag])?;
        self.number(bytes.len() as u64)?;
        self.out.write_all(bytes)
    }

    fn number(&mut self, mut number: u64) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(10);
        while number >= 0x80 {
            bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        bytes.push(number as u8);
        self.out.write_all(&bytes)
    }
}

impl Tape for Recorder {
    fn framing(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= PENDING_MAX { self.flush() } else { Ok(()) }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Segment {
    Bytes(Vec<u8>),
    Content { path: Vec<u8>, offset: u64, length: u64 },
    Moved { path: Vec<u8>, number: u64 },
}

/// Reads a record's segments.
struct Segments(BufReader<zstd::Decoder<'static, BufReader<File>>>);

impl Segments {
    fn open(layer: &Path) -> io::Result<Self> {
        let mut file = BufReader::new(File::open(layer.join(FRAMING))?);
        let mut magic = [0; MAGIC.len()];
        file.read_exact(&mut magic)?;
        if magic != *MAGIC {
            return Err(invalid("the record is of another format"));
        }
        Ok(Self(BufReader::new(zstd::Decoder::with_buffer(file)?)))
    }

    fn next(&mut self) -> io::Result<Option<Segment>> {
        let segment = match self.byte()? {
            END => return Ok(None),
            BYTES => Segment::Bytes(self.bytes()?),
            CONTENT => {
                let path = self.bytes()?;
                Segment::Content { path, offset: self.number()?, length: self.number()? }
            }
            MOVED => Segment::Moved { path: self.bytes()?, number: self.number()? },
            _ => return Err(invalid("the record has an unknown segment")),
        };
        Ok(Some(segment))
    }

    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.0.read_exact(&mut byte)?;
        Ok(byte[0])
    }

    fn number(&mut self) -> io::Result<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(invalid("the record has a number that is too long"))
    }

    fn bytes(&mut self) -> io::Result<Vec<u8>> {
        let length = self.number()?;
        if length > SEGMENT_MAX {
            return Err(invalid("the record has a segment that is too long"));
        }
        let mut bytes = vec![0; length as usize];
        self.0.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

/// Writes a layer's plain tar, and checks its digest.
pub(crate) fn rebuild(layer: &Path, diff_id: &Digest, to: &mut dyn Write) -> io::Result<()> {
    let moves = moves(layer)?;
    let mut segments = Segments::open(layer)?;
    let mut out =
        Out { to, hasher: Hasher::default(), root: folder(&files(layer))?, layer, moves, open: None };
    let mut position = 0;
    while let Some(segment) = segments.next()? {
        match segment {
            Segment::Bytes(bytes) => out.write(&bytes)?,
            Segment::Content { path, offset, length } => out.content(position, &path, offset, length)?,
            Segment::Moved { .. } => {}
        }
        position += 1;
    }
    if out.hasher.finish() == *diff_id { Ok(()) } else { Err(invalid("the layer's files were changed")) }
}

/// A move: after how many segments, from where, to which number.
struct Move {
    position: u64,
    path: Vec<u8>,
    number: u64,
}

fn moves(layer: &Path) -> io::Result<Vec<Move>> {
    let mut segments = Segments::open(layer)?;
    let mut moves = Vec::new();
    let mut position = 0;
    while let Some(segment) = segments.next()? {
        if let Segment::Moved { path, number } = segment {
            moves.push(Move { position, path, number });
        }
        position += 1;
    }
    Ok(moves)
}

struct Out<'a> {
    to: &'a mut dyn Write,
    hasher: Hasher,
    root: OwnedFd,
    layer: &'a Path,
    moves: Vec<Move>,
    /// The file that was read last: a sparse file comes in many runs.
    open: Option<(Vec<u8>, File)>,
}

impl Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.to.write_all(bytes)
    }

    fn content(&mut self, position: u64, path: &[u8], offset: u64, length: u64) -> io::Result<()> {
        use std::os::unix::fs::FileExt;
        let file = match self.open.take() {
            Some((last, file)) if last == path && self.moves.is_empty() => file,
            _ => self.file(position, path)?,
        };
        let mut buffer = vec![0; BUFFER.min(length as usize)];
        let (mut at, end) = (offset, offset + length);
        while at < end {
            let most = (end - at).min(buffer.len() as u64) as usize;
            file.read_exact_at(&mut buffer[..most], at)?;
            self.write(&buffer[..most])?;
            at += most as u64;
        }
        self.open = Some((path.to_vec(), file));
        Ok(())
    }

    /// The file that had this path when the tar's reader was at this segment.
    fn file(&self, position: u64, path: &[u8]) -> io::Result<File> {
        let moved = self.moves.iter().find(|m| m.position > position && within(path, &m.path));
        let Some(moved) = moved else { return open(&self.root, path) };
        let kept = folder(&self.layer.join(KEPT))?;
        let number = moved.number.to_string().into_bytes();
        open(&kept, &[&number, &path[moved.path.len()..]].concat())
    }
}

fn folder(path: &Path) -> io::Result<OwnedFd> {
    Ok(File::open(path)?.into())
}

fn open(root: &OwnedFd, path: &[u8]) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    Ok(rustix::fs::openat2(root, path, flags, Mode::empty(), resolve)?.into())
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}
