//! What the fuzz targets reach into this crate for. It is in no other build.

use crate::connection::{Connection, Received};
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, send, socketpair};

/// The frames that a daemon sends with these bytes, up to what is none: the JSON and the raw bytes of each.
pub fn frames(mut input: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let Ok((ours, daemon)) = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None) else {
        return Vec::new();
    };
    let mut connection = Connection::new(ours);
    let mut buffer = vec![0; 4096];
    let mut frames = Vec::new();
    while !input.is_empty() {
        let sent = send(&daemon, input, SendFlags::NOSIGNAL).unwrap_or(0);
        input = &input[sent..];
        loop {
            match connection.receive(&mut buffer) {
                Received::Frame(frame) => frames.push((frame.json, frame.bytes)),
                Received::NotNow => break,
                Received::Broken(_) => return frames,
            }
        }
    }
    frames
}
