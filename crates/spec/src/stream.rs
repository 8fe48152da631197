//! Framing of a container's output on one connection (Engine API, "Attach to a container: Stream format").
//!
//! Without a terminal, stdout and stderr share the connection: each piece is preceded by eight bytes, of which the
//! first names the stream and the last four are the piece's length, big-endian. With a terminal there is no framing.

use serde::{Deserialize, Serialize};

/// The size of a frame's header in bytes.
pub const HEADER: usize = 8;

/// One of a process's standard streams, or the daemon's own error text in the same connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard input.
    Stdin,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A message from the engine.
    System,
}

/// The header that precedes `length` bytes of `stream`.
pub const fn frame_header(stream: Stream, length: u32) -> [u8; HEADER] {
    let [a, b, c, d] = length.to_be_bytes();
    [stream as u8, 0, 0, 0, a, b, c, d]
}

/// Reads a header: the stream and the length of the piece. `None` for a stream that does not exist.
pub const fn parse_frame_header(header: [u8; HEADER]) -> Option<(Stream, u32)> {
    let [kind, _, _, _, a, b, c, d] = header;
    let stream = match kind {
        0 => Stream::Stdin,
        1 => Stream::Stdout,
        2 => Stream::Stderr,
        3 => Stream::System,
        _ => return None,
    };
    Some((stream, u32::from_be_bytes([a, b, c, d])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_read_back() {
        for stream in [Stream::Stdin, Stream::Stdout, Stream::Stderr, Stream::System] {
            assert_eq!(parse_frame_header(frame_header(stream, 0x0102_0304)), Some((stream, 0x0102_0304)));
        }
        assert_eq!(frame_header(Stream::Stderr, 5), [2, 0, 0, 0, 0, 0, 0, 5]);
        assert_eq!(parse_frame_header([9, 0, 0, 0, 0, 0, 0, 0]), None);
    }
}
