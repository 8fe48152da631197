//! `HEALTHCHECK`: options, then `NONE` or `CMD` and a command.

use super::{Error, json_list};
use crate::config::Healthcheck;
use sampan_spec::parse_duration;

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
    let time = parse_duration(value).ok().filter(|time| *time == 0 || *time >= MIN);
    *field = time.ok_or_else(|| wrong("Invalid duration"))?;
    Ok(())
}

/// Docker takes no shorter time than a millisecond.
const MIN: i64 = 1_000_000;
