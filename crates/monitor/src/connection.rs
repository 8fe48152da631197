//! A daemon's connection: frames in, each with its descriptors, and frames out.

use rustix::event::PollFlags;
use sampan_spec::monitor::{FDS_MAX, FRAME_HEADER, Message, encode_frame, parse_header};
use sampan_sys::socket::{recv_with_fds, send_with_fds};
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A daemon that does not take so much is not one any more, in bytes.
const QUEUE_MAX: usize = 16 << 20;

/// A connection to a daemon.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) socket: OwnedFd,
    incoming: Vec<u8>,
    fds: Vec<OwnedFd>,
    outgoing: VecDeque<Outgoing>,
    pub(crate) subscribed: bool,
    /// Ends once all has gone out.
    closing: bool,
    gone: bool,
}

#[derive(Debug)]
struct Outgoing {
    bytes: Vec<u8>,
    sent: usize,
    fds: Vec<OwnedFd>,
}

/// A message that came in.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) json: Vec<u8>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) fds: Vec<OwnedFd>,
}

/// What receiving gave.
#[derive(Debug)]
pub(crate) enum Received {
    Frame(Frame),
    NotNow,
    /// The other side breaks the protocol.
    Broken(String),
}

impl Connection {
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self {
            socket,
            incoming: Vec::new(),
            fds: Vec::new(),
            outgoing: VecDeque::new(),
            subscribed: false,
            closing: false,
            gone: false,
        }
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone
    }

    pub(crate) fn interest(&self) -> PollFlags {
        let read = if self.closing { PollFlags::empty() } else { PollFlags::IN };
        if self.outgoing.is_empty() { read } else { read | PollFlags::OUT }
    }

    /// Reads up to the end of a frame and never beyond, so that descriptors stay with the frame they came with.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> Received {
        while !self.closing && !self.gone {
            let wanted = match self.wanted() {
                Ok(0) => return Received::Frame(self.take_frame()),
                Ok(wanted) => wanted,
                Err(reason) => return Received::Broken(reason),
            };
            let length = wanted.min(buffer.len());
            match recv_with_fds(&self.socket, &mut buffer[..length], FDS_MAX) {
                Ok((0, _)) => self.gone = true,
                Ok((_, fds)) if !fds.is_empty() && !self.incoming.is_empty() => {
                    return Received::Broken("descriptors in the middle of a frame".into());
                }
                Ok((count, fds)) => {
                    self.incoming.extend_from_slice(&buffer[..count]);
                    self.fds.extend(fds);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::InvalidData => {
                    return Received::Broken(format!("more than {FDS_MAX} descriptors"));
                }
                Err(_) => self.gone = true,
            }
        }
        Received::NotNow
    }

    /// How many bytes are missing until the next thing is known.
    fn wanted(&self) -> Result<usize, String> {
        let Some(header) = self.incoming.first_chunk::<FRAME_HEADER>() else {
            return Ok(FRAME_HEADER - self.incoming.len());
        };
        let (json, bytes) = parse_header(*header).map_err(|error| error.to_string())?;
        Ok(FRAME_HEADER + json + bytes - self.incoming.len())
    }

    fn take_frame(&mut self) -> Frame {
        let mut json = std::mem::take(&mut self.incoming);
        let length =
            json.first_chunk().and_then(|header| parse_header(*header).ok()).map_or(0, |(json, _)| json);
        let bytes = json.split_off(FRAME_HEADER + length);
        json.drain(..FRAME_HEADER);
        Frame { json, bytes, fds: std::mem::take(&mut self.fds) }
    }

    /// Sends a message; what does not go out now goes out later.
    pub(crate) fn send(&mut self, message: &Message, fds: Vec<OwnedFd>) {
        let frame = serde_json::to_vec(message).ok().and_then(|json| encode_frame(&json, &[]).ok());
        let Some(bytes) = frame else { return self.end() };
        self.outgoing.push_back(Outgoing { bytes, sent: 0, fds });
        self.flush();
        let queued: usize = self.outgoing.iter().map(|frame| frame.bytes.len()).sum();
        self.gone |= queued > QUEUE_MAX;
    }

    /// Ends the connection after what is queued.
    pub(crate) fn end(&mut self) {
        self.closing = true;
        self.gone |= self.outgoing.is_empty();
    }

    pub(crate) fn flush(&mut self) {
        while let Some(frame) = self.outgoing.front_mut() {
            let fds: Vec<BorrowedFd<'_>> = frame.fds.iter().map(AsFd::as_fd).collect();
            match send_with_fds(&self.socket, &frame.bytes[frame.sent..], &fds) {
                Ok(count) => {
                    frame.sent += count;
                    frame.fds.clear();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.gone = true;
                    return;
                }
            }
            if frame.sent == frame.bytes.len() {
                self.outgoing.pop_front();
            }
        }
        self.gone |= self.closing;
    }
}
