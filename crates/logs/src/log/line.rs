//! One line, as it is written and as a client sees it.

use super::clock::Clock;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use sampan_spec::Timestamp;
use sampan_spec::monitor::LogQuery;
use sampan_spec::stream::Stream;
use std::borrow::Cow;

/// One piece of output: a line, or a piece of a long one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// When it came.
    pub time: Timestamp,
    /// Where from.
    pub stream: Stream,
    /// The text, with its newline if the format keeps that.
    pub text: Cow<'a, [u8]>,
    /// A newline belongs behind the text.
    pub newline: bool,
    /// What it bears besides, if that was asked for, in order.
    pub attributes: Vec<(String, String)>,
}

/// A line on its way into a file.
pub(super) struct What<'a> {
    pub(super) stream: Stream,
    pub(super) time: Timestamp,
    /// The same as text, where the format wants that.
    pub(super) time_text: &'a [u8],
    pub(super) text: &'a [u8],
    /// It is the end of its line.
    pub(super) ends: bool,
    /// Which piece of a long line it is.
    pub(super) piece: Option<Piece<'a>>,
    /// A JSON object, or nothing.
    pub(super) attributes: &'a [u8],
}

/// A piece of a long line.
#[derive(Clone, Copy)]
pub(super) struct Piece<'a> {
    /// The line's.
    pub(super) id: &'a str,
    /// From 1.
    pub(super) ordinal: u32,
}

/// Writes lines as a client wants to see them.
#[derive(Debug)]
pub struct Renderer {
    timestamps: bool,
    details: bool,
    clock: Clock,
}

/// What Go's `url.QueryEscape` leaves as it is, besides letters and digits; a space becomes `+`.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b' ');

impl Renderer {
    /// For the answer to a query.
    pub fn new(query: &LogQuery) -> Self {
        Self { timestamps: query.timestamps, details: query.details, clock: Clock::new() }
    }

    /// Appends a line, after its time and its attributes where they were asked for.
    pub fn render(&mut self, line: &Line<'_>, out: &mut Vec<u8>) {
        if self.timestamps {
            self.clock.write_padded(line.time, out);
            out.push(b' ');
        }
        if self.details {
            for (number, (key, value)) in line.attributes.iter().enumerate() {
                out.extend_from_slice(if number == 0 { b"" } else { b"," });
                query_escape(key, out);
                out.push(b'=');
                query_escape(value, out);
            }
            out.push(b' ');
        }
        out.extend_from_slice(&line.text);
        if line.newline {
            out.push(b'\n');
        }
    }
}

fn query_escape(text: &str, out: &mut Vec<u8>) {
    let escaped = percent_encode(text.as_bytes(), ESCAPED).flat_map(str::bytes);
    out.extend(escaped.map(|byte| if byte == b' ' { b'+' } else { byte }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_sees_what_it_asked_for() {
        let line = Line {
            time: "2025-01-02T03:04:05.1Z".parse().unwrap(),
            stream: Stream::Stderr,
            text: b"a"[..].into(),
            newline: true,
            attributes: vec![("a".into(), "b=c".into()), ("b".into(), "x y,\"z~é".into())],
        };
        for (timestamps, details, want) in [
            (false, false, "a\n"),
            (true, false, "2025-01-02T03:04:05.100000000Z a\n"),
            (false, true, "a=b%3Dc,b=x+y%2C%22z~%C3%A9 a\n"),
            (true, true, "2025-01-02T03:04:05.100000000Z a=b%3Dc,b=x+y%2C%22z~%C3%A9 a\n"),
        ] {
            let mut out = Vec::new();
            Renderer { timestamps, details, clock: Clock::new() }.render(&line, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), want);
        }
    }
}
