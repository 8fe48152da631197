//! The files that tell a container its names: `hostname`, `hosts` and `resolv.conf`.

use super::resolv::ResolvConf;
use crate::container::{Container, Endpoint, HostAddress, NetworkMode};
use crate::engine::Engine;
use std::fmt::Write;
use std::net::IpAddr;

/// The servers that systemd-resolved asks itself.
const RESOLVED: &str = "/run/systemd/resolve/resolv.conf";
/// What stands in each file of hosts.
const EVERYWHERE: &str = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\n\
                          ff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n";

/// The files' names and texts, as they are before the container has a place in its network.
pub(crate) fn names_files(engine: &Engine, container: &Container) -> [(&'static str, String); 3] {
    [
        ("hostname", format!("{}\n", container.hostname())),
        ("hosts", hosts(engine, container, None)),
        ("resolv.conf", resolv_conf(engine, container)),
    ]
}

/// `/etc/hosts`, with the container's own address where it has one.
pub(super) fn hosts(engine: &Engine, container: &Container, place: Option<&Endpoint>) -> String {
    let host = &container.config.host;
    if host.network == NetworkMode::Host && host.extra_hosts.is_empty() {
        return read("/etc/hosts").unwrap_or_default();
    }
    let mut text = EVERYWHERE.to_owned();
    // Writing to a string cannot fail.
    for extra in &host.extra_hosts {
        for address in addresses(engine, extra.address) {
            let _ = writeln!(text, "{address}\t{}", extra.name);
        }
    }
    if let Some(place) = place {
        let _ = writeln!(text, "{}\t{}", place.address.address(), own_names(container));
    }
    text
}

fn own_names(container: &Container) -> String {
    let (name, domain) = (container.hostname(), &container.config.domainname);
    if domain.is_empty() { name } else { format!("{name}.{domain} {name}") }
}

fn addresses(engine: &Engine, of: HostAddress) -> Vec<IpAddr> {
    let told = &engine.options().host_gateways;
    match of {
        HostAddress::Ip(ip) => vec![ip],
        HostAddress::Gateway if told.is_empty() => vec![engine.network().link().1.address().into()],
        HostAddress::Gateway => told.clone(),
    }
}

fn resolv_conf(engine: &Engine, container: &Container) -> String {
    let own_network = container.config.host.network != NetworkMode::Host;
    let dns = container.config.host.dns.or(&engine.options().dns);
    let host = read("/etc/resolv.conf").unwrap_or_default();
    if !own_network && dns.is_empty() {
        return host;
    }
    let file = ResolvConf::of_host(&host, || read(RESOLVED));
    let file = if own_network { file.within_reach() } else { file };
    file.overridden(&dns).to_string()
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}
