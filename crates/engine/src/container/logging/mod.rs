//! Where a container's output is kept: drivers and their options, with Docker's complaints. What a driver is called and
//! which options it has is looked at when a container is created, what the options say when it starts.

mod attributes;
mod plan;
mod values;

pub(super) use plan::{path, plan};

use super::LogConfig;
use crate::{Error, Result};
use sampan_spec::parse_size;

/// The drivers that there are, besides `none`.
pub const LOG_DRIVERS: [&str; 2] = ["json-file", "local"];

const OPTIONS_OF_ALL: [&str; 2] = ["mode", "max-buffer-size"];
const JSON_FILE_OPTIONS: [&str; 8] =
    ["max-file", "max-size", "compress", "labels", "labels-regex", "env", "env-regex", "tag"];
const LOCAL_OPTIONS: [&str; 3] = ["max-file", "max-size", "compress"];

/// The engine's own driver where none is named, with the engine's options where it is that driver.
pub(super) fn complete(log: &mut LogConfig, default: &LogConfig) {
    if log.driver.is_empty() {
        log.driver.clone_from(&default.driver);
    }
    if log.driver == default.driver {
        for (name, value) in &default.options {
            log.options.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
}

/// Refuses drivers and options that do not exist.
///
/// # Errors
/// [`Error::InvalidParameter`].
pub fn check_logging(log: &LogConfig) -> Result<()> {
    let invalid = |text: String| Err(Error::InvalidParameter(text));
    let (known, wording): (&[&str], _) = match log.driver.as_str() {
        "none" => return Ok(()),
        "json-file" => (&JSON_FILE_OPTIONS, "json-file log driver"),
        "local" => (&LOCAL_OPTIONS, "log driver local"),
        other => {
            return invalid(format!("error looking up logging plugin {other}: plugin {other:?} not found"));
        }
    };
    let mode = log.options.get("mode").map_or("", String::as_str);
    if !matches!(mode, "" | "blocking" | "non-blocking") {
        return invalid(format!("logger: logging mode not supported: {mode}"));
    }
    if let Some(size) = log.options.get("max-buffer-size") {
        if mode != "non-blocking" {
            let text = "logger: max-buffer-size option is only supported with 'mode=non-blocking'";
            return invalid(text.to_owned());
        }
        if let Err(error) = parse_size(size) {
            return invalid(format!("error parsing option max-buffer-size: {error}"));
        }
    }
    let mut names = log.options.keys().map(String::as_str);
    match names.find(|name| !known.contains(name) && !OPTIONS_OF_ALL.contains(name)) {
        Some(name) => invalid(format!("unknown log opt '{name}' for {wording}")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
