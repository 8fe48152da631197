//! Networks and published ports.

use super::isolation::peer;
use super::{Error, invalid};
use sampan_api::body::{Endpoint, PortMap};
use sampan_engine::container::{NetworkMode, Port, PortBinding};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The networks that always exist.
const BUILT_IN: [&str; 3] = ["bridge", "host", "none"];
pub(super) fn network_mode(name: &str) -> Result<NetworkMode, Error> {
    match name {
        "" | "default" | "bridge" => Ok(NetworkMode::Bridge),
        "host" => Ok(NetworkMode::Host),
        "none" => Ok(NetworkMode::None),
        _ if name.starts_with("container:") => match peer(name) {
            Some(peer) => Ok(NetworkMode::Container(peer)),
            None => invalid("Container name or ID cannot be empty".into()),
        },
        _ => Err(Error::NoSuchNetwork(name.to_owned())),
    }
}

/// Clients name the one network here again; wishes for it cannot be honoured.
pub(super) fn refuse_endpoints(endpoints: &BTreeMap<String, Endpoint>, mode: &str) -> Result<(), Error> {
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

pub(super) fn port(text: &str) -> Result<Port, Error> {
    text.parse().map_err(|_| Error::Invalid(format!("invalid port specification: {text:?}")))
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
