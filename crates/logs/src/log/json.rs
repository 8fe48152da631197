//! `json-file`: a line of the file, read and written as Docker's encoder does.

use super::clock::Reading;
use super::escape::{escape, unescape};
use super::format::{Found, Head, Text};
use super::line::What;
use sampan_spec::Timestamp;
use sampan_spec::stream::Stream;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

const BEFORE_TEXT: &[u8] = b"{\"log\":\"";
const BEFORE_ATTRIBUTES: &[u8] = b",\"attrs\":{";
/// How much is read at a time from a file's end, in bytes.
const BLOCK: u64 = 16 << 10;

#[derive(Deserialize)]
struct Whole {
    stream: Stream,
    time: Timestamp,
}

#[derive(Deserialize)]
struct Log<'a> {
    #[serde(borrow, default)]
    log: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Attributes {
    #[serde(default)]
    attrs: BTreeMap<String, String>,
}

/// A line of the file, without its newline.
pub(super) fn find(bytes: &[u8]) -> Found {
    memchr::memchr(b'\n', bytes).map_or(Found::Part, |end| Found::Record(0..end, end + 1))
}

/// Reads a line; `None` if it is damaged.
pub(super) fn head(line: &[u8], clock: &mut Reading) -> Option<Head> {
    usual(line, clock).or_else(|| {
        let Whole { stream, time } = serde_json::from_slice(line).ok()?;
        Some(Head { stream, time, text: Text::Json })
    })
}

/// Reads a line with nothing else in it than what this crate and Docker write, in that order.
fn usual(line: &[u8], clock: &mut Reading) -> Option<Head> {
    let rest = line.strip_prefix(BEFORE_TEXT)?.strip_suffix(b"\"}")?;
    let quote = memchr::memrchr(b'"', rest)?;
    let time = clock.parse(&rest[quote + 1..])?;
    let mut rest = rest[..quote].strip_suffix(b",\"time\":")?;
    if rest.ends_with(b"}") {
        // Within a string its quotes would be escaped.
        rest = &rest[..memchr::memmem::rfind(rest, BEFORE_ATTRIBUTES)?];
    }
    let (stream, text) = match rest.strip_suffix(b"\",\"stream\":\"stdout\"") {
        Some(text) => (Stream::Stdout, text),
        None => (Stream::Stderr, rest.strip_suffix(b"\",\"stream\":\"stderr\"")?),
    };
    Some(Head { stream, time, text: Text::Usual(text.len()) })
}

/// A line's text, which has `length` bytes if the line has the usual form. One that is no string is none.
pub(super) fn text(line: &[u8], length: Option<usize>) -> Cow<'_, [u8]> {
    let usual = length.and_then(|length| line.get(BEFORE_TEXT.len()..)?.get(..length));
    let text = usual
        .and_then(unescape)
        .unwrap_or_else(|| serde_json::from_slice::<Log<'_>>(line).map(|text| text.log).unwrap_or_default());
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

/// A line's attributes, in order.
pub(super) fn attributes(line: &[u8]) -> Vec<(String, String)> {
    serde_json::from_slice(line).map_or(Vec::new(), |Attributes { attrs }| attrs.into_iter().collect())
}

/// Attributes as [`encode`] takes them.
pub(super) fn encode_attributes(attributes: &BTreeMap<String, String>) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, value) in attributes {
        out.extend_from_slice(if out.is_empty() { b"{\"" } else { b",\"" });
        escape(key.as_bytes(), &mut out);
        out.extend_from_slice(b"\":\"");
        escape(value.as_bytes(), &mut out);
        out.push(b'"');
    }
    if !out.is_empty() {
        out.push(b'}');
    }
    out
}

/// Appends a line of the file.
pub(super) fn encode(what: &What<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(BEFORE_TEXT);
    escape(what.text, out);
    if what.ends {
        out.extend_from_slice(b"\\n");
    }
    out.extend_from_slice(match what.stream {
        Stream::Stderr => b"\",\"stream\":\"stderr\"",
        _ => b"\",\"stream\":\"stdout\"",
    });
    if !what.attributes.is_empty() {
        out.extend_from_slice(b",\"attrs\":");
        out.extend_from_slice(what.attributes);
    }
    out.extend_from_slice(b",\"time\":\"");
    out.extend_from_slice(what.time_text);
    out.extend_from_slice(b"\"}\n");
}

/// Where the last whole line ends.
pub(super) fn end_of_last(file: &File, size: u64) -> io::Result<u64> {
    let mut block = vec![0; BLOCK.min(size) as usize];
    let mut end = size;
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        let part = &mut block[..(end - start) as usize];
        file.read_exact_at(part, start)?;
        if let Some(at) = memchr::memrchr(b'\n', part) {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_attributes_has_the_usual_form() {
        let attributes = [("tag", "a\",\"attrs\":{\"x"), ("a", "<b>")].map(|(k, v)| (k.into(), v.into()));
        let encoded = encode_attributes(&attributes.clone().into());
        let what = What {
            stream: Stream::Stderr,
            time: Timestamp::UNIX_EPOCH,
            time_text: b"1970-01-01T00:00:00Z",
            text: b"x,\"attrs\":{\"",
            ends: true,
            piece: None,
            attributes: &encoded,
        };
        let mut line = Vec::new();
        encode(&what, &mut line);
        let want = r#"{"log":"x,\"attrs\":{\"\n","stream":"stderr","attrs":{"a":"\u003cb\u003e","tag":"a\",\"attrs\":{\"x"},"time":"1970-01-01T00:00:00Z"}"#;
        assert_eq!(String::from_utf8_lossy(&line), format!("{want}\n"));
        let line = &line[..line.len() - 1];
        let head = usual(line, &mut Reading::new()).unwrap();
        assert_eq!((head.stream, head.time), (Stream::Stderr, Timestamp::UNIX_EPOCH));
        let Text::Usual(length) = head.text else { panic!("{head:?}") };
        assert_eq!(&*text(line, Some(length)), b"x,\"attrs\":{\"\n");
        assert_eq!(super::attributes(line), [attributes[1].clone(), attributes[0].clone()]);
    }
}
