//! Detach keys: `ctrl-p,ctrl-q` as the bytes that a terminal sends.

use crate::error::Error;

/// What detaches when nobody says otherwise.
const DEFAULT: [u8; 2] = [16, 17];

/// The bytes of a sequence of keys, separated by commas; empty is Docker's `ctrl-p,ctrl-q`.
pub(crate) fn detach_keys(text: &str) -> Result<Vec<u8>, Error> {
    keys(text).ok_or_else(|| Error::Invalid(format!("Invalid detach keys ({text}) provided")))
}

/// As [`detach_keys`], in the words of an exec.
pub(crate) fn escape_keys(text: &str) -> Result<Vec<u8>, Error> {
    keys(text).ok_or_else(|| Error::Invalid(format!("Invalid escape keys ({text}) provided")))
}

fn keys(text: &str) -> Option<Vec<u8>> {
    if text.is_empty() { Some(DEFAULT.to_vec()) } else { text.split(',').map(key).collect() }
}

fn key(text: &str) -> Option<u8> {
    if let [byte] = text.as_bytes() {
        return Some(*byte);
    }
    match text.to_ascii_lowercase().strip_prefix("ctrl-")?.as_bytes() {
        [letter @ b'a'..=b'z'] => Some(letter - b'a' + 1),
        [b'@'] => Some(0),
        [sign @ b'['..=b'_'] => Some(sign - b'[' + 27),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_are_bytes() {
        for (text, want) in [
            ("", Some(vec![16, 17])),
            ("ctrl-p,ctrl-q", Some(vec![16, 17])),
            ("a", Some(vec![b'a'])),
            ("ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_", Some(vec![0, 27, 28, 29, 30, 31])),
            ("ctrl-A,x", Some(vec![1, b'x'])),
            ("ctrl-", None),
            ("ctrl-1", None),
            ("ab", None),
            ("a,,b", None),
        ] {
            assert_eq!(detach_keys(text).ok(), want, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_keys_or_refused(text in "([a-z]|ctrl-[a-z@^?1]|,){1,8}") {
            if let Ok(keys) = detach_keys(&text) {
                prop_assert!(!keys.is_empty() && keys.len() <= text.len(), "{:?}", keys);
            }
        }
    }
}
