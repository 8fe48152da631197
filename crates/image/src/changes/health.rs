//! `HEALTHCHECK`: options, then `NONE` or `CMD` and a command.

use super::{Error, json_list};
use crate::config::Healthcheck;

pub(super) fn parse(text: &str) -> Result<Healthcheck, Error> {
    let mut check = Healthcheck::default();
    let mut rest = text.trim_start();
    while let Some(option) = rest.strip_prefix("--") {
        let (option, behind) = option.split_once(char::is_whitespace).unwrap_or((option, ""));
        set(&mut check, option)?;
        rest = behind.trim_start();
    }
    let (kind, command) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    check.test = match kind.to_ascii_uppercase().as_str() {
        "NONE" if command.trim().is_empty() => vec!["NONE".into()],
        "CMD" => test(command.trim())?,
        _ => return Err(Error::Health { what: "Unknown type in HEALTHCHECK (try CMD)", text: kind.into() }),
    };
    Ok(check)
}

fn test(command: &str) -> Result<Vec<String>, Error> {
    if command.is_empty() {
        return Err(Error::Health { what: "Missing command after HEALTHCHECK CMD", text: String::new() });
    }
    Ok(match json_list(command) {
        Some(list) => std::iter::once("CMD".to_owned()).chain(list).collect(),
        None => vec!["CMD-SHELL".into(), command.into()],
    })
}

fn set(check: &mut Healthcheck, option: &str) -> Result<(), Error> {
    let wrong = |what| Error::Health { what, text: option.to_owned() };
    let (name, value) = option.split_once('=').ok_or_else(|| wrong("Missing a value on flag"))?;
    let field = match name {
        "interval" => &mut check.interval,
        "timeout" => &mut check.timeout,
        "start-period" => &mut check.start_period,
        "start-interval" => &mut check.start_interval,
        "retries" => {
            check.retries = value.parse::<u32>().map_err(|_| wrong("Invalid number"))?.into();
            return Ok(());
        }
        _ => return Err(wrong("Unknown flag")),
    };
    *field = nanoseconds(value).filter(|n| *n == 0 || *n >= MIN).ok_or_else(|| wrong("Invalid duration"))?;
    Ok(())
}

/// Docker takes no shorter time than a millisecond.
const MIN: i64 = 1_000_000;

/// Go's durations: `1h30m`, `1.5s`, `300ms`, `0`.
fn nanoseconds(text: &str) -> Option<i64> {
    if text == "0" {
        return Some(0);
    }
    let mut total = 0_f64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let unit_end =
            rest[digits..].find(|c: char| c.is_ascii_digit() || c == '.').map_or(rest.len(), |i| digits + i);
        let unit = match &rest[digits..unit_end] {
            "ns" => 1.0,
            "us" | "µs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            _ => return None,
        };
        total += number * unit;
        rest = &rest[unit_end..];
    }
    (!text.is_empty() && total < i64::MAX as f64).then_some(total as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, want) in [
            ("5s", Some(5_000_000_000)),
            ("1m30s", Some(90_000_000_000)),
            ("1.5h", Some(5_400_000_000_000)),
            ("300ms", Some(300_000_000)),
            ("0", Some(0)),
            ("", None),
            ("5", None),
            ("s", None),
            ("5x", None),
        ] {
            assert_eq!(nanoseconds(text), want, "{text}");
        }
    }
}
