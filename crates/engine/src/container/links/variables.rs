//! The variables that tell a process of the containers that it is linked to: `DB_PORT_5432_TCP_ADDR=...`.

use super::Linked;
use crate::container::{Exposed, Port, Protocol};
use std::net::Ipv4Addr;

/// Those about one container, for one that is called `by`. Names and order are Docker's.
pub(super) fn about(by: &str, linked: &Linked) -> Vec<String> {
    let config = &linked.container.config;
    let mut ports: Vec<Port> = config.exposed_ports.iter().filter_map(Exposed::port).collect();
    ports.sort_by_key(|port| (port.protocol != Protocol::Tcp, port.protocol.to_string(), port.number));
    let prefix = linked.alias.replace('-', "_").to_uppercase();
    let mut all = Vec::new();
    if let Some(first) = ports.first() {
        all.push(format!("{prefix}_PORT={}", at(first, linked.address)));
    }
    for ports in ports.chunk_by(|a, b| a.protocol == b.protocol) {
        all.extend(ports.iter().flat_map(|port| single(&prefix, port, linked.address)));
        let ranges = ports.chunk_by(|a, b| a.number.checked_add(1) == Some(b.number));
        all.extend(ranges.flat_map(|ports| range(&prefix, ports, linked.address)));
    }
    all.push(format!("{prefix}_NAME=/{by}/{}", linked.alias));
    all.extend(config.env.iter().filter_map(|variable| own(&prefix, variable)));
    all
}

fn at(port: &Port, address: Ipv4Addr) -> String {
    format!("{}://{address}:{}", port.protocol, port.number)
}

fn single(prefix: &str, port: &Port, address: Ipv4Addr) -> [String; 4] {
    let of = format!("{prefix}_PORT_{}_{}", port.number, port.protocol.to_string().to_uppercase());
    [
        format!("{of}={}", at(port, address)),
        format!("{of}_ADDR={address}"),
        format!("{of}_PORT={}", port.number),
        format!("{of}_PROTO={}", port.protocol),
    ]
}

/// Ports that follow each other.
fn range(prefix: &str, ports: &[Port], address: Ipv4Addr) -> Vec<String> {
    let [first, .., last] = ports else { return Vec::new() };
    let of = format!("{prefix}_PORT_{}_{}", first.number, first.protocol.to_string().to_uppercase());
    vec![
        format!("{of}_START={}", at(first, address)),
        format!("{of}_PORT_START={}", first.number),
        format!("{of}_END={}", at(last, address)),
        format!("{of}_PORT_END={}", last.number),
    ]
}

/// A variable of the other container, but for those that each has.
fn own(prefix: &str, variable: &str) -> Option<String> {
    let (name, value) = variable.split_once('=')?;
    (!matches!(name, "HOME" | "PATH")).then(|| format!("{prefix}_ENV_{name}={value}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::{Config, Container};
    use sampan_spec::{ContainerId, Timestamp};
    use std::sync::Arc;

    #[test]
    fn names_and_order_are_dockers() {
        let ports = ["53/udp", "80/tcp", "81/tcp", "53/tcp"].map(Exposed::from);
        let env = ["A=1", "B", "PATH=/bin"].map(str::to_owned).to_vec();
        let container = Container {
            id: ContainerId::from_bytes([1; 32]),
            name: "db".into(),
            created: Timestamp::UNIX_EPOCH,
            image: format!("sha256:{}", "0a".repeat(32)).parse().unwrap(),
            config: Config { exposed_ports: ports.into(), env, ..Config::default() },
            mounts: Vec::new(),
            revision: 0,
        };
        let address = Ipv4Addr::new(10, 0, 0, 2);
        let linked = Linked { alias: "my-db".into(), address, container: Arc::new(container) };
        let mut want = vec!["PORT=tcp://10.0.0.2:53".to_owned()];
        for (port, proto) in [(53, "tcp"), (80, "tcp"), (81, "tcp"), (53, "udp")] {
            if proto == "udp" {
                want.extend(
                    ["START=tcp://10.0.0.2:80", "PORT_START=80", "END=tcp://10.0.0.2:81", "PORT_END=81"]
                        .map(|end| format!("PORT_80_TCP_{end}")),
                );
            }
            let of = format!("PORT_{port}_{}", proto.to_uppercase());
            want.push(format!("{of}={proto}://10.0.0.2:{port}"));
            want.push(format!("{of}_ADDR=10.0.0.2"));
            want.push(format!("{of}_PORT={port}"));
            want.push(format!("{of}_PROTO={proto}"));
        }
        want.extend(["NAME=/web/my-db".to_owned(), "ENV_A=1".to_owned()]);
        let want: Vec<String> = want.iter().map(|end| format!("MY_DB_{end}")).collect();
        assert_eq!(about("web", &linked), want);
    }
}
