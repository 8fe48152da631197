//! Older files, compressed: gzip, with a note of which file it was made of, by which those who have read that know it again.

use flate2::{Compression, GzBuilder};
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

/// A file on its device, for as long as it exists or is open.
pub(super) type Identity = (u64, u64);

/// The identifier of the note's field in the header (RFC 1952 section 2.3.1.1). Format break.
const FIELD: [u8; 4] = [b'S', b'p', 16, 0];
/// Where the note is: behind the fixed part of the header, and the length of the extra field.
const NOTE: usize = 12;

pub(super) fn identity(file: &File) -> io::Result<Identity> {
    let metadata = file.metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Compresses a log's file. It takes its time: a process of its own does it.
///
/// # Errors
/// Those of reading and writing.
pub fn pack(source: &mut File, target: &mut File) -> io::Result<()> {
    let (device, inode) = identity(source)?;
    let note = [&FIELD[..], &device.to_le_bytes(), &inode.to_le_bytes()].concat();
    let mut encoder = GzBuilder::new().extra(note).write(target, Compression::default());
    io::copy(source, &mut encoder)?;
    encoder.finish().map(drop)
}

/// Of which file this compressed one was made; `None` if it does not say so.
pub(super) fn made_of(file: &File) -> Option<Identity> {
    let mut header = [0; NOTE + FIELD.len() + 16];
    file.read_exact_at(&mut header, 0).ok()?;
    let note = header[NOTE..].strip_prefix(&FIELD)?;
    let number = |bytes: &[u8]| Some(u64::from_le_bytes(bytes.try_into().ok()?));
    // FLG.FEXTRA is the third bit of the fourth byte.
    (header[3] & 4 != 0).then_some((number(&note[..8])?, number(&note[8..])?))
}
