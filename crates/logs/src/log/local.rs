//! `local`: a line as a record of protocol buffers, with its length, in four bytes, big-endian, before and behind it.
//!
//! ```text
//! message LogEntry { string source = 1; int64 time_nano = 2; bytes line = 3; bool partial = 4; Partial metadata = 5; }
//! message Partial  { bool last = 1; string id = 2; int32 ordinal = 3; }
//! ```
//! The line's newline is not in it; a piece is `partial`, and the line's last piece is `last`. Format break.

use super::format::{Found, Head, RECORD_MAX, Text};
use super::line::What;
use sampan_spec::Timestamp;
use sampan_spec::stream::Stream;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// The bytes of a length.
const LENGTH: usize = 4;
/// A record's least size, with both lengths.
const RECORD_MIN: u64 = 2 * LENGTH as u64;

// Fields with their wire types: 0 is a number, 2 is bytes behind their length.
const SOURCE: u64 = 1 << 3 | 2;
const TIME: u64 = 2 << 3;
const LINE: u64 = 3 << 3 | 2;
const PARTIAL: u64 = 4 << 3;
const METADATA: u64 = 5 << 3 | 2;
const LAST: u64 = 1 << 3;
const ID: u64 = 2 << 3 | 2;
const ORDINAL: u64 = 3 << 3;

/// A record with its lengths.
pub(super) fn find(bytes: &[u8]) -> Found {
    let Some((length, rest)) = bytes.split_first_chunk::<LENGTH>() else { return Found::Part };
    let size = u32::from_be_bytes(*length) as usize;
    if size > RECORD_MAX / 2 {
        return Found::Damage;
    }
    match rest.get(size..size + LENGTH) {
        None => Found::Part,
        Some(end) if end == length => Found::Record(LENGTH..LENGTH + size, size + 2 * LENGTH),
        Some(_) => Found::Damage,
    }
}

/// Reads a record; `None` if it is damaged.
pub(super) fn head(record: &[u8]) -> Option<Head> {
    let (mut stream, mut time, mut line, mut partial, mut last) = (None, 0, 0..0, false, false);
    let mut fields = Fields { bytes: record, at: 0 };
    while fields.at < record.len() {
        match fields.next()? {
            (SOURCE, Value::Bytes(range)) => stream = stream_of(&record[range]),
            (TIME, Value::Number(number)) => time = number.cast_signed(),
            (LINE, Value::Bytes(range)) => line = range,
            (PARTIAL, Value::Number(number)) => partial = number != 0,
            (METADATA, Value::Bytes(range)) => last = is_last(&record[range])?,
            _ => {}
        }
    }
    let time = Timestamp::from_nanosecond(time.into()).ok()?;
    Some(Head { stream: stream?, time, text: Text::Plain(line, !partial || last) })
}

fn stream_of(source: &[u8]) -> Option<Stream> {
    match source {
        b"stdout" => Some(Stream::Stdout),
        b"stderr" => Some(Stream::Stderr),
        _ => None,
    }
}

fn is_last(metadata: &[u8]) -> Option<bool> {
    let mut fields = Fields { bytes: metadata, at: 0 };
    let mut last = false;
    while fields.at < metadata.len() {
        if let (LAST, Value::Number(number)) = fields.next()? {
            last = number != 0;
        }
    }
    Some(last)
}

/// A message's fields, one after the other.
struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

enum Value {
    Number(u64),
    Bytes(Range<usize>),
}

impl Fields<'_> {
    fn next(&mut self) -> Option<(u64, Value)> {
        let key = self.number()?;
        match key & 7 {
            0 => Some((key, Value::Number(self.number()?))),
            2 => {
                let length = usize::try_from(self.number()?).ok()?;
                let range = self.at..self.at.checked_add(length).filter(|end| *end <= self.bytes.len())?;
                self.at = range.end;
                Some((key, Value::Bytes(range)))
            }
            _ => None,
        }
    }

    fn number(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }
}

/// Appends a record.
pub(super) fn encode(what: &What<'_>, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; LENGTH]);
    let source: &[u8] = if what.stream == Stream::Stderr { b"stderr" } else { b"stdout" };
    bytes(SOURCE, source, out);
    let time = i64::try_from(what.time.as_nanosecond()).unwrap_or(i64::MAX);
    number(TIME, time.cast_unsigned(), out);
    if !what.text.is_empty() {
        bytes(LINE, what.text, out);
    }
    if what.piece.is_some() || !what.ends {
        metadata(what, out);
    }
    let length = ((out.len() - start - LENGTH) as u32).to_be_bytes();
    out[start..start + LENGTH].copy_from_slice(&length);
    out.extend_from_slice(&length);
}

fn metadata(what: &What<'_>, out: &mut Vec<u8>) {
    let mut metadata = Vec::new();
    if what.ends {
        number(LAST, 1, &mut metadata);
    }
    if let Some(piece) = what.piece {
        bytes(ID, piece.id.as_bytes(), &mut metadata);
        number(ORDINAL, piece.ordinal.into(), &mut metadata);
    }
    number(PARTIAL, 1, out);
    bytes(METADATA, &metadata, out);
}

fn bytes(key: u64, bytes: &[u8], out: &mut Vec<u8>) {
    number(key, bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// Without a `key` of 0, a number is written as such.
fn number(key: u64, value: u64, out: &mut Vec<u8>) {
    for mut rest in [key, value] {
        while rest >= 0x80 {
            out.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        out.push(rest as u8);
    }
}

/// Whether a file ends with a whole record.
pub(super) fn is_whole(file: &File, size: u64) -> io::Result<bool> {
    Ok(size == 0 || start_of_last(file, size)?.is_some())
}

/// Where the record begins that ends at `end`; `None` if none does.
pub(super) fn start_of_last(file: &File, end: u64) -> io::Result<Option<u64>> {
    if end < RECORD_MIN {
        return Ok(None);
    }
    let (mut before, mut behind) = ([0; LENGTH], [0; LENGTH]);
    file.read_exact_at(&mut behind, end - LENGTH as u64)?;
    let Some(start) = end.checked_sub(u64::from(u32::from_be_bytes(behind)) + RECORD_MIN) else {
        return Ok(None);
    };
    file.read_exact_at(&mut before, start)?;
    Ok((before == behind).then_some(start))
}

#[cfg(test)]
mod tests {
    use super::super::line::Piece;
    use super::*;
    use proptest::prelude::*;

    fn what<'a>(text: &'a [u8], ends: bool, piece: Option<Piece<'a>>) -> What<'a> {
        let time = Timestamp::from_nanosecond(1_767_225_600_000_000_001).unwrap();
        What { stream: Stream::Stderr, time, time_text: b"", text, ends, piece, attributes: b"" }
    }

    #[test]
    fn a_record_is_dockers() {
        let mut out = Vec::new();
        encode(&what(b"err", true, None), &mut out);
        let time = [0x81, 0x80, 0xe8, 0xef, 0x9e, 0xca, 0x9c, 0xc3, 0x18];
        let want = [b"\0\0\0\x17\x0a\x06stderr\x10", &time[..], b"\x1a\x03err\0\0\0\x17"].concat();
        assert_eq!(out, want);
        out.clear();
        encode(&what(b"", true, Some(Piece { id: "ab", ordinal: 2 })), &mut out);
        let want = [
            b"\0\0\0\x1e\x0a\x06stderr\x10",
            &time[..],
            b"\x20\x01*\x08\x08\x01\x12\x02ab\x18\x02\0\0\0\x1e",
        ];
        assert_eq!(out, want.concat());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            text in prop::collection::vec(any::<u8>(), 0..300), ends in any::<bool>(), ordinal in prop::option::of(1u32..),
        ) {
            let mut out = Vec::new();
            let piece = ordinal.map(|ordinal| Piece { id: "0123", ordinal });
            encode(&what(&text, ends, piece), &mut out);
            let Found::Record(range, length) = find(&out) else { panic!("{out:?}") };
            prop_assert_eq!(length, out.len());
            prop_assert!((0..length).all(|cut| find(&out[..cut]) == Found::Part));
            let record = &out[range];
            let head = head(record).unwrap();
            prop_assert_eq!((head.stream, head.time), (Stream::Stderr, what(b"", true, None).time));
            let Text::Plain(range, newline) = head.text else { panic!("{head:?}") };
            prop_assert_eq!((&record[range], newline), (&text[..], ends));
        }

        #[test]
        fn any_bytes_are_a_record_or_none(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            find(&bytes);
            if let Some(Head { text: Text::Plain(range, _), .. }) = head(&bytes) {
                prop_assert!(range.end <= bytes.len());
            }
        }
    }
}
