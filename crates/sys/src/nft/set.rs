//! Sets and maps, and how nft's own view of them is encoded: the types of their parts, byte orders, comments.

use super::expression::put_value;
use crate::netlink::Messages;

/// The type of a part of a key or of a map's value, numbered as nft numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// An IPv4 address.
    Ipv4,
    /// A transport protocol's number.
    Protocol,
    /// A port.
    Port,
    /// An interface's name, of 16 bytes.
    Interface,
}

impl Type {
    const fn number(self) -> u32 {
        match self {
            Self::Ipv4 => 7,
            Self::Protocol => 12,
            Self::Port => 13,
            Self::Interface => 41,
        }
    }

    const fn size(self) -> u32 {
        match self {
            Self::Interface => 16,
            _ => 4,
        }
    }

    const fn is_big_endian(self) -> bool {
        matches!(self, Self::Ipv4 | Self::Port)
    }
}

/// A set, or a map if it has values.
#[derive(Clone, Copy, Debug)]
pub struct Set<'a> {
    /// Its name.
    pub name: &'a str,
    /// The parts of its key.
    pub key: &'a [Type],
    /// The parts of its values; none for a set.
    pub value: &'a [Type],
    /// Whether it holds ranges of keys instead of single ones.
    pub interval: bool,
}

/// An element of a set or map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// The key; parts are padded to four bytes.
    pub key: Vec<u8>,
    /// A map's value, likewise.
    pub value: Vec<u8>,
    /// A comment, as `nft` shows it. At most 127 bytes.
    pub comment: String,
    /// In a set of ranges: the first key behind a range.
    pub range_end: bool,
}

impl Set<'_> {
    /// Writes all but the table's name; `id` is the set's number within the batch.
    pub(super) fn put(&self, m: &mut Messages, id: u32) {
        const INTERVAL: u32 = 4;
        const MAP: u32 = 8;
        let interval = if self.interval { INTERVAL } else { 0 };
        let map = if self.value.is_empty() { 0 } else { MAP };
        m.put_text(2, self.name).put_be32(3, interval | map);
        m.put_be32(4, type_number(self.key)).put_be32(5, type_size(self.key));
        if !self.value.is_empty() {
            m.put_be32(6, type_number(self.value)).put_be32(7, type_size(self.value));
        }
        m.put_be32(10, id).put(13, &byte_orders(self));
    }
}

impl Element {
    /// Writes key, value, flags and comment.
    pub(super) fn put(&self, m: &mut Messages) {
        const RANGE_END: u32 = 1;
        m.nest(1, |m| put_value(m, &self.key));
        if !self.value.is_empty() {
            m.nest(2, |m| put_value(m, &self.value));
        }
        if self.range_end {
            m.put_be32(3, RANGE_END);
        }
        if !self.comment.is_empty() {
            m.put(6, &comment_data(&self.comment));
        }
    }
}

/// A comment as nft keeps it in user data: type 0, length, text with a zero byte.
pub(super) fn comment_data(comment: &str) -> Vec<u8> {
    let mut data = vec![0, (comment.len() + 1) as u8];
    data.extend_from_slice(comment.as_bytes());
    data.push(0);
    data
}

fn type_number(parts: &[Type]) -> u32 {
    parts.iter().fold(0, |number, part| number << 6 | part.number())
}

fn type_size(parts: &[Type]) -> u32 {
    match parts {
        [Type::Protocol] => 1,
        [Type::Port] => 2,
        parts => parts.iter().map(|part| part.size()).sum(),
    }
}

/// The user data from which nft knows the byte order of keys (type 0) and values (type 1); 0 where parts are joined.
fn byte_orders(set: &Set<'_>) -> Vec<u8> {
    let order = |parts: &[Type]| match parts {
        [one] if one.is_big_endian() => 2u32,
        [_] => 1,
        _ => 0,
    };
    let mut data = vec![0, 4];
    data.extend_from_slice(&order(set.key).to_ne_bytes());
    if !set.value.is_empty() {
        data.extend_from_slice(&[1, 4]);
        data.extend_from_slice(&order(set.value).to_ne_bytes());
    }
    data
}
