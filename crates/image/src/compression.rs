//! Compression of layers and archives, told by their first bytes: media types and file names are not to be trusted.

use flate2::bufread::MultiGzDecoder;
use std::io::{self, BufRead, BufReader, Read};

/// How a stream is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip (RFC 1952).
    Gzip,
    /// zstd (RFC 8878).
    Zstd,
}

/// A reader of the plain bytes of a stream.
pub struct Decoder<'a> {
    inner: Box<dyn BufRead + Send + 'a>,
    compression: Compression,
}

/// Large enough that hashing and reading are done in long runs.
const BUFFER: usize = 128 << 10;
const MAGIC: usize = 6;

/// The compression that these first bytes tell of; at least six should be given. `Err` names one that is known and not
/// supported.
pub fn detect(start: &[u8]) -> Result<Compression, &'static str> {
    match start {
        [0x1f, 0x8b, ..] => Ok(Compression::Gzip),
        // A frame, or a frame to be skipped, of which 16 magic numbers exist.
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Ok(Compression::Zstd),
        [b'B', b'Z', b'h', ..] => Err("bzip2"),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => Err("xz"),
        _ => Ok(Compression::None),
    }
}

impl<'a> Decoder<'a> {
    /// Looks at the first bytes of `source` and undoes the compression that they tell of.
    ///
    /// # Errors
    /// When `source` cannot be read, or is compressed in a way that is known and not supported
    /// (`ErrorKind::Unsupported`).
    pub fn new(mut source: impl Read + Send + 'a) -> io::Result<Self> {
        let mut start = [0; MAGIC];
        let length = fill(&mut source, &mut start)?;
        let unsupported =
            |name| io::Error::new(io::ErrorKind::Unsupported, format!("compression {name} is not supported"));
        let compression = detect(&start[..length]).map_err(unsupported)?;
        let whole =
            BufReader::with_capacity(BUFFER, io::Cursor::new(start).take(length as u64).chain(source));
        let inner: Box<dyn BufRead + Send + 'a> = match compression {
            Compression::None => Box::new(whole),
            Compression::Gzip => Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(whole))),
            Compression::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(whole)?;
                decoder.window_log_max(WINDOW_LOG_MAX)?;
                Box::new(BufReader::with_capacity(BUFFER, decoder))
            }
        };
        Ok(Self { inner, compression })
    }

    /// How the stream is compressed.
    pub fn compression(&self) -> Compression {
        self.compression
    }
}

/// A stream may make its reader hold a window of 128 MiB, as the zstd program allows, and no more.
const WINDOW_LOG_MAX: u32 = 27;

impl Read for Decoder<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer)
    }
}

/// Reads until `buffer` is full or the source ends.
fn fill(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match source.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn check(bytes: &[u8], compression: Compression, plain: &[u8]) {
        let mut decoder = Decoder::new(bytes).unwrap();
        assert_eq!(decoder.compression(), compression);
        let mut got = Vec::new();
        decoder.read_to_end(&mut got).unwrap();
        assert_eq!(got, plain);
    }

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn compression_is_told_by_the_first_bytes() {
        let plain = b"some plain text".repeat(1000);
        check(&plain, Compression::None, &plain);
        check(b"", Compression::None, b"");
        check(b"x", Compression::None, b"x");
        check(&gzip(&plain), Compression::Gzip, &plain);
        check(&[gzip(&plain), gzip(b"more")].concat(), Compression::Gzip, &[&plain[..], b"more"].concat());
        let zstd = zstd::encode_all(&plain[..], 1).unwrap();
        check(&zstd, Compression::Zstd, &plain);
        check(&[&zstd[..], &zstd[..]].concat(), Compression::Zstd, &plain.repeat(2));
    }

    #[test]
    fn what_cannot_be_undone_is_refused() {
        assert_eq!(Decoder::new(&b"BZh91AY"[..]).err().unwrap().kind(), io::ErrorKind::Unsupported);
        let cut = gzip(&b"abc".repeat(1000));
        let mut decoder = Decoder::new(&cut[..cut.len() - 5]).unwrap();
        assert!(io::copy(&mut decoder, &mut io::sink()).is_err());
    }
}
