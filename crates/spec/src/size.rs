//! Sizes in bytes as people type and read them.

/// A string is not a size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid size: '{0}'")]
pub struct ParseSizeError(pub String);

/// Reads `512`, `64m`, `1.5g`, `2GiB`: binary units, as `docker run --memory` takes them.
///
/// # Errors
/// When the text is no number with an optional unit of b, k, m, g, t or p, or is negative.
pub fn parse_size(text: &str) -> Result<u64, ParseSizeError> {
    parse(text, 1024.0)
}

/// Reads the same with decimal units, as `docker run --log-opt max-size` takes them.
///
/// # Errors
/// As [`parse_size`].
pub fn parse_decimal_size(text: &str) -> Result<u64, ParseSizeError> {
    parse(text, 1000.0)
}

fn parse(text: &str, unit_size: f64) -> Result<u64, ParseSizeError> {
    let fail = || ParseSizeError(text.to_owned());
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..digits].parse().map_err(|_| fail())?;
    let unit = text[digits..].trim_start().to_ascii_lowercase();
    let power = match unit.strip_suffix("ib").or(unit.strip_suffix('b')).unwrap_or(&unit) {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return Err(fail()),
    };
    let bytes = number * unit_size.powi(power);
    if bytes.is_finite() && bytes < u64::MAX as f64 { Ok(bytes as u64) } else { Err(fail()) }
}

/// Writes a size as `docker images` does: decimal units, three significant digits.
pub fn format_size(bytes: u64) -> String {
    format(bytes, 1000.0, DECIMAL, 3)
}

/// Writes a size as bars of progress do: decimal units, four significant digits.
pub fn long_size(bytes: u64) -> String {
    format(bytes, 1000.0, DECIMAL, 4)
}

/// Writes a size as `docker info` writes memory: binary units, four significant digits.
pub fn format_binary_size(bytes: u64) -> String {
    format(bytes, 1024.0, ["B", "KiB", "MiB", "GiB", "TiB", "PiB"], 4)
}

const DECIMAL: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];

fn format(bytes: u64, base: f64, units: [&str; 6], digits: usize) -> String {
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= base && unit < units.len() - 1 {
        value /= base;
        unit += 1;
    }
    format!("{}{}", significant(value, digits), units[unit])
}

/// `value` with this many significant digits and no trailing zeros, like C's `%.3g` for values below 1000.
fn significant(value: f64, digits: usize) -> String {
    let whole = if value < 1.0 { 1 } else { value.log10() as usize + 1 };
    let text = format!("{value:.*}", digits.saturating_sub(whole));
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        for (text, want) in [
            ("0", Some(0)),
            ("512", Some(512)),
            ("64m", Some(64 << 20)),
            ("64M", Some(64 << 20)),
            ("1.5g", Some(3 << 29)),
            ("2GiB", Some(2 << 30)),
            ("10 kb", Some(10240)),
            ("", None),
            ("m", None),
            ("-1", None),
            ("1x", None),
            ("1..5g", None),
            ("99999999999p", None),
        ] {
            assert_eq!(parse_size(text).ok(), want, "{text}");
        }
    }

    #[test]
    fn sizes_are_written() {
        for (bytes, want) in [
            (0, "0B"),
            (999, "999B"),
            (1000, "1kB"),
            (1234, "1.23kB"),
            (4_261_550, "4.26MB"),
            (123_456_789, "123MB"),
        ] {
            assert_eq!(format_size(bytes), want);
        }
    }

    #[test]
    fn binary_sizes() {
        for (bytes, want) in [(0, "0B"), (1024, "1KiB"), (25_280_000_000, "23.54GiB"), (1536 << 20, "1.5GiB")]
        {
            assert_eq!(format_binary_size(bytes), want);
        }
    }
}
