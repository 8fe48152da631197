//! Extended headers: `"length key=value\n"` records (pax(1), "pax Extended Header").

use super::Time;
use super::header::{self, BLOCK};
use super::sparse::{Chunk, Layout};

/// What extended headers said of the entry that follows.
#[derive(Debug, Default)]
pub(super) struct Extended {
    pub(super) name: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) mtime: Option<Time>,
    pub(super) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    sparse: Sparse,
}

/// GNU's three ways of telling where a sparse file's content goes (GNU tar manual, "Storing Sparse Files").
#[derive(Debug, Default)]
struct Sparse {
    name: Option<Vec<u8>>,
    major: Option<u64>,
    real_size: Option<u64>,
    offsets: Vec<u64>,
    lengths: Vec<u64>,
}

const XATTR: &[u8] = b"SCHILY.xattr.";

impl Extended {
    /// Works the records of one extended header in.
    pub(super) fn add(&mut self, mut records: &[u8]) -> Result<(), &'static str> {
        while !records.is_empty() {
            let (key, value, rest) = split(records).ok_or("an extended header is malformed")?;
            self.set(key, value)?;
            records = rest;
        }
        if let Some(name) = self.sparse.name.take() {
            self.name = Some(name);
        }
        Ok(())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), &'static str> {
        if let Some(name) = key.strip_prefix(XATTR) {
            if name.is_empty() || name.contains(&0) {
                return Err("an extended attribute has no valid name");
            }
            self.xattrs.push((name.to_vec(), value.to_vec()));
            return Ok(());
        }
        // An empty value takes back what another header said.
        let text = (!value.is_empty()).then_some(value);
        match key {
            b"path" => self.name = text.map(no_nul).transpose()?,
            b"linkpath" => self.link = text.map(no_nul).transpose()?,
            b"size" => self.size = text.map(decimal).transpose()?,
            b"uid" => self.uid = text.map(id).transpose()?,
            b"gid" => self.gid = text.map(id).transpose()?,
            b"mtime" => self.mtime = text.map(time).transpose()?,
            b"GNU.sparse.name" => self.sparse.name = text.map(no_nul).transpose()?,
            b"GNU.sparse.major" => self.sparse.major = text.map(decimal).transpose()?,
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => {
                self.sparse.real_size = text.map(decimal).transpose()?;
            }
            b"GNU.sparse.offset" => self.sparse.offsets.push(decimal(value)?),
            b"GNU.sparse.numbytes" => self.sparse.lengths.push(decimal(value)?),
            b"GNU.sparse.map" => self.map(value)?,
            _ => {}
        }
        Ok(())
    }

    fn map(&mut self, value: &[u8]) -> Result<(), &'static str> {
        for (i, number) in value.split(|b| *b == b',').enumerate() {
            let list = if i % 2 == 0 { &mut self.sparse.offsets } else { &mut self.sparse.lengths };
            list.push(decimal(number)?);
        }
        Ok(())
    }

    /// The size of the file and the layout of its content, of which `stored` bytes are in the tar.
    pub(super) fn layout(&self, stored: u64) -> Result<(u64, Layout), &'static str> {
        let sparse = &self.sparse;
        let Some(real_size) = sparse.real_size else { return Ok((stored, Layout::Dense)) };
        if sparse.major == Some(1) {
            return Ok((real_size, Layout::InContent));
        }
        if sparse.major.is_some_and(|major| major > 1) || sparse.offsets.len() != sparse.lengths.len() {
            return Err("its sparse map is not understood");
        }
        let pairs = sparse.offsets.iter().zip(&sparse.lengths);
        let chunks = pairs.map(|(&offset, &length)| Chunk { offset, length }).collect();
        Ok((real_size, Layout::Known(chunks)))
    }
}

/// The first record's key and value, and the records behind it.
fn split(records: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let blank = records.iter().take(BLOCK).position(|b| *b == b' ')?;
    let length = usize::try_from(decimal(&records[..blank]).ok()?).ok()?;
    let record = records.get(blank + 1..length)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|b| *b == b'=')?;
    Some((&record[..equals], &record[equals + 1..], &records[length..]))
}

pub(super) fn decimal(text: &[u8]) -> Result<u64, &'static str> {
    let valid = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let number = if valid { std::str::from_utf8(text).ok().and_then(|t| t.parse().ok()) } else { None };
    header::size(number.ok_or("an extended header has no valid number")?)
}

fn id(text: &[u8]) -> Result<u32, &'static str> {
    header::id(decimal(text)? as i64)
}

fn no_nul(text: &[u8]) -> Result<Vec<u8>, &'static str> {
    if text.contains(&0) { Err("a name has a NUL in it") } else { Ok(text.to_vec()) }
}

/// Seconds with an optional fraction, of which nine digits count; `-1.25` is 0.25 s before -1.
fn time(text: &[u8]) -> Result<Time, &'static str> {
    let wrong = "an extended header has no valid time";
    let text = std::str::from_utf8(text).map_err(|_| wrong)?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let negative = whole.starts_with('-');
    let seconds: i64 = whole.parse().map_err(|_| wrong)?;
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong);
    }
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    let nanos = digits.fold(0_u32, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    if negative && nanos > 0 {
        let seconds = seconds.checked_sub(1).ok_or(wrong)?;
        return Ok(Time { seconds, nanos: 1_000_000_000 - nanos });
    }
    Ok(Time { seconds, nanos })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, want) in [
            ("1", Some((1, 0))),
            ("1.5", Some((1, 500_000_000))),
            ("-1.25", Some((-2, 750_000_000))),
            ("-0.25", Some((-1, 750_000_000))),
            ("1.1234567899", Some((1, 123_456_789))),
            ("x", None),
            ("1.x", None),
            ("", None),
        ] {
            assert_eq!(time(text.as_bytes()).ok().map(|t| (t.seconds, t.nanos)), want, "{text}");
        }
    }

    #[test]
    fn records() {
        assert_eq!(split(b"6 a=b\nrest"), Some((&b"a"[..], &b"b"[..], &b"rest"[..])));
        for bad in
            [&b"6 a=b"[..], b"5 a=b\n", b"99 a=b\n", b"6 aab\n", b" a=b\n", b"0 a=b\n", b"-6 a=b\n", b"2 a"]
        {
            assert_eq!(split(bad), None, "{bad:?}");
        }
    }
}
