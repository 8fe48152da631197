//! Writing and reading netlink messages: a header, a fixed structure, attributes that may nest.

use super::{F_ACK, F_DUMP, F_REQUEST, HEADER};
use std::ops::Range;

/// Set in the type of an attribute that holds others (NLA_F_NESTED).
const NESTED: u16 = 0x8000;

/// A batch of messages under construction.
#[derive(Debug, Default)]
pub struct Messages {
    bytes: Vec<u8>,
    /// Where the last message starts.
    start: usize,
    count: usize,
}

impl Messages {
    /// An empty batch.
    pub fn new() -> Self {
        Self { bytes: Vec::with_capacity(1024), start: 0, count: 0 }
    }

    /// Begins a message of this type that asks for an acknowledgement; `fixed` is the structure before the attributes.
    pub fn request(&mut self, kind: u16, flags: u16, fixed: &[u8]) -> &mut Self {
        self.begin(kind, flags | F_ACK, fixed)
    }

    /// Begins a message that asks for all entries of a table.
    pub fn list(&mut self, kind: u16, fixed: &[u8]) -> &mut Self {
        self.begin(kind, F_DUMP, fixed)
    }

    /// Begins a message that is answered only when it is refused, or, with a reply of its own type, when it is not.
    pub fn begin(&mut self, kind: u16, flags: u16, fixed: &[u8]) -> &mut Self {
        self.start = self.bytes.len();
        let sequence = self.count as u32 + self.first_sequence();
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(&(flags | F_REQUEST).to_ne_bytes());
        self.bytes.extend_from_slice(&sequence.to_ne_bytes());
        self.bytes.extend_from_slice(&[0; 4]);
        self.count += 1;
        self.raw(fixed)
    }

    /// Adds an attribute to the message.
    pub fn put(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        let length = (4 + value.len()) as u16;
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.raw(value)
    }

    /// Adds a text, ended by a zero byte.
    pub fn put_text(&mut self, kind: u16, text: &str) -> &mut Self {
        let mut value = Vec::with_capacity(text.len() + 1);
        value.extend_from_slice(text.as_bytes());
        value.push(0);
        self.put(kind, &value)
    }

    /// Adds a number in the host's byte order.
    pub fn put_u32(&mut self, kind: u16, value: u32) -> &mut Self {
        self.put(kind, &value.to_ne_bytes())
    }

    /// Adds a number in network byte order, as netfilter has them.
    pub fn put_be32(&mut self, kind: u16, value: u32) -> &mut Self {
        self.put(kind, &value.to_be_bytes())
    }

    /// Adds an attribute that holds what `inside` adds.
    pub fn nest(&mut self, kind: u16, inside: impl FnOnce(&mut Self)) -> &mut Self {
        let start = self.bytes.len();
        self.put(kind | NESTED, &[]);
        inside(self);
        let length = (self.bytes.len() - start) as u16;
        self.patch(start..start + 2, &length.to_ne_bytes());
        self
    }

    /// Adds bytes as they are, padded.
    pub(super) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        let length = (self.bytes.len() - self.start) as u32;
        self.patch(self.start..self.start + 4, &length.to_ne_bytes());
        self
    }

    /// Asks for an acknowledgement of the last message.
    pub(crate) fn acknowledge_last(&mut self) {
        if self.bytes.len() >= self.start + HEADER {
            self.bytes[self.start + 6] |= F_ACK.to_ne_bytes()[0];
            self.bytes[self.start + 7] |= F_ACK.to_ne_bytes()[1];
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    /// The first message's sequence number; the others count on.
    pub(super) const fn first_sequence(&self) -> u32 {
        1
    }

    fn patch(&mut self, range: Range<usize>, bytes: &[u8]) {
        self.bytes[range].copy_from_slice(bytes);
    }
}

/// The attributes in a stretch of a message. What is cut off ends the iteration.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a>(pub &'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let length = usize::from(u16_at(self.0, 0)?);
        let kind = u16_at(self.0, 2)? & 0x3fff;
        let value = self.0.get(4..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some((kind, value))
    }
}

impl<'a> Attributes<'a> {
    /// The value of the first attribute of this type.
    pub fn find(mut self, kind: u16) -> Option<&'a [u8]> {
        self.by_ref().find(|(k, _)| *k == kind).map(|(_, value)| value)
    }

    /// The attributes inside the first one of this type.
    pub fn nested(self, kind: u16) -> Self {
        Attributes(self.find(kind).unwrap_or(&[]))
    }
}

/// A text up to its zero byte, if it is UTF-8.
pub(crate) fn text(value: &[u8]) -> Option<&str> {
    let end = value.iter().position(|b| *b == 0).unwrap_or(value.len());
    std::str::from_utf8(&value[..end]).ok()
}

/// Two bytes at this place, in the host's order.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes)
}

/// Four bytes at this place, in the host's order.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

/// Four bytes in network order.
pub(crate) fn be32(bytes: &[u8]) -> Option<u32> {
    bytes.get(..4)?.try_into().ok().map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_right_however_deep() {
        let mut messages = Messages::new();
        messages.request(7, 0, &[1, 2, 3, 4]).put_text(1, "abcd").nest(2, |m| {
            m.put_u32(3, 9).nest(4, |m| {
                m.put(5, &[1]);
            });
        });
        let bytes = messages.bytes();
        assert_eq!(u32_at(bytes, 0), Some(bytes.len() as u32));
        let top = Attributes(&bytes[HEADER + 4..]);
        assert_eq!(top.find(1).and_then(text), Some("abcd"));
        assert_eq!(top.nested(2).find(3), Some(&9u32.to_ne_bytes()[..]));
        assert_eq!(top.nested(2).nested(4).find(5), Some(&[1u8][..]));
        assert_eq!(top.nested(9).count(), 0);
    }
}
