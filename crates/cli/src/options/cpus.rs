//! `--cpus 1.5` as billionths of a processor.

const DIGITS: usize = 9;

/// A string is no number of processors.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CpusError {
    #[error("failed to parse {0} as a rational number")]
    Syntax(String),
    #[error("value is too precise")]
    TooPrecise,
}

/// Reads a decimal number with at most nine digits behind the point, exactly.
pub(crate) fn nano_cpus(text: &str) -> Result<i64, CpusError> {
    let fail = || CpusError::Syntax(text.to_owned());
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if digits.is_empty() || digits == "." || !all_digits(whole) || !all_digits(fraction) {
        return Err(fail());
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > DIGITS {
        return Err(CpusError::TooPrecise);
    }
    let nanos: i64 = format!("{whole}{fraction:0<DIGITS$}").parse().map_err(|_| fail())?;
    Ok(if negative { -nanos } else { nanos })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimal_numbers() {
        for (text, want) in [
            ("1", Ok(1_000_000_000)),
            ("0.5", Ok(500_000_000)),
            (".5", Ok(500_000_000)),
            ("2.", Ok(2_000_000_000)),
            ("1.000000000000", Ok(1_000_000_000)),
            ("0.000000001", Ok(1)),
            ("-1", Ok(-1_000_000_000)),
            ("0.0000000001", Err("value is too precise")),
            ("x", Err("failed to parse x as a rational number")),
            ("", Err("failed to parse  as a rational number")),
            (".", Err("failed to parse . as a rational number")),
            ("1.2.3", Err("failed to parse 1.2.3 as a rational number")),
        ] {
            assert_eq!(nano_cpus(text).map_err(|e| e.to_string()), want.map_err(str::to_owned), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(nanos in 0_i64..) {
            let text = format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
            prop_assert_eq!(nano_cpus(&text), Ok(nanos));
            prop_assert_eq!(nano_cpus(&format!("-{text}")), Ok(-nanos));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[-+.0-9e]{0,24}") {
            let _ = nano_cpus(&text);
        }
    }
}
