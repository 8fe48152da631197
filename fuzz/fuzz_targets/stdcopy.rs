//! Docker's framed streams: the pieces are the same however the bytes are cut on their way.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sampan_api::stdcopy::{Demultiplexer, FrameError};
use sampan_spec::stream::Stream;

fuzz_target!(|input: (u8, &[u8])| {
    let (step, bytes) = input;
    let whole = split(bytes, bytes.len().max(1));
    let cut = split(bytes, usize::from(step).max(1));
    assert_eq!(whole, cut);
});

/// The bytes of each stream, one piece for as long as it is the same, and how it ended.
fn split(bytes: &[u8], step: usize) -> (Vec<(Stream, Vec<u8>)>, Result<(), FrameError>) {
    let mut frames = Demultiplexer::new();
    let mut all: Vec<(Stream, Vec<u8>)> = Vec::new();
    for mut piece in bytes.chunks(step) {
        loop {
            match frames.next(&mut piece) {
                Ok(None) => break,
                Err(error) => return (all, Err(error)),
                Ok(Some((stream, payload))) => match all.last_mut() {
                    Some((last, bytes)) if *last == stream => bytes.extend_from_slice(payload),
                    _ => all.push((stream, payload.to_vec())),
                },
            }
        }
    }
    (all, frames.finish())
}
