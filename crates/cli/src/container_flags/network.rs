//! The host name and ports.

use crate::error::Error;
use crate::options::ports;
use sampan_api::body::{ContainerConfig, Empty, HostConfig, PortBinding, PortMap, Set};
use std::collections::BTreeMap;

/// How the container is named and reached.
#[derive(clap::Args, Debug)]
pub(super) struct Network {
    /// Container NIS domain name
    #[arg(long, value_name = "string")]
    domainname: Option<String>,
    /// Expose a port or a range of ports
    #[arg(long, value_name = "list")]
    expose: Vec<String>,
    /// Container host name
    #[arg(short = 'h', long, value_name = "string")]
    hostname: Option<String>,
    /// Publish a container's port(s) to the host
    #[arg(short, long, value_name = "list")]
    publish: Vec<String>,
    /// Publish all exposed ports to random ports
    #[arg(short = 'P', long)]
    publish_all: bool,
}

impl Network {
    pub(super) fn fill(&self, config: &mut ContainerConfig, host: &mut HostConfig) -> Result<(), Error> {
        let (exposed, bindings) = self.ports()?;
        config.exposed_ports = exposed;
        config.hostname = self.hostname.clone().unwrap_or_default();
        config.domainname = self.domainname.clone().unwrap_or_default();
        host.port_bindings = bindings;
        host.publish_all_ports = self.publish_all;
        Ok(())
    }

    fn ports(&self) -> Result<(Option<Set>, Option<PortMap>), Error> {
        let mut exposed = Set::new();
        let mut bindings: BTreeMap<String, Vec<PortBinding>> = BTreeMap::new();
        for text in &self.expose {
            if text.contains(':') {
                return Err(Error::Invalid(format!("invalid port format for --expose: {text}")));
            }
            let mappings = ports::mappings(text).map_err(|_| bad_expose(text))?;
            exposed.extend(mappings.into_iter().map(|mapping| (mapping.container, Empty {})));
        }
        for text in &self.publish {
            for mapping in ports::mappings(text)? {
                exposed.insert(mapping.container.clone(), Empty {});
                let binding = PortBinding { host_ip: mapping.address, host_port: mapping.host };
                bindings.entry(mapping.container).or_default().push(binding);
            }
        }
        let bindings = bindings.into_iter().map(|(port, bindings)| (port, Some(bindings))).collect();
        Ok(((!exposed.is_empty()).then_some(exposed), Some(bindings)))
    }
}

fn bad_expose(text: &str) -> Error {
    let port = text.split('/').next().unwrap_or_default();
    let is_wrong = |part: &&str| part.parse::<u16>().is_err();
    let number = port.split('-').find(is_wrong).unwrap_or(port);
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let why = if digits { "value out of range" } else { "invalid syntax" };
    Error::Invalid(format!(
        "invalid range format for --expose: {text}, error: strconv.ParseUint: parsing {number:?}: {why}"
    ))
}
