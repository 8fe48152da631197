//! Exchanges of datagrams that go on while a port is published or taken back.
//!
//! The kernel asks the rules only about the first packet of a flow. A client that keeps sending datagrams from one port
//! would go on reaching the host itself after a port was published, and a container that is gone (or whoever has its
//! address by then) after it was taken back. So the flows concerned are forgotten. TCP needs none of that: a connection
//! to the wrong place is reset, and the next one meets the rules.

use crate::{Error, PortMapping, Protocol};
use sampan_sys::netlink::{self, Flow, Socket, forget};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// Forgets the flows to newly published UDP ports that the host itself got until now.
pub(super) fn forget_untranslated(socket: &Socket, mappings: &[PortMapping]) -> Result<(), Error> {
    if !mappings.iter().any(|mapping| mapping.proto == Protocol::Udp) {
        return Ok(());
    }
    let local = local_addresses()?;
    forget_where(socket, mappings, |mapping, flow| {
        let to = flow.original.destination;
        let ours = mapping.host_ip == to || (mapping.host_ip.is_unspecified() && is_local(to, &local));
        ours && flow.reply.source == to
    })
}

/// Forgets the flows through UDP ports that were taken back.
pub(super) fn forget_translated(socket: &Socket, mappings: &[PortMapping]) -> Result<(), Error> {
    forget_where(socket, mappings, |mapping, flow| {
        (flow.reply.source, flow.reply.source_port) == (mapping.container_ip, mapping.container_port)
    })
}

fn forget_where(
    socket: &Socket,
    mappings: &[PortMapping],
    which: impl Fn(&PortMapping, &Flow) -> bool,
) -> Result<(), Error> {
    let mut by_port: BTreeMap<u16, Vec<&PortMapping>> = BTreeMap::new();
    for mapping in mappings.iter().filter(|m| m.proto == Protocol::Udp && m.host_ip.is_ipv4()) {
        by_port.entry(mapping.host_port).or_default().push(mapping);
    }
    let ports: BTreeSet<u16> = by_port.keys().copied().collect();
    let concerned = |flow: &Flow| {
        let mut mappings = by_port.get(&flow.original.destination_port).into_iter().flatten();
        mappings.any(|mapping| which(mapping, flow))
    };
    forget(socket, Protocol::Udp.number(), &ports, concerned)
        .map(drop)
        .map_err(|source| Error::ForgetFlows { ports: ports.len(), source })
}

fn is_local(address: Ipv4Addr, local: &BTreeSet<Ipv4Addr>) -> bool {
    address.is_loopback() || local.contains(&address)
}

fn local_addresses() -> Result<BTreeSet<Ipv4Addr>, Error> {
    let failed = |source| Error::List { what: "addresses", source };
    let socket = Socket::open(netlink::Family::Route).map_err(failed)?;
    Ok(netlink::addresses(&socket).map_err(failed)?.into_iter().map(|a| a.address).collect())
}
