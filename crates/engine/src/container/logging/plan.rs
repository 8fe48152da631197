//! A container's log as its monitor is to keep it.

use super::attributes::attributes;
use super::values::{number, size, truth};
use crate::container::{Container, LogConfig};
use crate::paths::ContainerPaths;
use crate::{Error, Result};
use sampan_spec::bundle::{Log, LogFormat};
use std::path::PathBuf;

/// What `local` keeps where nothing else is asked for.
const LOCAL_SIZE: u64 = 20_000_000;
const LOCAL_FILES: i64 = 5;

/// Reads the options.
///
/// # Errors
/// [`Error::Logging`]: a value cannot be meant.
pub(in crate::container) fn plan(container: &Container, paths: &ContainerPaths) -> Result<Option<Log>> {
    let log = &container.config.host.log;
    let path = path(log, paths);
    let planned = match log.driver.as_str() {
        "none" => return Ok(None),
        "local" => local(log, path),
        _ => json_file(log, path).and_then(|log| Ok(Log { attributes: attributes(container)?, ..log })),
    };
    planned.map(Some).map_err(Error::Logging)
}

/// Where a container's log is.
pub(in crate::container) fn path(log: &LogConfig, paths: &ContainerPaths) -> PathBuf {
    match log.driver.as_str() {
        "local" => paths.local_log(),
        _ => paths.json_log(),
    }
}

fn json_file(log: &LogConfig, path: PathBuf) -> std::result::Result<Log, String> {
    let option = |name: &str| log.options.get(name);
    let max_size = option("max-size").map(|text| size(text)).transpose()?;
    if max_size == Some(0) {
        return Err("max-size must be a positive number".into());
    }
    let files = option("max-file").map_or(Ok(1), |text| number(text))?;
    if files < 1 {
        return Err("max-file cannot be less than 1".into());
    }
    let compress = option("compress").map_or(Ok(false), |text| truth(text))?;
    if compress && (files == 1 || max_size.is_none()) {
        return Err("compress cannot be true when max-file is less than 2 or max-size is not set".into());
    }
    Ok(planned(LogFormat::JsonFile, path, max_size, files, compress))
}

fn local(log: &LogConfig, path: PathBuf) -> std::result::Result<Log, String> {
    let option = |name: &str| log.options.get(name);
    let max_size = option("max-size").map_or(Ok(LOCAL_SIZE), |text| {
        size(text).map_err(|error| format!("invalid value for max-size: {text}: {error}"))
    })?;
    let files = option("max-file").map_or(Ok(LOCAL_FILES), |text| {
        number(text).map_err(|error| format!("invalid value for max-file: {text}: {error}"))
    })?;
    let compress = option("compress").map_or(Ok(true), |text| {
        truth(text).map_err(|error| format!("error reading compress log option: {error}"))
    })?;
    if files < 0 {
        return Err("max file count cannot be less than 1".into());
    }
    if compress && files <= 1 {
        return Err("compression cannot be enabled when max file count is 1".into());
    }
    Ok(planned(LogFormat::Local, path, Some(max_size.max(1)), files, compress))
}

fn planned(format: LogFormat, path: PathBuf, max_size: Option<u64>, files: i64, compress: bool) -> Log {
    let max_files = u32::try_from(files).unwrap_or(u32::MAX).max(1);
    Log { format, path, max_size, max_files, compress, attributes: [].into() }
}
