//! `sampan port`.

use crate::context::Context;
use crate::error::Error;
use crate::flags::Count;
use crate::format::ports::join;
use crate::format::text::natural;
use crate::print;
use crate::verb::Verb;
use sampan_api::body::{PortBinding, PortMap};

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Port {
    /// The container, and the port if only one is wanted.
    words: Vec<String>,
}

impl Verb for Port {
    const NAME: &'static str = "port";
    const ABOUT: &'static str = "List port mappings or a specific mapping for the container";
    const USAGE: &'static str = "CONTAINER [PRIVATE_PORT[/PROTO]]";
    const ALIASES: &'static [&'static str] = &["container port", "port"];
    const COUNT: Count = Count::Between(1, 2);

    fn run(self, context: &Context) -> Result<u8, Error> {
        let Some((container, wanted)) = self.words.split_first() else { return Ok(0) };
        let client = context.client()?;
        let inspect = context.block_on(async { Ok(client.container_inspect(container, false).await?) })?;
        let ports = &inspect.network_settings.ports;
        let mut lines = match wanted.first() {
            None => all(ports),
            Some(port) => one(ports, port, container)?,
        };
        lines.sort_by(|a, b| natural(a, b));
        lines.iter().for_each(|line| print::line(line));
        Ok(0)
    }
}

fn place(binding: &PortBinding) -> String {
    join(&binding.host_ip, &binding.host_port)
}

fn all(ports: &PortMap) -> Vec<String> {
    let places = ports.iter().flat_map(|(port, places)| places.iter().flatten().map(move |at| (port, at)));
    places.map(|(port, at)| format!("{port} -> {}", place(at))).collect()
}

fn one(ports: &PortMap, wanted: &str, container: &str) -> Result<Vec<String>, Error> {
    let (number, protocol) = wanted.split_once('/').unwrap_or((wanted, "tcp"));
    let protocol = if protocol.is_empty() { "tcp" } else { protocol };
    if number.parse::<u16>().is_err() {
        let reason = if number.bytes().all(|b| b.is_ascii_digit()) && !number.is_empty() {
            "value out of range"
        } else {
            "invalid syntax"
        };
        let text = format!("Error: invalid port ({number}): strconv.ParseUint: parsing {number:?}: {reason}");
        return Err(Error::Invalid(text));
    }
    let places = ports.get(&format!("{number}/{protocol}")).and_then(Option::as_ref);
    match places.filter(|places| !places.is_empty()) {
        Some(places) => Ok(places.iter().map(place).collect()),
        None => Err(Error::Invalid(format!("Error: No public port '{wanted}' published for {container}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports() -> PortMap {
        let at = |ip: &str, port: &str| PortBinding { host_ip: ip.into(), host_port: port.into() };
        [
            ("80/tcp".to_owned(), Some(vec![at("0.0.0.0", "8080"), at("::", "8080")])),
            ("53/udp".to_owned(), Some(vec![at("127.0.0.1", "53")])),
            ("443/tcp".to_owned(), None),
        ]
        .into()
    }

    #[test]
    fn published_ports() {
        assert_eq!(
            all(&ports()),
            ["53/udp -> 127.0.0.1:53", "80/tcp -> 0.0.0.0:8080", "80/tcp -> [::]:8080"]
        );
        assert_eq!(one(&ports(), "80", "c").unwrap(), ["0.0.0.0:8080", "[::]:8080"]);
        assert_eq!(one(&ports(), "53/udp", "c").unwrap(), ["127.0.0.1:53"]);
        for (wanted, error) in [
            ("53", "Error: No public port '53' published for c"),
            ("443", "Error: No public port '443' published for c"),
            ("x", "Error: invalid port (x): strconv.ParseUint: parsing \"x\": invalid syntax"),
            (
                "99999",
                "Error: invalid port (99999): strconv.ParseUint: parsing \"99999\": value out of range",
            ),
        ] {
            assert_eq!(one(&ports(), wanted, "c").unwrap_err().to_string(), error);
        }
    }
}
