//! What several fuzz targets need.

use sampan_image::archive::Spool;
use sampan_image::{Content, sha256};
use sampan_spec::Digest;
use std::collections::HashMap;
use std::io::{self, Read};
use tempfile::TempDir;

const BLOCK: usize = 512;

/// A folder in memory, so that no disk waits.
pub fn folder() -> TempDir {
    tempfile::Builder::new().prefix("sampan-fuzz-").tempdir_in("/dev/shm").expect("/dev/shm can be written")
}

/// A tar whose headers have right checksums: a mutation of a header alone would never get beyond that check.
pub fn with_checksums(tar: &[u8]) -> Vec<u8> {
    let mut tar = tar.to_vec();
    let headers = tar.chunks_exact_mut(BLOCK).filter(|block| block[257..262] == *b"ustar");
    for block in headers {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    tar
}

/// Content in memory.
#[derive(Default)]
pub struct Memory {
    content: HashMap<Digest, Vec<u8>>,
    current: Vec<u8>,
}

impl Content for Memory {
    fn open(&self, digest: &Digest) -> io::Result<Option<Box<dyn Read + Send + '_>>> {
        Ok(self.content.get(digest).map(|bytes| Box::new(&bytes[..]) as Box<dyn Read + Send>))
    }
}

impl Spool for Memory {
    fn begin(&mut self) -> io::Result<()> {
        self.current.clear();
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.current.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(&mut self) -> io::Result<(Digest, u64)> {
        let bytes = std::mem::take(&mut self.current);
        let (digest, size) = (sha256(&bytes), bytes.len() as u64);
        self.content.insert(digest.clone(), bytes);
        Ok((digest, size))
    }
}
