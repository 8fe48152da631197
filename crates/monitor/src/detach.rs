//! Detach keys: bytes that a terminal's client types to leave while the process goes on.

/// Looks for the keys in what a client types. A beginning of them is held back until it is known to be no more than that.
#[derive(Debug)]
pub(crate) struct DetachKeys {
    keys: Vec<u8>,
    matched: usize,
}

impl DetachKeys {
    /// No keys match nothing.
    pub(crate) fn new(keys: Vec<u8>) -> Self {
        Self { keys, matched: 0 }
    }

    /// Appends to `output` what of `input` is for the process; says whether the keys were typed. What comes behind them
    /// is dropped. A key that breaks a match does not begin another, as with Docker.
    pub(crate) fn filter(&mut self, input: &[u8], output: &mut Vec<u8>) -> bool {
        if self.keys.is_empty() {
            output.extend_from_slice(input);
            return false;
        }
        for byte in input {
            if *byte == self.keys[self.matched] {
                self.matched += 1;
                if self.matched == self.keys.len() {
                    return true;
                }
            } else {
                output.extend_from_slice(&self.keys[..self.matched]);
                output.push(*byte);
                self.matched = 0;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(keys: &[u8], typed: &[&[u8]], want: &[u8], detached: bool) {
        let mut filter = DetachKeys::new(keys.to_vec());
        let mut output = Vec::new();
        let found = typed.iter().any(|part| filter.filter(part, &mut output));
        assert_eq!((&output[..], found), (want, detached), "{typed:?}");
    }

    #[test]
    fn keys_in_one_or_more_pieces() {
        let keys = b"\x10\x11";
        check(keys, &[b"abc"], b"abc", false);
        check(keys, &[b"a\x10\x11z"], b"a", true);
        check(keys, &[b"a\x10", b"\x11"], b"a", true);
        check(keys, &[b"\x10"], b"", false);
        check(keys, &[b"\x10", b"b"], b"\x10b", false);
        check(keys, &[b"\x10\x10\x11"], b"\x10\x10\x11", false);
        check(keys, &[b"\x11\x10b\x10\x11"], b"\x11\x10b", true);
        check(b"q", &[b"aq"], b"a", true);
        check(b"", &[b"a\x10\x11"], b"a\x10\x11", false);
    }
}
