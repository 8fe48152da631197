//! What can never work is refused before anything is made.

mod resources;

use super::oci::rlimits;
use super::{Config, HostConfig, NetworkMode, Resources, capability, devices, health, links, security};
use crate::host::Host;
use crate::{Error, Result};
use sampan_spec::Signal;

/// Refuses a configuration, the image's merged in, that no container can have.
/// Gives what the user should know of the rest.
pub(super) fn validate(config: &mut Config, host: &Host) -> Result<Vec<String>> {
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
    config.health.as_ref().map_or(Ok(()), health::validate)?;
    let mut warnings = resources::check(&mut config.host.resources, &host.limits)?;
    if config.host.network == NetworkMode::Host && !config.host.ports.is_empty() {
        warnings.push("Published ports are discarded when using host network mode".into());
    }
    privileges(&config.host)?;
    namespaces(config)?;
    super::logging::check_logging(&config.host.log)?;
    Ok(warnings)
}

/// Refuses limits that no container can have. Gives what the user should know of the rest.
pub(super) fn limits(limits: &mut Resources, host: &Host) -> Result<Vec<String>> {
    resources::check(limits, &host.limits)
}

fn privileges(host: &HostConfig) -> Result<()> {
    capability::resolve(&host.cap_add, &host.cap_drop)?;
    security::parse(&host.security_opt)?;
    host.device_rules.iter().try_for_each(|rule| devices::parse_rule(rule).map(drop))?;
    if let Some(limit) = host.ulimits.iter().find(|limit| !rlimits::is_known(&limit.name)) {
        return Err(Error::InvalidParameter(format!("invalid ulimit type: {}", limit.name)));
    }
    if !(-1000..=1000).contains(&host.oom_score_adj) {
        let text = format!("Invalid value {}, range for oom score adj is [-1000, 1000]", host.oom_score_adj);
        return Err(Error::InvalidParameter(text));
    }
    if host.cgroup_parent.split('/').any(|part| part == "..") {
        return Err(Error::InvalidParameter(format!("invalid cgroup parent: {:?}", host.cgroup_parent)));
    }
    Ok(())
}

/// What is the host's, or another container's, has its name and its network already.
fn namespaces(config: &Config) -> Result<()> {
    let host = &config.host;
    let joins = matches!(host.network, NetworkMode::Container(_));
    let conflict = [
        (host.shares_uts && !config.hostname.is_empty(), "hostname and the UTS mode"),
        (joins && !config.hostname.is_empty(), "hostname and the network mode"),
        (joins && !host.dns.servers.is_empty(), "dns and the network mode"),
        (joins && !host.extra_hosts.is_empty(), "custom host-to-IP mapping and the network mode"),
        (joins && !host.ports.is_empty(), "port publishing and the container type network mode"),
        (joins && !config.exposed_ports.is_empty(), "port exposing and the container type network mode"),
    ];
    if !host.links.is_empty() && host.network == NetworkMode::Host {
        return Err(Error::InvalidParameter(links::ON_HOST.into()));
    }
    if !host.links.is_empty() && joins {
        return Err(Error::InvalidParameter(links::ON_OTHERS.into()));
    }
    match conflict.iter().find(|(is_so, _)| *is_so) {
        Some((_, what)) => Err(Error::InvalidParameter(format!("conflicting options: {what}"))),
        None => Ok(()),
    }
}
