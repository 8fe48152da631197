//! Networks and published ports.

use super::isolation::peer;
use super::{Error, invalid};
use crate::convert::network::mode_name;
use sampan_api::body::{Endpoint, PortMap};
use sampan_engine::container::{Mac, NetworkMode, ParseMacError, Port, PortBinding};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Where a container is to be.
pub(super) struct Place {
    pub(super) network: NetworkMode,
    pub(super) mac: Option<Mac>,
}

/// Reads the mode, the hardware address that old clients name beside it, and what is said of the one network here.
pub(super) fn place_in_network(
    mode: &str,
    endpoints: BTreeMap<String, Endpoint>,
    mac: &str,
) -> Result<Place, Error> {
    let mut endpoints = endpoints.into_iter();
    let (first, more) = (endpoints.next(), endpoints.next());
    if more.is_some() {
        return Err(Error::unsupported("NetworkingConfig.EndpointsConfig with more than one network"));
    }
    let Some((name, endpoint)) = first else {
        let network = network_mode(mode)?;
        return Ok(Place { mac: hardware_address(&network, mac)?, network });
    };
    let named = network_mode(&name)?;
    let network = match network_mode(mode)? {
        same if same == named => same,
        NetworkMode::Bridge if matches!(named, NetworkMode::Named(_)) => named,
        _ => return Err(Error::unsupported(format!("NetworkingConfig.EndpointsConfig.{name}"))),
    };
    refuse_wishes(&network, &endpoint)?;
    let mac = if endpoint.mac_address.is_empty() { mac } else { &endpoint.mac_address };
    Ok(Place { mac: hardware_address(&network, mac)?, network })
}

fn network_mode(name: &str) -> Result<NetworkMode, Error> {
    match name {
        "" | "default" | "bridge" => Ok(NetworkMode::Bridge),
        "host" => Ok(NetworkMode::Host),
        "none" => Ok(NetworkMode::None),
        _ if name.starts_with("container:") => match peer(name) {
            Some(peer) => Ok(NetworkMode::Container(peer)),
            None => invalid("Container name or ID cannot be empty".into()),
        },
        _ => Ok(NetworkMode::Named(name.to_owned())),
    }
}

fn hardware_address(network: &NetworkMode, text: &str) -> Result<Option<Mac>, Error> {
    let wrong = |e: ParseMacError| Error::Invalid(format!("{}: {e}", bad_config(network)));
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(wrong) }
}

fn bad_config(network: &NetworkMode) -> String {
    format!("invalid config for network {}", mode_name(network))
}

/// What a user may say only of networks that users make.
fn refuse_wishes(network: &NetworkMode, endpoint: &Endpoint) -> Result<(), Error> {
    // Its start is refused.
    if matches!(network, NetworkMode::Named(_)) {
        return Ok(());
    }
    let mut refusals = refused_addresses(endpoint)?;
    if endpoint.aliases.as_ref().is_some_and(|aliases| !aliases.is_empty()) {
        let place = refusals.len().min(1);
        refusals.insert(
            place,
            "network-scoped alias is supported only for containers in user defined networks".into(),
        );
    }
    let unsupported =
        |what: &str| Err(Error::unsupported(format!("NetworkingConfig.EndpointsConfig.*.{what}")));
    match refusals.as_slice() {
        [] if endpoint.links.as_ref().is_some_and(|links| !links.is_empty()) => unsupported("Links"),
        [] if endpoint.driver_opts.as_ref().is_some_and(|options| !options.is_empty()) => {
            unsupported("DriverOpts")
        }
        [] => Ok(()),
        [one] => invalid(format!("{}: invalid endpoint settings:\n{one}", bad_config(network))),
        many => {
            invalid(format!("{}: invalid endpoint settings:\n* {}", bad_config(network), many.join("\n* ")))
        }
    }
}

/// A container's address in a built-in network is the engine's choice.
fn refused_addresses(endpoint: &Endpoint) -> Result<Vec<String>, Error> {
    let wish = endpoint.ipam_config.clone().unwrap_or_default();
    let (v4, v6) = (wish.ipv4_address, wish.ipv6_address);
    if wish.link_local_ips.is_some_and(|all| !all.is_empty()) {
        return Err(Error::unsupported("NetworkingConfig.EndpointsConfig.*.IPAMConfig.LinkLocalIPs"));
    }
    let mut refusals = Vec::new();
    if v4.is_empty() && v6.is_empty() {
        return Ok(refusals);
    }
    refusals.push("user specified IP address is supported on user defined networks only".to_owned());
    if !v4.is_empty() && v4.parse::<Ipv4Addr>().is_err() {
        refusals.push(format!("invalid IPv4 address: {v4}"));
    }
    if !v6.is_empty() && v6.parse::<Ipv6Addr>().is_err() {
        refusals.push(format!("invalid IPv6 address: {v6}"));
    }
    refusals.push(
        "user specified IP address is supported only when connecting to networks with user configured subnets"
            .to_owned(),
    );
    Ok(refusals)
}

fn port(text: &str) -> Result<Port, Error> {
    let number = text.split('/').next().unwrap_or_default();
    text.parse().map_err(|_| Error::Invalid(format!("invalid port specification: {number:?}")))
}

pub(super) fn ports(map: PortMap) -> Result<BTreeMap<Port, Vec<PortBinding>>, Error> {
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
        Ok(address) => Some(address),
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
