//! A container's place in its network, as Docker shows it in two ways.

use sampan_api::body::{Endpoint as Shown, NetworkSettings, PortBinding, PortMap, PortSummary};
use sampan_engine::container::{Endpoint, Exposed, NetworkMode, Port, PortMapping, Protocol, Snapshot};
use std::collections::BTreeMap;

/// The network's mode in requests and answers.
pub(crate) fn mode_name(mode: &NetworkMode) -> String {
    match mode {
        NetworkMode::Bridge => "bridge".into(),
        NetworkMode::Host => "host".into(),
        NetworkMode::None => "none".into(),
        NetworkMode::Container(peer) => format!("container:{}", peer.text()),
        NetworkMode::Named(name) => name.clone(),
    }
}

/// The place that a container has while it runs.
fn place(snapshot: &Snapshot) -> Option<&Endpoint> {
    snapshot.state.endpoint.as_ref().filter(|_| snapshot.state.phase.is_active())
}

/// `Networks`: a container has exactly one, or that of another container.
pub(crate) fn networks(snapshot: &Snapshot) -> BTreeMap<String, Shown> {
    let mode = &snapshot.container.config.host.network;
    if matches!(mode, NetworkMode::Container(_)) {
        return BTreeMap::new();
    }
    let wanted = snapshot.container.config.host.mac.map(|mac| mac.to_string());
    let base = Shown {
        mac_address: wanted.unwrap_or_default(),
        network_id: snapshot.state.summary.started.map(|_| snapshot.network.clone()).unwrap_or_default(),
        endpoint_id: if snapshot.state.phase.is_active() { snapshot.endpoint_id() } else { String::new() },
        ..Shown::default()
    };
    let shown = match place(snapshot) {
        None => base,
        Some(place) => Shown {
            gateway: place.gateway.to_string(),
            ip_address: place.address.address().to_string(),
            ip_prefix_len: place.address.prefix(),
            mac_address: place.mac().to_string(),
            ..base
        },
    };
    BTreeMap::from([(mode_name(mode), shown)])
}

/// The whole `NetworkSettings` of inspect.
pub(crate) fn settings(snapshot: &Snapshot) -> NetworkSettings {
    let networks = networks(snapshot);
    let top = networks.get(&mode_name(&NetworkMode::Bridge)).cloned().unwrap_or_default();
    NetworkSettings {
        endpoint_id: top.endpoint_id,
        gateway: top.gateway,
        ip_address: top.ip_address,
        ip_prefix_len: top.ip_prefix_len,
        mac_address: top.mac_address,
        ports: ports(snapshot),
        networks,
        ..NetworkSettings::default()
    }
}

/// Ports while the container runs: where each is reached, `null` for those that are not published.
fn ports(snapshot: &Snapshot) -> PortMap {
    let Some(place) = place(snapshot) else { return PortMap::new() };
    let exposed = snapshot.container.config.exposed_ports.iter();
    let mut ports: PortMap = exposed.map(|port| (shown(port).to_string(), None)).collect();
    for published in &place.ports {
        let binding = PortBinding {
            host_ip: published.host_ip.to_string(),
            host_port: published.host_port.to_string(),
        };
        ports.entry(container_port(published).to_string()).or_default().get_or_insert_default().push(binding);
    }
    ports
}

/// Ports as a list shows them.
pub(crate) fn port_summaries(snapshot: &Snapshot) -> Vec<PortSummary> {
    let Some(place) = place(snapshot) else { return Vec::new() };
    let mut all: Vec<PortSummary> = place
        .ports
        .iter()
        .map(|published| PortSummary {
            ip: published.host_ip.to_string(),
            private_port: published.container_port,
            public_port: Some(published.host_port),
            r#type: published.proto.to_string(),
        })
        .collect();
    let is_published = |port| place.ports.iter().any(|published| container_port(published) == port);
    let only_exposed =
        snapshot.container.config.exposed_ports.iter().map(shown).filter(|port| !is_published(*port));
    all.extend(only_exposed.map(|port| PortSummary {
        private_port: port.number,
        r#type: port.protocol.to_string(),
        ..PortSummary::default()
    }));
    all.sort_by_key(|port| (port.private_port, port.r#type.clone(), port.ip.clone(), port.public_port));
    all
}

/// What is no port is shown as number 0.
fn shown(exposed: &Exposed) -> Port {
    exposed.port().unwrap_or(Port { number: 0, protocol: Protocol::Tcp })
}

fn container_port(published: &PortMapping) -> Port {
    Port { number: published.container_port, protocol: published.proto }
}
