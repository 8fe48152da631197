//! The user's terminal: raw mode that is always undone, its size, and the keys that detach from a container.

use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};

const WIDTH_WITHOUT_TERMINAL: usize = 80;

/// Standard input as a terminal in raw mode, until this is dropped.
pub(crate) struct RawMode {
    before: Termios,
}

impl RawMode {
    /// Puts standard input into raw mode, if it is a terminal.
    ///
    /// # Errors
    /// tcgetattr(3), tcsetattr(3).
    pub(crate) fn enter() -> io::Result<Option<Self>> {
        let input = rustix::stdio::stdin();
        if !isatty(input) {
            return Ok(None);
        }
        let before = tcgetattr(input)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(input, OptionalActions::Now, &raw)?;
        Ok(Some(Self { before }))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that went away.
        let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Drain, &self.before);
    }
}

/// Reads a line of standard input, which must be a terminal, without showing what is typed.
///
/// # Errors
/// When the user breaks it off, or read(2) and termios(3) fail.
pub(crate) fn hidden_line() -> io::Result<String> {
    // Not with the keys that send signals: they would leave the terminal without its echo.
    let _raw = RawMode::enter()?;
    let typed = io::stdin().lock().bytes();
    line_of(typed)?.ok_or_else(|| io::ErrorKind::Interrupted.into())
}

/// What is typed up to the end of a line; `None` after Ctrl-C.
fn line_of(typed: impl Iterator<Item = io::Result<u8>>) -> io::Result<Option<String>> {
    const BREAK: u8 = 3;
    const END: u8 = 4;
    let mut line = String::new();
    let mut rest = Vec::new();
    for byte in typed {
        match byte? {
            b'\r' | b'\n' | END => break,
            BREAK => return Ok(None),
            8 | 127 => _ = line.pop(),
            byte => rest.push(byte),
        }
        // A character may have several bytes.
        if let Ok(text) = std::str::from_utf8(&rest) {
            line.push_str(text);
            rest.clear();
        }
    }
    Ok(Some(line))
}

/// Rows and columns of standard output, if it is a terminal.
pub(crate) fn size() -> Option<(u16, u16)> {
    size_of(rustix::stdio::stdout())
}

fn size_of(terminal: BorrowedFd<'_>) -> Option<(u16, u16)> {
    let size = tcgetwinsize(terminal).ok()?;
    (size.ws_row > 0 || size.ws_col > 0).then_some((size.ws_row, size.ws_col))
}

/// The columns of standard input's terminal; 80 where there is none.
pub(crate) fn width() -> usize {
    let columns = size_of(rustix::stdio::stdin()).map_or(0, |(_, columns)| columns);
    if columns == 0 { WIDTH_WITHOUT_TERMINAL } else { columns.into() }
}

/// The columns of standard output, if it is a terminal.
pub(crate) fn output_columns() -> Option<usize> {
    columns_of(rustix::stdio::stdout())
}

/// The columns of standard error, if it is a terminal.
pub(crate) fn error_columns() -> Option<usize> {
    columns_of(rustix::stdio::stderr())
}

fn columns_of(terminal: BorrowedFd<'_>) -> Option<usize> {
    let columns = isatty(terminal).then(|| size_of(terminal).map_or(0, |(_, columns)| columns))?;
    Some(if columns == 0 { WIDTH_WITHOUT_TERMINAL } else { columns.into() })
}

/// Whether standard input is a terminal.
pub(crate) fn input_is_terminal() -> bool {
    isatty(rustix::stdio::stdin().as_fd())
}

/// Whether standard output is a terminal.
pub(crate) fn output_is_terminal() -> bool {
    isatty(rustix::stdio::stdout().as_fd())
}

/// The keys that detach where the user names no others: Ctrl-P, Ctrl-Q.
const DEFAULT_KEYS: [u8; 2] = [16, 17];

/// Finds the keys that detach in what the user types, and holds back what may be their beginning.
#[derive(Debug)]
pub(crate) struct DetachKeys {
    keys: Vec<u8>,
    matched: usize,
}

/// What to do after some input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    /// Pass these bytes on.
    Pass(Vec<u8>),
    /// Pass these bytes on, then detach.
    Detach(Vec<u8>),
}

impl DetachKeys {
    /// From `ctrl-a,b`; empty or malformed: the default.
    pub(crate) fn new(text: &str) -> Self {
        let keys = parse_keys(text).filter(|keys| !keys.is_empty()).unwrap_or_else(|| DEFAULT_KEYS.to_vec());
        Self { keys, matched: 0 }
    }

    /// Takes the next bytes.
    pub(crate) fn feed(&mut self, input: &[u8]) -> Typed {
        let mut pass = Vec::with_capacity(input.len() + self.matched);
        for &byte in input {
            if byte == self.keys[self.matched] {
                self.matched += 1;
                if self.matched == self.keys.len() {
                    self.matched = 0;
                    return Typed::Detach(pass);
                }
                continue;
            }
            pass.extend_from_slice(&self.keys[..self.matched]);
            self.matched = usize::from(byte == self.keys[0] && self.keys.len() > 1);
            if self.matched == 0 {
                pass.push(byte);
            }
        }
        Typed::Pass(pass)
    }
}

/// Single characters and `ctrl-` with a letter or one of `@[\]^_`, separated by commas.
fn parse_keys(text: &str) -> Option<Vec<u8>> {
    let key = |part: &str| match (part.as_bytes(), part.strip_prefix("ctrl-").map(str::as_bytes)) {
        (_, Some([letter @ b'a'..=b'z'])) => Some(letter - b'a' + 1),
        (_, Some(b"@")) => Some(0),
        (_, Some([mark @ b'['..=b'_'])) => Some(mark - b'[' + 27),
        (&[byte], None) => Some(byte),
        _ => None,
    };
    if text.is_empty() { Some(Vec::new()) } else { text.split(',').map(key).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_by_name() {
        assert_eq!(parse_keys("ctrl-p,ctrl-q"), Some(vec![16, 17]));
        assert_eq!(parse_keys("a,ctrl-@,ctrl-[,ctrl-_"), Some(vec![b'a', 0, 27, 31]));
        assert_eq!(parse_keys(""), Some(vec![]));
        assert_eq!(parse_keys("ctrl-1"), None);
        assert_eq!(parse_keys("ab"), None);
        assert_eq!(DetachKeys::new("nonsense").keys, DEFAULT_KEYS);
    }

    #[test]
    fn hidden_lines_are_edited() {
        let line = |typed: &str| line_of(typed.bytes().map(Ok)).unwrap();
        assert_eq!(line("s3cret\rmore").as_deref(), Some("s3cret"));
        assert_eq!(line("sé\u{7f}\u{7f}\u{7f}pü\n").as_deref(), Some("pü"));
        assert_eq!(line("abc\u{4}").as_deref(), Some("abc"));
        assert_eq!(line("abc\u{3}"), None);
    }

    fn check(inputs: &[&[u8]], want: &[Typed]) {
        let mut keys = DetachKeys::new("");
        let got: Vec<_> = inputs.iter().map(|input| keys.feed(input)).collect();
        assert_eq!(got, want);
    }

    #[test]
    fn the_sequence_is_found_across_reads() {
        let pass = |text: &[u8]| Typed::Pass(text.to_vec());
        check(&[b"ab\x10\x11"], &[Typed::Detach(b"ab".to_vec())]);
        check(&[b"a\x10", b"\x11"], &[pass(b"a"), Typed::Detach(vec![])]);
        check(&[b"\x10", b"x"], &[pass(b""), pass(b"\x10x")]);
        check(&[b"\x10\x10\x11"], &[Typed::Detach(b"\x10".to_vec())]);
        check(&[b"\x11\x10"], &[pass(b"\x11")]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost(input in proptest::collection::vec(14u8..19, 0..40), cut in 0usize..40) {
            let mut keys = DetachKeys::new("");
            let cut = cut.min(input.len());
            let mut got = Vec::new();
            for part in [&input[..cut], &input[cut..]] {
                match keys.feed(part) {
                    Typed::Pass(bytes) => got.extend(bytes),
                    Typed::Detach(bytes) => {
                        got.extend(bytes);
                        prop_assert!(input.starts_with(&got));
                        return Ok(());
                    }
                }
            }
            got.extend_from_slice(&keys.keys[..keys.matched]);
            prop_assert_eq!(got, input);
        }
    }
}
