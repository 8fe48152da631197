//! From a create request to an engine's configuration, with Docker's complaints.

mod host;
mod isolation;
mod names;
mod network;
mod resources;

use super::{health, unsupported};
use crate::error::Error;
use crate::request::typed;
use network::place_in_network;
use sampan_api::body::{ContainerConfig, ContainerCreate, HostConfig};
use sampan_engine::container::{Attach, Config, Exposed, HostConfig as EngineHost, Resources, Update};
use serde_json::Value;

/// Reads a create request's body. `processors` is how many the host has.
///
/// # Errors
/// When a field has the wrong type, cannot ever be right, or asks for what this engine cannot do.
pub(crate) fn config(body: Value, processors: usize) -> Result<Config, Error> {
    if body.as_object().map_or(body.is_null(), serde_json::Map::is_empty) {
        return invalid("config cannot be empty in order to create a container".into());
    }
    unsupported::refuse(&body)?;
    let ContainerCreate { config, host_config, networking_config } = typed(body)?;
    let endpoints = networking_config.and_then(|config| config.endpoints_config).unwrap_or_default();
    let place = place_in_network(&host_config.network_mode, endpoints, &config.mac_address)?;
    let host = host::host(host_config, place, processors)?;
    container(config, host)
}

/// Reads the limits and the restart policy of an update; what is 0 or empty stays.
///
/// # Errors
/// When a value can never be right.
pub(crate) fn update(body: &HostConfig, processors: usize) -> Result<Update, Error> {
    // Memory and swap are checked against what the container has.
    let alone = HostConfig { memory_swap: 0, ..body.clone() };
    let swap = Some(body.memory_swap).filter(|swap| *swap != 0);
    let limits = Resources { memory_swap: swap, pids: None, ..resources::resources(&alone, processors)? };
    let pids = body.pids_limit.map(|limit| u64::try_from(limit).ok().filter(|limit| *limit > 0));
    let restart = match body.restart_policy.name.as_str() {
        "" => None,
        _ => Some(host::restart(&body.restart_policy)?),
    };
    if body.nano_cpus > 0 && body.cpu_quota > 0 {
        return invalid("Conflicting options: Nano CPUs and CPU Quota cannot both be set".into());
    }
    if body.nano_cpus > 0 && body.cpu_period > 0 {
        return invalid("Conflicting options: Nano CPUs and CPU Period cannot both be set".into());
    }
    Ok(Update { limits, pids, restart })
}

fn container(config: ContainerConfig, host: EngineHost) -> Result<Config, Error> {
    let ports = config.exposed_ports.unwrap_or_default();
    Ok(Config {
        image: config.image,
        entrypoint: config.entrypoint,
        cmd: config.cmd,
        env: variables(config.env.unwrap_or_default())?,
        working_dir: config.working_dir,
        user: config.user,
        hostname: config.hostname,
        domainname: config.domainname,
        tty: config.tty,
        open_stdin: config.open_stdin,
        stdin_once: config.stdin_once,
        attach: Attach {
            stdin: config.attach_stdin,
            stdout: config.attach_stdout,
            stderr: config.attach_stderr,
        },
        labels: config.labels.unwrap_or_default(),
        exposed_ports: ports.keys().map(|text| Exposed::from(text.as_str())).collect(),
        volumes: config.volumes.unwrap_or_default().into_keys().collect(),
        stop_signal: config.stop_signal,
        stop_timeout: config.stop_timeout,
        health: config.healthcheck.map(health::check),
        shell: config.shell.filter(|shell| !shell.is_empty()),
        host,
    })
}

fn variables(env: Vec<String>) -> Result<Vec<String>, Error> {
    match env.iter().find(|variable| variable.is_empty() || variable.starts_with('=')) {
        Some(variable) => invalid(format!("invalid environment variable: {variable}")),
        None => Ok(env),
    }
}

fn invalid<T>(text: String) -> Result<T, Error> {
    Err(Error::Invalid(text))
}

#[cfg(test)]
mod tests;
