//! Writing headers: ustar, with PAX records in front for what does not fit into it (pax(1)).

use super::header::BLOCK;
use super::{Entry, Kind};
use std::io::Write;

const NAME: usize = 100;
/// The largest value of an octal field of eight bytes, and of one of twelve.
const OCTAL_8: u64 = 0o777_7777;
const OCTAL_12: u64 = 0o7777_7777_7777;

/// The header of an entry, with the extended one before it if that is needed. Sparse files are written whole: `size` is
/// the length of the content that follows.
pub fn header(entry: &Entry) -> Vec<u8> {
    let records = records(entry);
    let mut bytes = Vec::new();
    if !records.is_empty() {
        let short: Vec<u8> = entry.name.iter().copied().filter(|b| *b != b'/').take(NAME - 20).collect();
        let name = [b"PaxHeaders.0/", &short[..]].concat();
        bytes.extend(block(&Fields {
            name: &name,
            kind: b'x',
            size: records.len() as u64,
            ..Fields::default()
        }));
        bytes.extend(&records);
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    }
    let fields = Fields {
        name: &entry.name,
        link: &entry.link,
        kind: flag(entry.kind),
        mode: entry.mode,
        uid: entry.uid.into(),
        gid: entry.gid.into(),
        size: if entry.kind == Kind::File { entry.size } else { 0 },
        time: entry.mtime.seconds,
        device: entry.device,
    };
    bytes.extend(block(&fields));
    bytes
}

/// What follows content of this size.
pub fn padding(size: u64) -> &'static [u8] {
    static ZEROS: [u8; BLOCK] = [0; BLOCK];
    &ZEROS[..super::padding(size) as usize]
}

/// What ends a tar.
pub const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

#[derive(Default)]
struct Fields<'a> {
    name: &'a [u8],
    link: &'a [u8],
    kind: u8,
    mode: u32,
    uid: u64,
    gid: u64,
    size: u64,
    time: i64,
    device: (u32, u32),
}

fn flag(kind: Kind) -> u8 {
    match kind {
        Kind::File => b'0',
        Kind::HardLink => b'1',
        Kind::Symlink => b'2',
        Kind::Char => b'3',
        Kind::Block => b'4',
        Kind::Directory => b'5',
        Kind::Fifo => b'6',
    }
}

/// The records for what a ustar header cannot say.
fn records(entry: &Entry) -> Vec<u8> {
    let mut records = Vec::new();
    let mut add = |key: &[u8], value: &[u8]| records.extend(record(key, value));
    if entry.name.len() > NAME || !entry.name.is_ascii() {
        add(b"path", &entry.name);
    }
    if entry.link.len() > NAME || !entry.link.is_ascii() {
        add(b"linkpath", &entry.link);
    }
    for (key, value, most) in [
        (&b"uid"[..], u64::from(entry.uid), OCTAL_8),
        (b"gid", u64::from(entry.gid), OCTAL_8),
        (b"size", entry.size, OCTAL_12),
    ] {
        if value > most {
            add(key, value.to_string().as_bytes());
        }
    }
    if entry.mtime.seconds < 0 {
        add(b"mtime", entry.mtime.seconds.to_string().as_bytes());
    }
    for (key, value) in &entry.xattrs {
        add(&[b"SCHILY.xattr.", &key[..]].concat(), value);
    }
    records
}

/// `LENGTH KEY=VALUE\n`, of which the length counts itself, too.
fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    let mut record = format!("{length} ").into_bytes();
    record.extend([key, b"=", value, b"\n"].concat());
    record
}

fn block(fields: &Fields<'_>) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut text = |at: usize, length: usize, text: &[u8]| {
        let text = &text[..text.len().min(length)];
        block[at..at + text.len()].copy_from_slice(text);
    };
    text(0, NAME, fields.name);
    text(157, NAME, fields.link);
    text(156, 1, &[fields.kind]);
    text(257, 8, b"ustar\x0000");
    let (major, minor) = fields.device;
    let time = u64::try_from(fields.time).unwrap_or(0);
    for (at, width, value) in [
        (100, 7, fields.mode.into()),
        (108, 7, if fields.uid > OCTAL_8 { 0 } else { fields.uid }),
        (116, 7, if fields.gid > OCTAL_8 { 0 } else { fields.gid }),
        (124, 11, if fields.size > OCTAL_12 { 0 } else { fields.size }),
        (136, 11, time),
        (329, 7, major.into()),
        (337, 7, minor.into()),
    ] {
        octal(&mut block[at..=at + width], value);
    }
    block[148..156].fill(b' ');
    let sum: u64 = block.iter().map(|b| u64::from(*b)).sum();
    octal(&mut block[148..155], sum);
    block
}

/// Digits that fill a field but its last byte.
fn octal(field: &mut [u8], value: u64) {
    let width = field.len() - 1;
    // Writing to a slice of that length cannot fail.
    let _ = write!(&mut field[..width], "{value:0width$o}");
}
