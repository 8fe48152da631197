//! One line of the file, read and written.

use super::escape::{escape, unescape};
use sampan_spec::Timestamp;
use sampan_spec::stream::Stream;
use serde::Deserialize;
use std::borrow::Cow;

/// One piece of output: a line with its newline, or a piece of a long line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// When it came.
    pub time: Timestamp,
    /// Where from.
    pub stream: Stream,
    /// The text.
    pub text: Cow<'a, str>,
}

/// All of a line but the text, which is looked at only where it is wanted.
#[derive(Debug, Deserialize)]
pub(super) struct Head {
    pub(super) stream: Stream,
    pub(super) time: Timestamp,
    /// The length of the escaped text, where the line has the form in which it is usually written.
    #[serde(skip)]
    text: Option<usize>,
}

#[derive(Deserialize)]
struct Text<'a> {
    #[serde(borrow, default)]
    log: Cow<'a, str>,
}

const BEFORE_TEXT: &[u8] = b"{\"log\":\"";

impl Head {
    /// Reads a line of the file; `None` if it is damaged.
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        Self::usual(line).or_else(|| serde_json::from_slice(line).ok())
    }

    /// Reads a line with nothing else in it than what this crate and Docker write, in that order.
    fn usual(line: &[u8]) -> Option<Self> {
        let rest = line.strip_prefix(BEFORE_TEXT)?.strip_suffix(b"\"}")?;
        let quote = memchr::memrchr(b'"', rest)?;
        let time = std::str::from_utf8(&rest[quote + 1..]).ok()?.parse().ok()?;
        let rest = rest[..quote].strip_suffix(b",\"time\":")?;
        let (stream, text) = match rest.strip_suffix(b"\",\"stream\":\"stdout\"") {
            Some(text) => (Stream::Stdout, text),
            None => (Stream::Stderr, rest.strip_suffix(b"\",\"stream\":\"stderr\"")?),
        };
        Some(Self { stream, time, text: Some(text.len()) })
    }

    /// The line that this is of. A text that is no string is none.
    pub(super) fn with_text(self, line: &[u8]) -> Line<'_> {
        let usual = self.text.and_then(|length| line.get(BEFORE_TEXT.len()..)?.get(..length));
        let text = usual.and_then(unescape).unwrap_or_else(|| {
            serde_json::from_slice::<Text<'_>>(line).map(|text| text.log).unwrap_or_default()
        });
        Line { time: self.time, stream: self.stream, text }
    }
}

impl Line<'_> {
    /// Appends it as a client sees it, after its time if asked for: with all nine digits, so that columns line up.
    pub fn render(&self, timestamps: bool, out: &mut Vec<u8>) {
        if timestamps {
            out.extend_from_slice(self.time.strftime("%Y-%m-%dT%H:%M:%S.%9fZ ").to_string().as_bytes());
        }
        out.extend_from_slice(self.text.as_bytes());
    }
}

/// Writes times, remembering the text of the last second.
#[derive(Debug)]
pub(super) struct Clock {
    second: i64,
    text: Vec<u8>,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self { second: i64::MIN, text: Vec::new() }
    }

    /// Appends `time` as Go's RFC3339Nano: nine digits at most, no trailing zeros.
    pub(super) fn write(&mut self, time: Timestamp, out: &mut Vec<u8>) {
        let nanoseconds = time.subsec_nanosecond();
        if nanoseconds < 0 {
            out.extend_from_slice(time.to_string().as_bytes());
            return;
        }
        if time.as_second() != self.second {
            self.second = time.as_second();
            self.text = time.strftime("%Y-%m-%dT%H:%M:%S").to_string().into_bytes();
        }
        out.extend_from_slice(&self.text);
        fraction(nanoseconds as u32, out);
        out.push(b'Z');
    }
}

fn fraction(mut nanoseconds: u32, out: &mut Vec<u8>) {
    if nanoseconds == 0 {
        return;
    }
    let mut digits = [b'0'; 9];
    for digit in digits.iter_mut().rev() {
        *digit += (nanoseconds % 10) as u8;
        nanoseconds /= 10;
    }
    let length = digits.iter().rposition(|digit| *digit != b'0').map_or(0, |at| at + 1);
    out.push(b'.');
    out.extend_from_slice(&digits[..length]);
}

/// Appends a line of the file; `time` is what [`Clock::write`] gave.
pub(super) fn encode(text: &[u8], newline: bool, stream: Stream, time: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"log\":\"");
    escape(text, out);
    if newline {
        out.extend_from_slice(b"\\n");
    }
    out.extend_from_slice(match stream {
        Stream::Stderr => b"\",\"stream\":\"stderr\",\"time\":\"",
        _ => b"\",\"stream\":\"stdout\",\"time\":\"",
    });
    out.extend_from_slice(time);
    out.extend_from_slice(b"\"}\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_no_trailing_zeros() {
        for (time, want) in [
            ("2025-01-02T03:04:05Z", "2025-01-02T03:04:05Z"),
            ("2025-01-02T03:04:05.1Z", "2025-01-02T03:04:05.1Z"),
            ("2025-01-02T03:04:05.000000009Z", "2025-01-02T03:04:05.000000009Z"),
            ("2025-01-02T03:04:06.120300000Z", "2025-01-02T03:04:06.1203Z"),
        ] {
            let mut out = Vec::new();
            Clock::new().write(time.parse().unwrap(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), want);
        }
    }

    #[test]
    fn a_client_sees_the_time_with_all_digits() {
        let line = br#"{"log":"a\n","stream":"stderr","time":"2025-01-02T03:04:05.1Z"}"#;
        let mut out = Vec::new();
        Head::parse(line).unwrap().with_text(line).render(true, &mut out);
        assert_eq!(out, b"2025-01-02T03:04:05.100000000Z a\n");
    }
}
