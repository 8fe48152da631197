//! A tar's framing and contents together are its bytes, whatever they are: nothing is lost, doubled or made up.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sampan_fuzz::with_checksums;
use sampan_image::tar::{Limits, Reader, Tape};
use std::io;

const LIMITS: Limits = Limits { entries: 1000, extended: 1 << 16 };

#[derive(Default)]
struct Recorded(Vec<u8>);

impl Tape for Recorded {
    fn framing(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

fuzz_target!(|input: &[u8]| {
    let input = with_checksums(input);
    let mut reader = Reader::with_tape(&input[..], Recorded::default(), LIMITS);
    let whole = read(&mut reader);
    let recorded = &reader.tape().0;
    assert!(input.starts_with(recorded), "what was recorded is not what was read");
    assert!(!whole || *recorded == input, "a tar without an error was not read to its end");
});

/// Reads every other content, and passes over the rest. Returns whether the tar is right.
fn read(reader: &mut Reader<&[u8], Recorded>) -> bool {
    let mut buffer = [0; 300];
    while let Ok(entry) = reader.next() {
        let Some(entry) = entry else { return true };
        assert!(!entry.name.is_empty());
        let mut left = if entry.name.len() % 2 == 0 { entry.stored } else { 0 };
        while left > 0 {
            let Ok(count) = reader.content(&mut buffer) else { return false };
            assert!(count > 0, "content ends too early");
            left -= count as u64;
            reader.tape().0.extend_from_slice(&buffer[..count]);
        }
    }
    false
}
