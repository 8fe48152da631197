//! A container's ports on the host: what its configuration asks for, and who keeps them.

use crate::container::{Container, Exposed, Port, PortBinding};
use crate::monitor::{CallError, Connection};
use sampan_network::{PortMapping, PortRequest, all_addresses};
use sampan_spec::monitor::{FDS_MAX, Request};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

/// The ports that a container's configuration publishes.
pub(super) fn requests(container: &Container) -> Vec<PortRequest> {
    let host = &container.config.host;
    let exposed: Vec<Port> = container
        .config
        .exposed_ports
        .iter()
        .filter_map(Exposed::port)
        .filter(|port| host.publish_all && !host.ports.contains_key(port))
        .collect();
    let anywhere = [PortBinding { address: None, ports: None }];
    let all = all_addresses();
    let request = |port: &Port, binding: &PortBinding| PortRequest {
        proto: port.protocol,
        host_ips: binding.address.map_or_else(|| all.clone(), |address| vec![address]),
        host_ports: binding.ports.map(|(first, last)| first..=last),
        container_port: port.number,
    };
    let asked = host.ports.iter().map(|(port, bindings)| (port, bindings.as_slice()));
    asked
        .chain(exposed.iter().map(|port| (port, anywhere.as_slice())))
        .flat_map(|(port, bindings)| bindings.iter().map(move |binding| request(port, binding)))
        .collect()
}

/// Gives the sockets that hold these ports to the container's monitor, in as many messages as it takes. Those of this
/// process are closed.
pub(crate) async fn hand_over(
    monitor: &Connection,
    ports: &[PortMapping],
    mut sockets: Vec<OwnedFd>,
) -> Result<(), CallError> {
    for ports in ports.chunks(FDS_MAX) {
        let rest = sockets.split_off(ports.len().min(sockets.len()));
        let relay = ports.iter().map(relay_to).collect();
        monitor.send_with(Request::HoldPorts { relay }, sockets).await?;
        sockets = rest;
    }
    Ok(())
}

/// Where the monitor is to relay what arrives at a port. At an IPv4 address nothing does: the firewall sees to it.
fn relay_to(port: &PortMapping) -> Option<SocketAddr> {
    let to = SocketAddr::new(IpAddr::V4(port.container_ip), port.container_port);
    port.host_ip.is_ipv6().then_some(to)
}
