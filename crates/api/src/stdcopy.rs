//! Taking stdout and stderr out of one connection (the frames of [`sampan_spec::stream`]).

use sampan_spec::stream::{HEADER, Stream, parse_frame_header};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A stream of frames is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A header names a stream that does not exist.
    #[error("the stream from the daemon is damaged: there is no stream number {0}")]
    NoSuchStream(u8),
    /// It ended within a frame.
    #[error("the stream from the daemon ended in the middle of a frame")]
    Truncated,
}

/// Splits bytes, fed in pieces of any size, into pieces of the streams they belong to. It keeps no payload.
#[derive(Clone, Debug, Default)]
pub struct Demultiplexer {
    header: [u8; HEADER],
    have: usize,
    open: Option<(Stream, u32)>,
}

impl Demultiplexer {
    /// Starts before the first header.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next piece from the front of `input`, which is moved past what was used. `None`: more is needed.
    ///
    /// # Errors
    /// When a header names no stream.
    pub fn next<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<(Stream, &'i [u8])>, FrameError> {
        while self.open.is_none() {
            let (head, rest) = input.split_at(input.len().min(HEADER - self.have));
            self.header[self.have..self.have + head.len()].copy_from_slice(head);
            self.have += head.len();
            *input = rest;
            if self.have < HEADER {
                return Ok(None);
            }
            let frame = parse_frame_header(self.header).ok_or(FrameError::NoSuchStream(self.header[0]))?;
            self.have = 0;
            self.open = (frame.1 > 0).then_some(frame);
        }
        let Some((stream, left)) = self.open.filter(|_| !input.is_empty()) else { return Ok(None) };
        let (piece, rest) = input.split_at(input.len().min(left as usize));
        let left = left - piece.len() as u32;
        self.open = (left > 0).then_some((stream, left));
        *input = rest;
        Ok(Some((stream, piece)))
    }

    /// Says whether the end of the bytes is the end of a frame.
    ///
    /// # Errors
    /// When it is not.
    pub fn finish(&self) -> Result<(), FrameError> {
        if self.have == 0 && self.open.is_none() { Ok(()) } else { Err(FrameError::Truncated) }
    }
}

/// Copies a multiplexed stream to two writers until it ends. A message of the daemon goes to `stderr`.
///
/// # Errors
/// When reading or writing fails, or the stream is damaged (kind `InvalidData`).
pub async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut stdout: impl AsyncWrite + Unpin,
    mut stderr: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    let damaged = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    let mut buffer = vec![0; 64 << 10];
    let mut frames = Demultiplexer::new();
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return frames.finish().map_err(damaged);
        }
        let mut input = &buffer[..count];
        while let Some((stream, piece)) = frames.next(&mut input).map_err(damaged)? {
            match stream {
                Stream::Stdin | Stream::Stdout => stdout.write_all(piece).await?,
                Stream::Stderr | Stream::System => stderr.write_all(piece).await?,
            }
        }
        stdout.flush().await?;
        stderr.flush().await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sampan_spec::stream::frame_header;

    fn stream() -> impl Strategy<Value = Stream> {
        prop_oneof![Just(Stream::Stdout), Just(Stream::Stderr), Just(Stream::System)]
    }

    /// Everything of each stream, fed in pieces of `step` bytes.
    fn split(bytes: &[u8], step: usize) -> Result<Vec<(Stream, Vec<u8>)>, FrameError> {
        let mut frames = Demultiplexer::new();
        let mut all: Vec<(Stream, Vec<u8>)> = Vec::new();
        for mut piece in bytes.chunks(step) {
            while let Some((stream, payload)) = frames.next(&mut piece)? {
                match all.last_mut() {
                    Some((last, bytes)) if *last == stream => bytes.extend_from_slice(payload),
                    _ => all.push((stream, payload.to_vec())),
                }
            }
        }
        frames.finish().map(|()| all)
    }

    proptest! {
        #[test]
        fn what_was_framed_comes_apart(
            frames in prop::collection::vec((stream(), prop::collection::vec(any::<u8>(), 0..40)), 0..12),
            step in 1_usize..50,
        ) {
            let mut bytes = Vec::new();
            let mut want: Vec<(Stream, Vec<u8>)> = Vec::new();
            for (stream, payload) in &frames {
                bytes.extend(frame_header(*stream, payload.len() as u32));
                bytes.extend(payload);
                match want.last_mut() {
                    _ if payload.is_empty() => {}
                    Some((last, all)) if last == stream => all.extend(payload),
                    _ => want.push((*stream, payload.clone())),
                }
            }
            prop_assert_eq!(split(&bytes, step), Ok(want));
        }

        #[test]
        fn garbage_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..200), step in 1_usize..20) {
            let _ = split(&bytes, step);
        }
    }

    #[test]
    fn damage_is_told() {
        assert_eq!(split(&[7, 0, 0, 0, 0, 0, 0, 1, 65], 100), Err(FrameError::NoSuchStream(7)));
        assert_eq!(split(&[1, 0, 0, 0, 0, 0, 0, 2, 65], 100), Err(FrameError::Truncated));
        assert_eq!(split(&[1, 0, 0], 100), Err(FrameError::Truncated));
    }
}
