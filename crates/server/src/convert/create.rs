//! From a create request to an engine's configuration, with Docker's complaints.

use super::unsupported;
use crate::error::Error;
use crate::request::typed;
use sampan_api::body::{ContainerConfig, ContainerCreate, Endpoint, HostConfig, PortMap, RestartPolicy};
use sampan_engine::container::{
    Attach, Bind, Config, HostConfig as EngineHost, LogConfig, NetworkMode, Port, PortBinding, Resources,
};
use sampan_spec::bundle::Restart;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The networks that always exist.
const BUILT_IN: [&str; 3] = ["bridge", "host", "none"];
const BILLION: i64 = 1_000_000_000;

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
    let network = network_mode(&host_config.network_mode)?;
    let endpoints = networking_config.and_then(|config| config.endpoints_config).unwrap_or_default();
    refuse_endpoints(&endpoints, &host_config.network_mode)?;
    let host = host(host_config, network, processors)?;
    container(config, host)
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
        exposed_ports: ports.keys().map(|text| port(text)).collect::<Result<BTreeSet<Port>, Error>>()?,
        volumes: BTreeSet::new(),
        stop_signal: config.stop_signal,
        stop_timeout: config.stop_timeout,
        host,
    })
}

fn host(host: HostConfig, network: NetworkMode, processors: usize) -> Result<EngineHost, Error> {
    let resources = resources(&host, processors)?;
    let restart = restart(&host.restart_policy)?;
    if host.auto_remove && restart != Restart::No {
        return invalid("can't create 'AutoRemove' container with restart policy".into());
    }
    let driver =
        if host.log_config.r#type.is_empty() { LogConfig::default().driver } else { host.log_config.r#type };
    let [rows, columns] = host.console_size.map(|size| u16::try_from(size).unwrap_or(0));
    Ok(EngineHost {
        binds: binds(host.binds.unwrap_or_default())?,
        resources,
        network,
        ports: ports(host.port_bindings.unwrap_or_default())?,
        auto_remove: host.auto_remove,
        restart,
        log: LogConfig { driver, options: host.log_config.config.unwrap_or_default() },
        cap_add: host.cap_add.unwrap_or_default(),
        cap_drop: host.cap_drop.unwrap_or_default(),
        read_only: host.readonly_rootfs,
        console_size: (rows, columns),
    })
}

fn resources(host: &HostConfig, processors: usize) -> Result<Resources, Error> {
    if host.memory < 0 {
        return invalid("Minimum memory limit allowed is 6MB".into());
    }
    if host.memory == 0 && host.memory_swap > 0 {
        return invalid(
            "You should always set the Memory limit when using Memoryswap limit, see usage".into(),
        );
    }
    let most = i64::try_from(processors).unwrap_or(1).saturating_mul(BILLION);
    if host.nano_cpus < 0 || host.nano_cpus > most {
        return invalid(format!(
            "range of CPUs is from 0.01 to {processors}.00, as there are only {processors} CPUs available"
        ));
    }
    let some = |value: i64| u64::try_from(value).ok().filter(|value| *value > 0);
    let memory_swap = match (host.memory_swap, host.memory) {
        (0, 0) => None,
        // As much swap as memory, as with Docker.
        (0, memory) => Some(memory.saturating_mul(2)),
        (given, _) => Some(given),
    };
    Ok(Resources {
        memory: some(host.memory),
        memory_swap,
        nano_cpus: some(host.nano_cpus),
        pids: host.pids_limit.and_then(some),
    })
}

fn restart(policy: &RestartPolicy) -> Result<Restart, Error> {
    let count = policy.maximum_retry_count;
    let name = policy.name.as_str();
    match name {
        "always" | "unless-stopped" | "no" if count != 0 => {
            let mut text =
                "invalid restart policy: maximum retry count can only be used with 'on-failure'".to_owned();
            if count < 0 {
                text += " and cannot be negative";
            }
            invalid(text)
        }
        "on-failure" if count < 0 => {
            invalid("invalid restart policy: maximum retry count cannot be negative".into())
        }
        "" | "no" => Ok(Restart::No),
        "always" => Ok(Restart::Always),
        "unless-stopped" => Ok(Restart::UnlessStopped),
        "on-failure" => Ok(Restart::OnFailure { max_retries: u32::try_from(count).unwrap_or(u32::MAX) }),
        _ => invalid(format!(
            "invalid restart policy: unknown policy '{name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
        )),
    }
}

fn network_mode(name: &str) -> Result<NetworkMode, Error> {
    match name {
        "" | "default" | "bridge" => Ok(NetworkMode::Bridge),
        "host" => Ok(NetworkMode::Host),
        "none" => Ok(NetworkMode::None),
        _ if name.starts_with("container:") => {
            Err(Error::unsupported("HostConfig.NetworkMode \"container:\""))
        }
        _ => Err(Error::NoSuchNetwork(name.to_owned())),
    }
}

/// Clients name the one network here again; wishes for it cannot be honoured.
fn refuse_endpoints(endpoints: &BTreeMap<String, Endpoint>, mode: &str) -> Result<(), Error> {
    for (name, endpoint) in endpoints {
        if name != mode && name != "default" && !BUILT_IN.contains(&name.as_str()) {
            return Err(Error::NoSuchNetwork(name.clone()));
        }
        let same = |a: &str, b: &str| a == b || (is_default(a) && is_default(b));
        if !same(name, mode) || *endpoint != Endpoint::default() {
            return Err(Error::unsupported(format!("NetworkingConfig.EndpointsConfig.{name}")));
        }
    }
    Ok(())
}

fn is_default(network: &str) -> bool {
    matches!(network, "" | "default" | "bridge")
}

fn variables(env: Vec<String>) -> Result<Vec<String>, Error> {
    match env.iter().find(|variable| variable.is_empty() || variable.starts_with('=')) {
        Some(variable) => invalid(format!("invalid environment variable: {variable}")),
        None => Ok(env),
    }
}

fn port(text: &str) -> Result<Port, Error> {
    text.parse().map_err(|_| Error::Invalid(format!("invalid port specification: {text:?}")))
}

fn ports(map: PortMap) -> Result<BTreeMap<Port, Vec<PortBinding>>, Error> {
    let bindings = |text: &str, bindings: Option<Vec<sampan_api::body::PortBinding>>| {
        // Published without a place: any port of all addresses.
        let places = bindings.filter(|places| !places.is_empty()).unwrap_or_else(|| vec![Default::default()]);
        let places = places.iter().map(place).collect::<Result<_, _>>()?;
        Ok((port(text)?, places))
    };
    map.into_iter().map(|(text, places)| bindings(&text, places)).collect()
}

fn place(binding: &sampan_api::body::PortBinding) -> Result<PortBinding, Error> {
    let ip = binding.host_ip.as_str();
    let address = match ip.parse() {
        _ if ip.is_empty() => None,
        Ok(IpAddr::V4(address)) => Some(address),
        Ok(IpAddr::V6(_)) => return Err(Error::unsupported("HostConfig.PortBindings with an IPv6 address")),
        Err(_) => return invalid(format!("invalid IP address {ip:?} in HostConfig.PortBindings")),
    };
    Ok(PortBinding { address, ports: host_ports(&binding.host_port)? })
}

/// `8080`, `8000-8100`; nothing or `0` for any that is free.
fn host_ports(text: &str) -> Result<Option<(u16, u16)>, Error> {
    let wrong = || Error::Invalid(format!("invalid port specification: {text:?}"));
    if matches!(text, "" | "0") {
        return Ok(None);
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| text.parse::<u16>().ok().filter(|number| *number > 0);
    let range = number(first).zip(number(last)).filter(|(first, last)| first <= last);
    range.map(Some).ok_or_else(wrong)
}

fn binds(all: Vec<String>) -> Result<Vec<Bind>, Error> {
    let mut binds: Vec<Bind> = Vec::with_capacity(all.len());
    for text in all {
        let bind = bind(&text)?;
        if binds.iter().any(|other| other.destination == bind.destination) {
            return invalid(format!("Duplicate mount point: {}", bind.destination));
        }
        binds.push(bind);
    }
    Ok(binds)
}

fn bind(text: &str) -> Result<Bind, Error> {
    let wrong = || Error::Invalid(format!("invalid volume specification: '{text}'"));
    let parts: Vec<&str> = text.split(':').collect();
    let (source, destination, options) = match parts[..] {
        [source, destination] => (source, destination, ""),
        [source, destination, options] => (source, destination, options),
        [path] if path.starts_with('/') => {
            return Err(Error::unsupported(format!("HostConfig.Binds with an anonymous volume ({path})")));
        }
        _ => return Err(wrong()),
    };
    if source.is_empty() || destination.is_empty() {
        return Err(wrong());
    }
    if !source.starts_with('/') {
        return Err(no_path(source));
    }
    let options: Vec<String> =
        options.split(',').filter(|option| !option.is_empty()).map(str::to_owned).collect();
    let unknown = |option: &&String| !MODES.contains(&option.as_str());
    let several = ["ro", "rw"].iter().all(|mode| options.iter().any(|option| option == mode));
    if several || options.iter().any(|option| unknown(&option)) {
        return invalid(format!("invalid mode: {}", options.join(",")));
    }
    let destination = destination.trim_end_matches('/');
    let destination = if destination.is_empty() { "/" } else { destination };
    Ok(Bind { source: source.to_owned(), destination: destination.to_owned(), options })
}

/// What may stand behind the second colon. `z` and `Z` relabel for SELinux, which means nothing where there is none.
const MODES: [&str; 15] = [
    "ro",
    "rw",
    "z",
    "Z",
    "private",
    "rprivate",
    "shared",
    "rshared",
    "slave",
    "rslave",
    "consistent",
    "cached",
    "delegated",
    "nocopy",
    "bind",
];

fn no_path(source: &str) -> Error {
    let word = |b: u8| b.is_ascii_alphanumeric();
    let mut bytes = source.bytes();
    let is_name = source.len() > 1
        && bytes.next().is_some_and(word)
        && bytes.all(|b| word(b) || matches!(b, b'_' | b'.' | b'-'));
    if is_name {
        return Error::unsupported(format!("HostConfig.Binds with a named volume ({source})"));
    }
    Error::Invalid(format!(
        "create {source}: {source:?} includes invalid characters for a local volume name, only \
         \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path"
    ))
}

fn invalid<T>(text: String) -> Result<T, Error> {
    Err(Error::Invalid(text))
}

#[cfg(test)]
mod tests;
