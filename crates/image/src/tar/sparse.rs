//! Where the content of a sparse file goes (GNU tar manual, "Storing Sparse Files").

use super::header::{self, BLOCK, number};
use super::pax::decimal;

/// A run of content in a sparse file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Where it begins in the file.
    pub offset: u64,
    /// How long it is.
    pub length: u64,
}

/// How the layout of an entry's content is told.
#[derive(Debug)]
pub(super) enum Layout {
    /// It is the file, from end to end.
    Dense,
    /// These are the runs.
    Known(Vec<Chunk>),
    /// GNU's old form: these are the first, `more` are in blocks behind the header.
    Old { chunks: Vec<Chunk>, more: bool },
    /// They stand before the content.
    InContent,
}

/// A file has at most this many runs: 16 MiB of memory.
const CHUNKS_MAX: usize = 1 << 20;
const TOO_MANY: &str = "its sparse map is too long";

/// The runs in a header of GNU's old form, and whether more follow.
pub(super) fn first(block: &[u8; BLOCK]) -> Result<(Vec<Chunk>, bool), &'static str> {
    let mut chunks = Vec::new();
    pairs(&block[386..482], &mut chunks)?;
    Ok((chunks, block[482] != 0))
}

/// The runs in a block behind it, and whether more follow.
pub(super) fn continued(block: &[u8; BLOCK], chunks: &mut Vec<Chunk>) -> Result<bool, &'static str> {
    pairs(&block[..504], chunks)?;
    if chunks.len() > CHUNKS_MAX { Err(TOO_MANY) } else { Ok(block[504] != 0) }
}

fn pairs(fields: &[u8], chunks: &mut Vec<Chunk>) -> Result<(), &'static str> {
    for pair in fields.chunks_exact(24) {
        if pair[0] == 0 || pair[12] == 0 {
            break;
        }
        let offset = header::size(number(&pair[..12])?)?;
        let length = header::size(number(&pair[12..])?)?;
        chunks.push(Chunk { offset, length });
    }
    Ok(())
}

/// Whether the runs are in order, inside a file of `size` bytes, and as long as the `stored` content.
pub(super) fn check(chunks: &[Chunk], size: u64, stored: u64) -> Result<(), &'static str> {
    let wrong = "its sparse map does not fit its content";
    let mut end = 0;
    let mut sum = 0_u64;
    for chunk in chunks {
        if chunk.offset < end {
            return Err(wrong);
        }
        end = chunk.offset.checked_add(chunk.length).ok_or(wrong)?;
        sum += chunk.length;
    }
    if end > size || sum != stored { Err(wrong) } else { Ok(()) }
}

/// Reads the map of PAX format 1.0 block by block: the number of runs, then offset and length of each, a line each.
#[derive(Debug, Default)]
pub(super) struct MapParser {
    pub(super) chunks: Vec<Chunk>,
    expected: Option<usize>,
    offset: Option<u64>,
    line: Vec<u8>,
}

impl MapParser {
    pub(super) fn done(&self) -> bool {
        self.expected == Some(self.chunks.len())
    }

    pub(super) fn add(&mut self, block: &[u8]) -> Result<(), &'static str> {
        for byte in block {
            if self.done() {
                break;
            }
            match byte {
                b'\n' => self.number()?,
                _ if self.line.len() > 20 => return Err("its sparse map is malformed"),
                _ => self.line.push(*byte),
            }
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), &'static str> {
        let number = decimal(&self.line)?;
        self.line.clear();
        match (self.expected, self.offset.take()) {
            (None, _) if number > CHUNKS_MAX as u64 => return Err(TOO_MANY),
            (None, _) => self.expected = Some(number as usize),
            (_, None) => self.offset = Some(number),
            (_, Some(offset)) => self.chunks.push(Chunk { offset, length: number }),
        }
        Ok(())
    }
}
