//! Whole numbers and sizes.

use sampan_spec::{ParseSizeError, parse_size};

/// A string is no number, in the words of Go's `strconv`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NumberError {
    #[error("strconv.ParseInt: parsing {0:?}: invalid syntax")]
    Syntax(String),
    #[error("strconv.ParseInt: parsing {0:?}: value out of range")]
    Range(String),
    #[error("strconv.ParseUint: parsing {0:?}: invalid syntax")]
    UnsignedSyntax(String),
    #[error("strconv.ParseUint: parsing {0:?}: value out of range")]
    UnsignedRange(String),
}

/// A whole number.
pub(crate) fn integer(text: &str) -> Result<i64, NumberError> {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    text.parse().map_err(|error: std::num::ParseIntError| match error.kind() {
        PosOverflow | NegOverflow => NumberError::Range(text.to_owned()),
        _ => NumberError::Syntax(text.to_owned()),
    })
}

/// A whole number that is not negative.
pub(crate) fn unsigned<T: std::str::FromStr<Err = std::num::ParseIntError>>(
    text: &str,
) -> Result<T, NumberError> {
    use std::num::IntErrorKind::PosOverflow;
    text.parse().map_err(|error: std::num::ParseIntError| match error.kind() {
        PosOverflow => NumberError::UnsignedRange(text.to_owned()),
        _ => NumberError::UnsignedSyntax(text.to_owned()),
    })
}

/// A size in bytes, with a binary unit: `64m`.
pub(crate) fn bytes(text: &str) -> Result<i64, ParseSizeError> {
    i64::try_from(parse_size(text)?).map_err(|_| ParseSizeError(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers() {
        assert_eq!(integer("-1"), Ok(-1));
        assert_eq!(integer("x").unwrap_err().to_string(), "strconv.ParseInt: parsing \"x\": invalid syntax");
        let big = "9".repeat(20);
        assert_eq!(
            integer(&big).unwrap_err().to_string(),
            format!("strconv.ParseInt: parsing \"{big}\": value out of range")
        );
        assert_eq!(bytes("64m"), Ok(64 << 20));
        assert_eq!(bytes("xx").unwrap_err().to_string(), "invalid size: 'xx'");
    }

    proptest! {
        #[test]
        fn sizes_count_their_unit(number in 0_i64..1 << 20, unit in 0_usize..5) {
            let (letter, factor) = [("", 1), ("k", 1 << 10), ("M", 1 << 20), ("gb", 1 << 30), ("t", 1_i64 << 40)][unit];
            prop_assert_eq!(bytes(&format!("{number}{letter}")), Ok(number * factor));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[-+. 0-9kmgtpbi]{0,24}") {
            prop_assert!(bytes(&text).unwrap_or(0) >= 0);
        }
    }
}
