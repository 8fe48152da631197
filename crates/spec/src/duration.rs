//! Durations as Go's programs read and write them: `1h30m`, `1.5s`, `300ms`. Docker's flags, images and messages have them.

use std::time::Duration;

/// A string is no duration. The texts are Go's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseDurationError {
    /// It has no numbers where they should be, or is too long a time.
    #[error("time: invalid duration {0:?}")]
    Invalid(String),
    /// A number stands alone.
    #[error("time: missing unit in duration {0:?}")]
    NoUnit(String),
    /// A number has a unit that there is not.
    #[error("time: unknown unit {unit:?} in duration {text:?}")]
    Unit {
        /// The unit.
        unit: String,
        /// The whole.
        text: String,
    },
}

/// Reads numbers with units `h`, `m`, `s`, `ms`, `us`, `ns`, or a lone `0`, with a sign or none. Gives nanoseconds.
///
/// # Errors
/// When the text is anything else, or more than 292 years.
pub fn parse_duration(text: &str) -> Result<i64, ParseDurationError> {
    let invalid = || ParseDurationError::Invalid(text.to_owned());
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if unsigned == "0" {
        return Ok(0);
    }
    let (mut rest, mut total) = (unsigned, 0_i64);
    if rest.is_empty() {
        return Err(invalid());
    }
    while !rest.is_empty() {
        let (number, behind) = split(rest, |c| c.is_ascii_digit() || c == '.');
        let (unit, behind) = split(behind, |c| !c.is_ascii_digit() && c != '.');
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
            return Err(invalid());
        }
        let unit = nanoseconds_of(unit, text)?;
        let part = whole_part(whole, unit).and_then(|part| part.checked_add(fraction_part(fraction, unit)));
        total = part.and_then(|part| total.checked_add(part)).ok_or_else(invalid)?;
        rest = behind;
    }
    Ok(if text.starts_with('-') { -total } else { total })
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

fn nanoseconds_of(unit: &str, text: &str) -> Result<i64, ParseDurationError> {
    Ok(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "" => return Err(ParseDurationError::NoUnit(text.to_owned())),
        unit => return Err(ParseDurationError::Unit { unit: unit.to_owned(), text: text.to_owned() }),
    })
}

fn whole_part(digits: &str, unit: i64) -> Option<i64> {
    if digits.is_empty() { Some(0) } else { digits.parse::<i64>().ok()?.checked_mul(unit) }
}

/// What is less than a nanosecond is cut off. Less than a unit always fits.
fn fraction_part(digits: &str, unit: i64) -> i64 {
    let mut scale = unit as f64;
    let mut sum = 0.0;
    for digit in digits.bytes() {
        scale /= 10.0;
        sum += f64::from(digit - b'0') * scale;
    }
    // A sum of decimals that is a whole number is often a little less.
    (sum + 1e-6) as i64
}

/// Writes a duration: `1m30s`, `1.5s`, `300ms`, `0s`.
pub fn format_duration(duration: Duration) -> String {
    let nanoseconds = duration.as_nanos();
    for (unit, name) in [(1_000, "ns"), (1_000_000, "µs"), (1_000_000_000, "ms")] {
        if nanoseconds > 0 && nanoseconds < unit {
            return format!("{}{name}", decimal(nanoseconds, unit / 1_000));
        }
    }
    let (minutes, seconds) = (nanoseconds / 60_000_000_000, nanoseconds % 60_000_000_000);
    let seconds = decimal(seconds, 1_000_000_000);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// `value / unit`, exactly; units are powers of ten.
fn decimal(value: u128, unit: u128) -> String {
    let (whole, rest) = (value / unit, value % unit);
    if rest == 0 {
        return whole.to_string();
    }
    let width = unit.ilog10() as usize;
    let digits = format!("{rest:0width$}");
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_read() {
        for (text, want) in [
            ("5s", Ok(5_000_000_000)),
            ("1m30s", Ok(90_000_000_000)),
            ("1.5h", Ok(5_400_000_000_000)),
            ("-300ms", Ok(-300_000_000)),
            ("+1us", Ok(1_000)),
            ("1.1s", Ok(1_100_000_000)),
            (".5s", Ok(500_000_000)),
            ("1.s", Ok(1_000_000_000)),
            ("0", Ok(0)),
            ("-0", Ok(0)),
            ("0.9ns", Ok(0)),
            ("", Err(r#"time: invalid duration """#)),
            ("-", Err(r#"time: invalid duration "-""#)),
            ("s", Err(r#"time: invalid duration "s""#)),
            (".s", Err(r#"time: invalid duration ".s""#)),
            ("1..5s", Err(r#"time: invalid duration "1..5s""#)),
            ("3000000h", Err(r#"time: invalid duration "3000000h""#)),
            ("5", Err(r#"time: missing unit in duration "5""#)),
            ("1s5", Err(r#"time: missing unit in duration "1s5""#)),
            ("5x", Err(r#"time: unknown unit "x" in duration "5x""#)),
            ("1d", Err(r#"time: unknown unit "d" in duration "1d""#)),
        ] {
            let read = parse_duration(text).map_err(|error| error.to_string());
            assert_eq!(read, want.map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn durations_are_written() {
        for (nanoseconds, want) in [
            (0, "0s"),
            (1, "1ns"),
            (1_500, "1.5µs"),
            (300_000_000, "300ms"),
            (1_000_000_000, "1s"),
            (1_050_000_000, "1.05s"),
            (90_000_000_000, "1m30s"),
            (3_600_000_000_000, "1h0m0s"),
        ] {
            assert_eq!(format_duration(Duration::from_nanos(nanoseconds)), want);
        }
    }

    proptest! {
        #[test]
        fn what_was_written_reads_back(nanoseconds in 0..i64::MAX) {
            let text = format_duration(Duration::from_nanos(nanoseconds as u64));
            let read = parse_duration(&text).unwrap();
            // Fractions are read as floating point numbers, with Go, too.
            prop_assert!(read.abs_diff(nanoseconds) <= 1, "{text} {read}");
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[-+0-9hmsunµ.x]{0,20}") {
            let _ = parse_duration(&text);
        }
    }
}
