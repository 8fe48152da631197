//! What comes of a blob, from the task that fetches it to the thread that unpacks it.

use bytes::{Buf, Bytes};
use std::io::{self, Read};
use tokio::sync::mpsc;

/// How many pieces may wait for the reader.
const AHEAD: usize = 16;

/// One piece.
pub(super) enum Piece {
    Bytes(Bytes),
    /// All has come. Without it the rest is broken off.
    End,
}

/// The reader's side. Reading blocks.
pub(super) struct Rest {
    pieces: mpsc::Receiver<Piece>,
    current: Bytes,
    ended: bool,
}

/// Both sides.
pub(super) fn channel() -> (mpsc::Sender<Piece>, Rest) {
    let (sender, pieces) = mpsc::channel(AHEAD);
    (sender, Rest { pieces, current: Bytes::new(), ended: false })
}

impl Read for Rest {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && !self.ended {
            match self.pieces.blocking_recv() {
                Some(Piece::Bytes(bytes)) => self.current = bytes,
                Some(Piece::End) => self.ended = true,
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        let count = self.current.len().min(buffer.len());
        self.current.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: Vec<Piece>) -> io::Result<Vec<u8>> {
        let (sender, mut rest) = channel();
        for piece in pieces {
            assert!(sender.try_send(piece).is_ok());
        }
        drop(sender);
        let mut all = Vec::new();
        rest.read_to_end(&mut all).map(|_| all)
    }

    #[test]
    fn only_what_was_ended_is_whole() {
        let bytes = |text: &'static str| Piece::Bytes(Bytes::from_static(text.as_bytes()));
        assert_eq!(read(vec![bytes("ab"), bytes(""), bytes("c"), Piece::End]).unwrap(), b"abc");
        assert_eq!(read(vec![bytes("ab")]).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(read(vec![Piece::End]).unwrap(), b"");
    }
}
