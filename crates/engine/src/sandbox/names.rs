//! The files that tell a container its names: `hostname`, `hosts` and `resolv.conf`.

use crate::container::{Container, Driver, Endpoint, NetworkMode, hostname};
use std::fmt::Write;

/// What a container asks when all of the host's servers are its own loopback.
const PUBLIC_SERVERS: [&str; 2] = ["8.8.8.8", "8.8.4.4"];
/// The servers that systemd-resolved asks itself; its stub on 127.0.0.53 is out of a container's reach.
const RESOLVED: &str = "/run/systemd/resolve/resolv.conf";

/// The files' names and texts.
pub(crate) fn names_files(driver: &Driver, place: Option<&Endpoint>) -> [(&'static str, String); 3] {
    let container = &driver.container;
    let own_network = container.config.host.network != NetworkMode::Host;
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let host = read("/etc/resolv.conf");
    let resolv = if own_network { resolv_conf(&host, || read(RESOLVED)) } else { host };
    let hosts_text = if own_network { hosts(container, place) } else { read("/etc/hosts") };
    [("hostname", format!("{}\n", hostname(container))), ("hosts", hosts_text), ("resolv.conf", resolv)]
}

/// `/etc/hosts`, with the container's own address where it has one.
pub(super) fn hosts(container: &Container, place: Option<&Endpoint>) -> String {
    let mut text = String::from(
        "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\n\
         ff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n",
    );
    if let Some(place) = place {
        let name = hostname(container);
        let domain = &container.config.domainname;
        let names = if domain.is_empty() { name } else { format!("{name}.{domain} {name}") };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}\t{names}", place.address.address());
    }
    text
}

/// The host's file without the servers that only the host can reach (resolv.conf(5)).
fn resolv_conf(host: &str, behind_stub: impl FnOnce() -> String) -> String {
    let is_server = |line: &&str| line.split_whitespace().next() == Some("nameserver");
    let reachable = |line: &&str| {
        let address = line.split_whitespace().nth(1).unwrap_or_default();
        !(address.starts_with("127.") || address == "::1")
    };
    let servers = |text: &str| -> Vec<String> {
        text.lines().filter(is_server).filter(reachable).map(ToOwned::to_owned).collect()
    };
    let mut kept = servers(host);
    if kept.is_empty() {
        kept = servers(&behind_stub());
    }
    if kept.is_empty() {
        kept = PUBLIC_SERVERS.map(|server| format!("nameserver {server}")).into();
    }
    let others =
        host.lines().filter(|line| !is_server(line) && !line.starts_with(['#', ';']) && !line.is_empty());
    kept.into_iter().chain(others.map(ToOwned::to_owned)).map(|line| line + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_out_of_reach_are_replaced() {
        let check = |host: &str, stub: &str, want: &str| {
            assert_eq!(resolv_conf(host, || stub.to_owned()), want, "{host}");
        };
        check("nameserver 10.0.0.1\nsearch x\n", "", "nameserver 10.0.0.1\nsearch x\n");
        check(
            "nameserver 127.0.0.53\noptions edns0\n",
            "nameserver 10.0.0.2\n",
            "nameserver 10.0.0.2\noptions edns0\n",
        );
        check("# nothing\n", "", "nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
        check("nameserver ::1\nnameserver fd00::1\n", "", "nameserver fd00::1\n");
    }
}
