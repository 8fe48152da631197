//! Bytes as a JSON string and back, byte for byte as Go's encoder writes them: `<`, `>`, `&`, U+2028 and U+2029 escaped, each byte
//! that is no UTF-8 replaced by U+FFFD.

use std::borrow::Cow;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Which bytes cannot be copied as they are; those from 0x80 need a look at what follows.
const SPECIAL: [bool; 256] = special();

const fn special() -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = byte < 0x20 || byte >= 0x80 || matches!(byte as u8, b'"' | b'\\' | b'<' | b'>' | b'&');
        byte += 1;
    }
    table
}

/// Appends `text` to `out` without the quotes.
pub(super) fn escape(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| SPECIAL[usize::from(*byte)]) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        if rest[0] < 0x80 {
            ascii(rest[0], out);
            rest = &rest[1..];
        } else {
            let run = rest.iter().position(|byte| *byte < 0x80).unwrap_or(rest.len());
            unicode(&rest[..run], out);
            rest = &rest[run..];
        }
    }
    out.extend_from_slice(rest);
}

fn ascii(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        _ => {
            let digit = |value: u8| DIGITS[usize::from(value)];
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

/// A run of bytes from 0x80.
fn unicode(run: &[u8], out: &mut Vec<u8>) {
    for chunk in run.utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some(at) = rest.find(['\u{2028}', '\u{2029}']) {
            out.extend_from_slice(&rest.as_bytes()[..at]);
            out.extend_from_slice(if rest[at..].starts_with('\u{2028}') { b"\\u2028" } else { b"\\u2029" });
            rest = &rest[at + '\u{2028}'.len_utf8()..];
        }
        out.extend_from_slice(rest.as_bytes());
        chunk.invalid().iter().for_each(|_| out.extend_from_slice(b"\\ufffd"));
    }
}

/// The text of an escaped string; `None` for what [`escape`] does not write.
pub(super) fn unescape(escaped: &[u8]) -> Option<Cow<'_, str>> {
    let escaped = std::str::from_utf8(escaped).ok()?;
    let mut rest = escaped;
    let mut text = String::new();
    while let Some(at) = memchr::memchr2(b'\\', b'"', rest.as_bytes()) {
        text.push_str(&rest[..at]);
        let (character, length) = unescape_one(&rest[at..])?;
        text.push(character);
        rest = &rest[at + length..];
    }
    if rest.len() == escaped.len() {
        return Some(Cow::Borrowed(escaped));
    }
    text.push_str(rest);
    Some(Cow::Owned(text))
}

/// The character that an escape stands for, and the escape's length.
fn unescape_one(escape: &str) -> Option<(char, usize)> {
    let bytes = escape.as_bytes();
    match bytes.get(..2)? {
        b"\\n" => Some(('\n', 2)),
        b"\\r" => Some(('\r', 2)),
        b"\\t" => Some(('\t', 2)),
        b"\\\\" => Some(('\\', 2)),
        b"\\\"" => Some(('"', 2)),
        b"\\u" => {
            let digits = escape.get(2..6).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
            // Half of a pair is no character: that is left to others.
            Some((char::from_u32(u32::from_str_radix(digits, 16).ok()?)?, 6))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &[u8], want: &str) {
        let mut out = Vec::new();
        escape(text, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), want);
    }

    #[test]
    fn as_go_writes_it() {
        check(b"plain ~\x7f", "plain ~\x7f");
        check(b"a\"b\\c\n\r\t\x00\x1b[0m", r#"a\"b\\c\n\r\u0009\u0000\u001b[0m"#);
        check(b"<a href='x'>&", r"\u003ca href='x'\u003e\u0026");
        check("é – \u{2028}\u{2029} 🎉".as_bytes(), "é – \\u2028\\u2029 🎉");
        check(b"\xff\xe2\x82 x \xf0\x9f\x8e", r"\ufffd\ufffd\ufffd x \ufffd\ufffd\ufffd");
        check(b"\xed\xa0\x80", r"\ufffd\ufffd\ufffd");
    }

    proptest! {
        #[test]
        fn it_parses_back(text in any::<String>()) {
            let mut out = vec![b'"'];
            escape(text.as_bytes(), &mut out);
            out.push(b'"');
            prop_assert_eq!(&serde_json::from_slice::<String>(&out).unwrap(), &text);
            prop_assert_eq!(unescape(&out[1..out.len() - 1]).unwrap(), text);
        }

        #[test]
        fn what_is_unescaped_is_as_json_says(escaped in "(\\\\[nrtbfu\"\\\\/]|[0-9a-fD]{4}|[\"é])*") {
            if let Some(text) = unescape(escaped.as_bytes()) {
                prop_assert_eq!(serde_json::from_str::<String>(&format!("\"{escaped}\"")).unwrap(), text);
            }
        }

        #[test]
        fn any_bytes_become_a_string(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut out = vec![b'"'];
            escape(&bytes, &mut out);
            out.push(b'"');
            let want: String = bytes.utf8_chunks().fold(String::new(), |text, chunk| {
                text + chunk.valid() + &"\u{fffd}".repeat(chunk.invalid().len())
            });
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), want);
        }
    }
}
