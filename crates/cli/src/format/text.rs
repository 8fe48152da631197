//! Shortening and quoting.

use std::cmp::Ordering;
use std::fmt::Write as _;

/// How many digits of an id people are shown.
const SHORT_ID: usize = 12;

/// At most `width` characters, the last of them an ellipsis if something was left out.
pub(crate) fn ellipsis(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// The first twelve digits of an id, without `sha256:`.
pub(crate) fn short_id(id: &str) -> &str {
    let hex = id.split_once(':').map_or(id, |(_, hex)| hex);
    hex.get(..SHORT_ID).unwrap_or(hex)
}

/// Labels as lists show them: `a=b,c=d`.
pub(crate) fn labels<'l>(all: impl IntoIterator<Item = (&'l String, &'l String)>) -> String {
    let pairs: Vec<String> = all.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join(",")
}

/// The order in which people expect texts with numbers in them: `9` before `10`.
pub(crate) fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    while let ([first, ..], [second, ..]) = (a, b) {
        let order = if first.is_ascii_digit() && second.is_ascii_digit() {
            let ((left, rest_a), (right, rest_b)) = (number(a), number(b));
            (a, b) = (rest_a, rest_b);
            left.len().cmp(&right.len()).then(left.cmp(right))
        } else {
            (a, b) = (&a[1..], &b[1..]);
            first.cmp(second)
        };
        if order.is_ne() {
            return order;
        }
    }
    a.len().cmp(&b.len())
}

/// The digits at the beginning without their zeros, and the rest.
fn number(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let zeros = digits.iter().take_while(|b| **b == b'0').count();
    (&digits[zeros..], rest)
}

/// A string in double quotes with the escapes of Go's `strconv.Quote`.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\x07' => quoted.push_str("\\a"),
            '\x08' => quoted.push_str("\\b"),
            '\x0c' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\x0b' => quoted.push_str("\\v"),
            '\0'..='\x1f' | '\x7f' => _ = write!(quoted, "\\x{:02x}", u32::from(c)),
            '\u{80}'..='\u{9f}' | '\u{feff}' => _ = write!(quoted, "\\u{:04x}", u32::from(c)),
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortening() {
        assert_eq!(ellipsis("12345", 5), "12345");
        assert_eq!(ellipsis("123456", 5), "1234…");
        assert_eq!(short_id("sha256:0123456789abcdef"), "0123456789ab");
        assert_eq!(short_id("0123456789abcdef"), "0123456789ab");
        assert_eq!(short_id("abc"), "abc");
    }

    #[test]
    fn numbers_count_as_such() {
        let mut texts = ["10/tcp", "9/tcp", "9/udp", "a2", "a010", "a10b", ""];
        texts.sort_by(|a, b| natural(a, b));
        assert_eq!(texts, ["", "9/tcp", "9/udp", "10/tcp", "a2", "a010", "a10b"]);
    }

    #[test]
    fn quoting() {
        assert_eq!(quote("sh -c \"a\\b\"\n\u{1}…"), r#""sh -c \"a\\b\"\n\x01…""#);
    }
}
