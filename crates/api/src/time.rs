//! Points in time as people give them: `--since`, `--until`, and the filters of those names.

use jiff::{SignedDuration, Timestamp};
use sampan_spec::parse_duration;

/// A string is no point in time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to parse value as time or duration: {0:?}")]
pub struct TimeError(String);

/// Reads `42m`, `1h30m` (so long before `now`), seconds since 1970 with a fraction, or a date with or without a time, in
/// UTC where it names no zone. Gives seconds since 1970 with nine digits behind the point, as the API takes them.
///
/// # Errors
/// When it is none of these.
pub fn point_in_time(text: &str, now: Timestamp) -> Result<String, TimeError> {
    if is_seconds(text) {
        return Ok(text.to_owned());
    }
    let ago = parse_duration(text).ok().map(SignedDuration::from_nanos);
    let point = ago.and_then(|ago| now.checked_sub(ago).ok()).or_else(|| date(text));
    let point = point.ok_or_else(|| TimeError(text.to_owned()))?;
    let nanos = point.as_nanosecond();
    let second = 1_000_000_000;
    Ok(format!("{}.{:09}", nanos.div_euclid(second), nanos.rem_euclid(second)))
}

/// The same as whole seconds since 1970.
///
/// # Errors
/// As [`point_in_time`].
pub fn seconds(text: &str, now: Timestamp) -> Result<i64, TimeError> {
    let point = point_in_time(text, now)?;
    let whole = point.split('.').next().and_then(|whole| whole.parse().ok());
    whole.ok_or_else(|| TimeError(text.to_owned()))
}

fn is_seconds(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    [whole, fraction].iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

fn date(text: &str) -> Option<Timestamp> {
    let is_date = text.starts_with(|c: char| c.is_ascii_digit());
    let forms = [text.to_owned(), format!("{text}Z"), format!("{text}:00Z"), format!("{text}T00:00:00Z")];
    forms.iter().filter(|_| is_date).find_map(|form| form.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn points() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        for (text, want) in [
            ("42m", Some("997480.000000000")),
            ("1h30m", Some("994600.000000000")),
            ("1.5s", Some("999998.500000000")),
            ("1136073600", Some("1136073600")),
            ("1136073600.000000001", Some("1136073600.000000001")),
            ("2006-01-02", Some("1136160000.000000000")),
            ("2006-01-02T15:04:05", Some("1136214245.000000000")),
            ("2006-01-02T15:04", Some("1136214240.000000000")),
            ("2006-01-02T15:04:05Z", Some("1136214245.000000000")),
            ("2006-01-02T15:04:05.5+01:00", Some("1136210645.500000000")),
            ("nonsense", None),
            ("5x", None),
            ("5", Some("5")),
            ("", None),
        ] {
            assert_eq!(point_in_time(text, now).ok().as_deref(), want, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[0-9hmsun.:TZ+-]{0,20}") {
            let _ = point_in_time(&text, Timestamp::UNIX_EPOCH);
        }
    }
}
