//! Times as text and back. Lines come many a second, so the second before is remembered.

use sampan_spec::Timestamp;

/// `2025-01-02T03:04:05`.
const SECOND: usize = 19;

/// Writes times.
#[derive(Debug)]
pub(super) struct Clock {
    second: i64,
    text: Vec<u8>,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self { second: i64::MIN, text: Vec::new() }
    }

    /// Appends `time` as Go's RFC3339Nano: nine digits at most, no trailing zeros.
    pub(super) fn write(&mut self, time: Timestamp, out: &mut Vec<u8>) {
        self.second(time, out);
        let length = out.len();
        if time.subsec_nanosecond() != 0 {
            self.digits(time, out);
            let zeros = out[length..].iter().rev().take_while(|digit| **digit == b'0').count();
            out.truncate(out.len() - zeros);
        }
        out.push(b'Z');
    }

    /// Appends `time` with all nine digits, so that columns line up.
    pub(super) fn write_padded(&mut self, time: Timestamp, out: &mut Vec<u8>) {
        self.second(time, out);
        self.digits(time, out);
        out.push(b'Z');
    }

    fn second(&mut self, time: Timestamp, out: &mut Vec<u8>) {
        // Of a time before 1970, both parts are negative.
        let second = time.as_nanosecond().div_euclid(1_000_000_000) as i64;
        if second != self.second {
            self.second = second;
            let whole = Timestamp::from_second(second).unwrap_or(time);
            self.text = whole.strftime("%Y-%m-%dT%H:%M:%S").to_string().into_bytes();
        }
        out.extend_from_slice(&self.text);
    }

    fn digits(&self, time: Timestamp, out: &mut Vec<u8>) {
        let mut rest = time.as_nanosecond().rem_euclid(1_000_000_000) as u32;
        let mut digits = [b'0'; 10];
        digits[0] = b'.';
        for digit in digits[1..].iter_mut().rev() {
            *digit += (rest % 10) as u8;
            rest /= 10;
        }
        out.extend_from_slice(&digits);
    }
}

/// Reads times.
#[derive(Debug)]
pub(super) struct Reading {
    text: [u8; SECOND],
    second: i64,
}

impl Reading {
    pub(super) fn new() -> Self {
        Self { text: [0; SECOND], second: 0 }
    }

    /// The time that `text` is.
    pub(super) fn parse(&mut self, text: &[u8]) -> Option<Timestamp> {
        let Some((second, rest)) = text.split_at_checked(SECOND) else { return parse(text) };
        if second != self.text {
            let time = parse(text)?;
            if rest.last() == Some(&b'Z') && time.as_nanosecond() >= 0 {
                self.text.copy_from_slice(second);
                self.second = time.as_second();
            }
            return Some(time);
        }
        match fraction(rest) {
            Some(nanoseconds) => Timestamp::new(self.second, nanoseconds).ok(),
            None => parse(text),
        }
    }
}

fn parse(text: &[u8]) -> Option<Timestamp> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The nanoseconds in `.678Z` or `Z`.
fn fraction(text: &[u8]) -> Option<i32> {
    let digits = match text.strip_suffix(b"Z")? {
        b"" => return Some(0),
        rest => rest.strip_prefix(b".")?,
    };
    if !(1..=9).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0, |value, digit| value * 10 + i32::from(digit - b'0'));
    Some(value * 10i32.pow(9 - digits.len() as u32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_have_no_trailing_zeros() {
        for (time, want, padded) in [
            ("2025-01-02T03:04:05Z", "2025-01-02T03:04:05Z", "2025-01-02T03:04:05.000000000Z"),
            ("2025-01-02T03:04:05.1Z", "2025-01-02T03:04:05.1Z", "2025-01-02T03:04:05.100000000Z"),
            (
                "2025-01-02T03:04:05.000000009Z",
                "2025-01-02T03:04:05.000000009Z",
                "2025-01-02T03:04:05.000000009Z",
            ),
            ("2025-01-02T03:04:06.120300000Z", "2025-01-02T03:04:06.1203Z", "2025-01-02T03:04:06.120300000Z"),
            ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.500000000Z"),
        ] {
            let (mut clock, mut short, mut long) = (Clock::new(), Vec::new(), Vec::new());
            clock.write(time.parse().unwrap(), &mut short);
            clock.write_padded(time.parse().unwrap(), &mut long);
            assert_eq!(String::from_utf8(short).unwrap(), want);
            assert_eq!(String::from_utf8(long).unwrap(), padded);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(times in prop::collection::vec((-3i64..3, 0i32..1_000_000_000), 1..9)) {
            let (mut clock, mut reading) = (Clock::new(), Reading::new());
            for (second, nanosecond) in times {
                let time = Timestamp::from_nanosecond(i128::from(second) * 1_000_000_000 + i128::from(nanosecond)).unwrap();
                let mut text = Vec::new();
                clock.write(time, &mut text);
                prop_assert_eq!(reading.parse(&text), Some(time));
            }
        }

        #[test]
        fn any_text_is_a_time_or_none(texts in prop::collection::vec("2025-01-02T03:04:05[.0-9Z+:é]{0,12}", 1..5)) {
            let mut reading = Reading::new();
            reading.parse(b"2025-01-02T03:04:05Z");
            for text in texts {
                prop_assert_eq!(reading.parse(text.as_bytes()), text.parse().ok(), "{}", text);
            }
        }
    }
}
