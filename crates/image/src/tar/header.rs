//! One header block (tar(5)): fields at fixed places, numbers in octal or, with the high bit set, in base 256.

use super::pax::Extended;
use super::sparse::{self, Layout};
use super::{Entry, Kind, Time};

pub(super) const BLOCK: usize = 512;

/// A header block whose checksum is right.
#[derive(Debug)]
pub(super) struct Block([u8; BLOCK]);

/// No file is larger: the kernel's offsets are signed.
const SIZE_MAX: i64 = i64::MAX - BLOCK as i64;

impl Block {
    pub(super) fn new(bytes: [u8; BLOCK]) -> Result<Self, &'static str> {
        let block = Self(bytes);
        let stated = number(block.field(148, 8))?;
        let field = 148..156;
        let at = |(i, b): (usize, &u8)| if field.contains(&i) { b' ' } else { *b };
        let unsigned: i64 = block.0.iter().enumerate().map(|p| i64::from(at(p))).sum();
        let signed: i64 = block.0.iter().enumerate().map(|p| i64::from(at(p) as i8)).sum();
        if stated == unsigned || stated == signed { Ok(block) } else { Err("its checksum is wrong") }
    }

    pub(super) fn kind(&self) -> u8 {
        self.0[156]
    }

    /// The size field: how much content follows in the tar.
    pub(super) fn size(&self) -> Result<u64, &'static str> {
        size(number(self.field(124, 12))?)
    }

    /// The entry that this header and the extended ones before it make, and how its content is laid out.
    pub(super) fn entry(&self, extended: &Extended) -> Result<(Entry, Layout), &'static str> {
        let name = extended.name.clone().unwrap_or_else(|| self.name());
        if name.is_empty() {
            return Err("its name is empty");
        }
        let kind = self.entry_kind(&name)?;
        let stored = if kind == Kind::File { extended.size.map_or_else(|| self.size(), Ok)? } else { 0 };
        let (size, layout) = self.layout(kind, stored, extended)?;
        let seconds = number(self.field(136, 12))?;
        let entry = Entry {
            name,
            kind,
            link: self.link(kind, extended),
            mode: (number(self.field(100, 8))? & 0o7777) as u32,
            uid: extended.uid.map_or_else(|| id(number(self.field(108, 8))?), Ok)?,
            gid: extended.gid.map_or_else(|| id(number(self.field(116, 8))?), Ok)?,
            mtime: extended.mtime.unwrap_or(Time { seconds, nanos: 0 }),
            device: self.device(kind)?,
            size,
            stored,
            sparse: None,
            xattrs: extended.xattrs.clone(),
        };
        if entry.link.is_empty() && matches!(kind, Kind::HardLink | Kind::Symlink) {
            return Err("a link points nowhere");
        }
        Ok((entry, layout))
    }

    fn layout(&self, kind: Kind, stored: u64, extended: &Extended) -> Result<(u64, Layout), &'static str> {
        if kind != Kind::File {
            return Ok((0, Layout::Dense));
        }
        if self.kind() == b'S' {
            let (chunks, more) = sparse::first(&self.0)?;
            return Ok((size(number(self.field(483, 12))?)?, Layout::Old { chunks, more }));
        }
        extended.layout(stored)
    }

    fn entry_kind(&self, name: &[u8]) -> Result<Kind, &'static str> {
        match self.kind() {
            0 if name.ends_with(b"/") => Ok(Kind::Directory),
            0 | b'0' | b'7' | b'S' => Ok(Kind::File),
            b'1' => Ok(Kind::HardLink),
            b'2' => Ok(Kind::Symlink),
            b'3' => Ok(Kind::Char),
            b'4' => Ok(Kind::Block),
            b'5' => Ok(Kind::Directory),
            b'6' => Ok(Kind::Fifo),
            _ => Err("its type is not known"),
        }
    }

    fn name(&self) -> Vec<u8> {
        let name = cut_at_nul(self.field(0, 100));
        let prefix = cut_at_nul(self.field(345, 155));
        // GNU's magic is "ustar  ": it keeps other things where ustar has the prefix.
        if self.field(257, 6) == b"ustar\0" && !prefix.is_empty() {
            [prefix, b"/", name].concat()
        } else {
            name.to_vec()
        }
    }

    fn link(&self, kind: Kind, extended: &Extended) -> Vec<u8> {
        if !matches!(kind, Kind::HardLink | Kind::Symlink) {
            return Vec::new();
        }
        extended.link.clone().unwrap_or_else(|| cut_at_nul(self.field(157, 100)).to_vec())
    }

    fn device(&self, kind: Kind) -> Result<(u32, u32), &'static str> {
        if !matches!(kind, Kind::Char | Kind::Block) {
            return Ok((0, 0));
        }
        Ok((id(number(self.field(329, 8))?)?, id(number(self.field(337, 8))?)?))
    }

    fn field(&self, offset: usize, length: usize) -> &[u8] {
        &self.0[offset..offset + length]
    }
}

pub(super) fn cut_at_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|b| *b == 0).next().unwrap_or_default()
}

/// A size that a file can have.
pub(super) fn size(number: i64) -> Result<u64, &'static str> {
    if (0..=SIZE_MAX).contains(&number) { Ok(number as u64) } else { Err("its size is out of range") }
}

/// A user, group or device number.
pub(super) fn id(number: i64) -> Result<u32, &'static str> {
    u32::try_from(number).map_err(|_| "a number in it is out of range")
}

/// Octal digits between blanks and NULs, or base 256 in two's complement.
pub(super) fn number(field: &[u8]) -> Result<i64, &'static str> {
    if field[0] & 0x80 != 0 {
        return base256(field);
    }
    let blank = |b: &u8| matches!(b, b' ' | 0);
    let start = field.iter().position(|b| !blank(b)).unwrap_or(field.len());
    let digits = &field[start..];
    let end = digits.iter().position(blank).unwrap_or(digits.len());
    digits[..end].iter().try_fold(0_i64, |sum, b| match b {
        b'0'..=b'7' if sum >> 60 == 0 => Ok(sum << 3 | i64::from(b - b'0')),
        _ => Err("a number in it is not octal"),
    })
}

fn base256(field: &[u8]) -> Result<i64, &'static str> {
    // The first bit marks the form, the second is the sign.
    let first = i64::from((field[0] << 1) as i8 >> 1);
    field[1..].iter().try_fold(first, |sum, b| {
        sum.checked_mul(256)
            .and_then(|s| s.checked_add(i64::from(*b)))
            .ok_or("a number in it is out of range")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (field, want) in [
            (&b"0000644\0"[..], Some(0o644)),
            (b"   644 \0", Some(0o644)),
            (b"\0\0\0\0\0\0\0\0", Some(0)),
            (b"77777777", Some(0o77_777_777)),
            (b"\x80\0\0\0\0\0\0\x07", Some(7)),
            (b"\x80\0\0\0\x01\0\0\0\0\0\0\0", Some(1 << 56)),
            (b"\x80\x01\0\0\0\0\0\0\0\0\0\0", None),
            (b"\xff\xff\xff\xff\xff\xff\xff\xfe", Some(-2)),
            (b"00008\0\0\0", None),
            (b"-1\0\0\0\0\0\0", None),
        ] {
            assert_eq!(number(field).ok(), want, "{field:?}");
        }
    }
}
