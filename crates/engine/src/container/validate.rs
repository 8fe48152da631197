//! What can never work is refused before anything is made.

use super::{Config, capability};
use crate::{Error, Result};
use sampan_spec::Signal;

/// The least memory that a container can be limited to, in bytes, as with Docker.
const MEMORY_MIN: u64 = 6 << 20;
/// Refuses a configuration, the image's merged in, that no container can have.
pub(super) fn validate(config: &Config) -> Result<()> {
    let invalid = |text: String| Err(Error::InvalidParameter(text));
    if config.command().is_empty() {
        return Err(Error::NoCommand);
    }
    if !config.working_dir.is_empty() && !config.working_dir.starts_with('/') {
        return invalid(format!(
            "the working directory '{}' is invalid, it needs to be an absolute path",
            config.working_dir
        ));
    }
    if !config.stop_signal.is_empty() && config.stop_signal.parse::<Signal>().is_err() {
        return invalid(format!("invalid signal: {}", config.stop_signal));
    }
    let resources = &config.host.resources;
    if resources.memory.is_some_and(|bytes| bytes < MEMORY_MIN) {
        return invalid("Minimum memory limit allowed is 6MB".into());
    }
    if resources
        .memory_swap
        .zip(resources.memory)
        .is_some_and(|(swap, memory)| swap >= 0 && (swap as u64) < memory)
    {
        return invalid("Minimum memoryswap limit should be larger than memory limit, see usage".into());
    }
    capability::resolve(&config.host.cap_add, &config.host.cap_drop)?;
    validate_log(config)
}

fn validate_log(config: &Config) -> Result<()> {
    let log = &config.host.log;
    if !matches!(log.driver.as_str(), "json-file" | "none") {
        let text = format!("error looking up logging plugin {0}: plugin {0:?} not found", log.driver);
        return Err(Error::InvalidParameter(text));
    }
    let known = ["max-size", "max-file", "compress", "labels", "labels-regex", "env", "env-regex", "tag"];
    match log.options.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => {
            Err(Error::InvalidParameter(format!("unknown log opt '{name}' for {} log driver", log.driver)))
        }
        None => Ok(()),
    }
}
