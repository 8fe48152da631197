//! A request's body as a blocking reader, for archives that are unpacked as they come.

use bytes::{Buf, Bytes};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::io::{self, Read};
use tokio::sync::mpsc;

/// How many pieces may wait for the reader.
const AHEAD: usize = 8;

/// Gives a body's bytes. Reading blocks; it must not be done on an asynchronous task.
pub(crate) struct Upload {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    current: Bytes,
}

/// Starts reading a body. What the reader leaves unread is read and dropped, so that the client comes to the answer.
pub(crate) fn upload(mut body: Incoming) -> Upload {
    let (sender, pieces) = mpsc::channel(AHEAD);
    tokio::spawn(async move {
        while let Some(frame) = body.frame().await {
            let piece = frame.map(|frame| frame.into_data().unwrap_or_default());
            let broken = piece.is_err();
            // The reader may have ended; the client has not.
            let _ = sender.send(piece.map_err(io::Error::other)).await;
            if broken {
                return;
            }
        }
    });
    Upload { pieces, current: Bytes::new() }
}

impl Read for Upload {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.pieces.blocking_recv() {
                None => return Ok(0),
                Some(piece) => self.current = piece?,
            }
        }
        let count = self.current.len().min(buffer.len());
        self.current.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}
