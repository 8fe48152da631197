//! The messages of rtnetlink(7) that a container's network needs.

use super::attribute::{be32, text, u32_at};
use super::{Attributes, CREATE, EXCLUSIVE, Error, Messages, REPLACE, Socket};
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, BorrowedFd};

const NEWLINK: u16 = 16;
const DELLINK: u16 = 17;
const GETLINK: u16 = 18;
const NEWADDR: u16 = 20;
const DELADDR: u16 = 21;
const GETADDR: u16 = 22;
const NEWROUTE: u16 = 24;
const GETROUTE: u16 = 26;
const NEWNEIGH: u16 = 28;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MASTER: u16 = 10;
const IFLA_OPERSTATE: u16 = 16;
const IFLA_LINKINFO: u16 = 18;
const IFLA_IFALIAS: u16 = 20;
const IFLA_AF_SPEC: u16 = 26;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_INFO_SLAVE_KIND: u16 = 4;
const IFLA_INFO_SLAVE_DATA: u16 = 5;
const VETH_INFO_PEER: u16 = 1;
const IFLA_BRPORT_MODE: u16 = 4;
const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;
const ADDR_GEN_NONE: u8 = 1;

const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_BROADCAST: u16 = 4;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_TABLE: u16 = 15;
const NDA_LLADDR: u16 = 2;

const UP: u32 = 1;
const OPERATIONAL: u8 = 6;
const AF_INET: u8 = 2;
const AF_INET6: u16 = 10;
const TABLE_MAIN: u32 = 254;

/// The multicast group of changed links (RTNLGRP_LINK).
pub const fn link_changes() -> u32 {
    1
}

/// A network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Its index.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its alias, or empty.
    pub alias: String,
    /// The index of the bridge it is a port of.
    pub master: Option<u32>,
    /// The kind of a virtual one: `bridge`, `veth`. `None` for hardware.
    pub kind: Option<String>,
    /// Its hardware address.
    pub mac: Vec<u8>,
    /// Whether it is switched on.
    pub up: bool,
    /// Whether it carries packets (RFC 2863's ifOperStatus is "up"): some time after both ends were switched on.
    pub operational: bool,
}

/// An IPv4 address of a link, or the destination of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The link's index; 0 for a route through no single link.
    pub link: u32,
    /// The address.
    pub address: Ipv4Addr,
    /// The prefix length.
    pub prefix: u8,
}

/// A pair of virtual links to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewVeth<'a> {
    /// The name of the end that stays here.
    pub name: &'a str,
    /// The index of the bridge it becomes a port of.
    pub master: u32,
    /// The name of the other end.
    pub peer: &'a str,
    /// The other end's hardware address.
    pub peer_mac: [u8; 6],
    /// The network name space of the other end.
    pub netns: BorrowedFd<'a>,
}

/// A bridge with this hardware address, so that it does not take that of a port and change it when the port goes.
pub fn add_bridge(batch: &mut Messages, name: &str, mac: [u8; 6]) {
    batch
        .request(NEWLINK, CREATE | EXCLUSIVE, &link_header(0, 0, 0))
        .put_text(IFLA_IFNAME, name)
        .put(IFLA_ADDRESS, &mac)
        .nest(IFLA_LINKINFO, |m| {
            m.put(IFLA_INFO_KIND, b"bridge");
        });
}

/// A pair of links, this end up and on its bridge. The other end must not be raised by the same message (ENOTCONN).
pub fn add_veth(batch: &mut Messages, veth: &NewVeth<'_>) {
    batch
        .request(NEWLINK, CREATE | EXCLUSIVE, &link_header(0, UP, UP))
        .put_text(IFLA_IFNAME, veth.name)
        .put_u32(IFLA_MASTER, veth.master)
        .nest(IFLA_LINKINFO, |m| {
            m.put(IFLA_INFO_KIND, b"veth").nest(IFLA_INFO_DATA, |m| {
                m.nest(VETH_INFO_PEER, |m| {
                    m.raw(&link_header(0, 0, 0))
                        .put_text(IFLA_IFNAME, veth.peer)
                        .put(IFLA_ADDRESS, &veth.peer_mac)
                        .put_u32(IFLA_NET_NS_FD, veth.netns.as_raw_fd().cast_unsigned());
                });
            });
        });
}

/// Gives a port of a bridge its alias, and lets it get back frames that it sent itself (hairpin): a container may reach
/// itself through a published port where the bridge's packets pass the IP firewall.
pub fn mark_bridge_port(batch: &mut Messages, name: &str, alias: &str) {
    batch
        .request(NEWLINK, 0, &link_header(0, 0, 0))
        .put_text(IFLA_IFNAME, name)
        .put(IFLA_IFALIAS, alias.as_bytes())
        .nest(IFLA_LINKINFO, |m| {
            m.put(IFLA_INFO_SLAVE_KIND, b"bridge").nest(IFLA_INFO_SLAVE_DATA, |m| {
                m.put(IFLA_BRPORT_MODE, &[1]);
            });
        });
}

/// Makes a link a port of the bridge with this index.
pub fn set_master(batch: &mut Messages, name: &str, master: u32) {
    batch.request(NEWLINK, 0, &link_header(0, 0, 0)).put_text(IFLA_IFNAME, name).put_u32(IFLA_MASTER, master);
}

/// Keeps a link from making itself an IPv6 address when it goes up. Refused where the host has no IPv6.
pub fn without_ipv6_address(batch: &mut Messages, name: &str) {
    batch.request(NEWLINK, 0, &link_header(0, 0, 0)).put_text(IFLA_IFNAME, name).nest(IFLA_AF_SPEC, |m| {
        m.nest(AF_INET6, |m| {
            m.put(IFLA_INET6_ADDR_GEN_MODE, &[ADDR_GEN_NONE]);
        });
    });
}

/// Switches a link on, and sets its alias if one is given.
pub fn set_up(batch: &mut Messages, name: &str, alias: Option<&str>) {
    let message = batch.request(NEWLINK, 0, &link_header(0, UP, UP)).put_text(IFLA_IFNAME, name);
    if let Some(alias) = alias {
        message.put(IFLA_IFALIAS, alias.as_bytes());
    }
}

/// Removes a link; of a pair, both ends. Takes some 20 ms.
pub fn delete_link(batch: &mut Messages, name: &str) {
    batch.request(DELLINK, 0, &link_header(0, 0, 0)).put_text(IFLA_IFNAME, name);
}

/// Gives a link an IPv4 address, with the network's route and broadcast address. EEXIST if it has it.
pub fn add_address(batch: &mut Messages, address: &Address) {
    let host = u32::MAX.checked_shr(address.prefix.into()).unwrap_or(0);
    let broadcast = Ipv4Addr::from_bits(address.address.to_bits() | host);
    let message = batch
        .request(NEWADDR, CREATE | EXCLUSIVE, &address_header(address))
        .put(IFA_LOCAL, &address.address.octets())
        .put(IFA_ADDRESS, &address.address.octets());
    if address.prefix < 31 {
        message.put(IFA_BROADCAST, &broadcast.octets());
    }
}

/// Takes an IPv4 address from a link.
pub fn delete_address(batch: &mut Messages, address: &Address) {
    batch.request(DELADDR, 0, &address_header(address)).put(IFA_LOCAL, &address.address.octets());
}

/// A default route through this link.
pub fn add_default_route(batch: &mut Messages, link: u32, gateway: Ipv4Addr) {
    const BOOT: u8 = 3;
    const UNICAST: u8 = 1;
    let header = [AF_INET, 0, 0, 0, TABLE_MAIN as u8, BOOT, 0, UNICAST, 0, 0, 0, 0];
    batch
        .request(NEWROUTE, CREATE | EXCLUSIVE, &header)
        .put(RTA_GATEWAY, &gateway.octets())
        .put_u32(RTA_OIF, link);
}

/// Tells the bridge of a port that this hardware address is behind it, whatever it learned before. Only for a port that
/// carries packets (EPERM).
pub fn add_bridge_entry(batch: &mut Messages, port: u32, mac: [u8; 6]) {
    const AF_BRIDGE: u8 = 7;
    const REACHABLE: u8 = 2;
    const OF_MASTER: u8 = 4;
    let [a, b, c, d] = port.to_ne_bytes();
    let header = [AF_BRIDGE, 0, 0, 0, a, b, c, d, REACHABLE, 0, OF_MASTER, 0];
    batch.request(NEWNEIGH, CREATE | REPLACE, &header).put(NDA_LLADDR, &mac);
}

/// All links.
pub fn links(socket: &Socket) -> Result<Vec<Link>, Error> {
    let mut request = Messages::new();
    request.list(GETLINK, &link_header(0, 0, 0));
    list(socket, &request, NEWLINK, read_link)
}

/// The link of this name, if it is there.
pub fn link(socket: &Socket, name: &str) -> Result<Option<Link>, Error> {
    let mut request = Messages::new();
    request.begin(GETLINK, 0, &link_header(0, 0, 0)).put_text(IFLA_IFNAME, name);
    one_link(socket, &request)
}

/// The link with this index, if it is there.
pub fn link_at(socket: &Socket, index: u32) -> Result<Option<Link>, Error> {
    let mut request = Messages::new();
    request.begin(GETLINK, 0, &link_header(index, 0, 0));
    one_link(socket, &request)
}

fn one_link(socket: &Socket, request: &Messages) -> Result<Option<Link>, Error> {
    match list(socket, request, NEWLINK, read_link) {
        Ok(found) => Ok(found.into_iter().next()),
        Err(error) if error.errno() == Some(rustix::io::Errno::NODEV) => Ok(None),
        Err(error) => Err(error),
    }
}

/// All IPv4 addresses.
pub fn addresses(socket: &Socket) -> Result<Vec<Address>, Error> {
    let mut request = Messages::new();
    request.list(GETADDR, &[AF_INET, 0, 0, 0, 0, 0, 0, 0]);
    list(socket, &request, NEWADDR, read_address)
}

/// The destinations of all IPv4 routes of the main table, without the default route.
pub fn routes(socket: &Socket) -> Result<Vec<Address>, Error> {
    let mut request = Messages::new();
    request.list(GETROUTE, &[AF_INET, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    list(socket, &request, NEWROUTE, read_route)
}

/// The link that a message of the group [`link_changes`] is about, and whether it is gone. `None` for other messages.
pub fn changed_link(kind: u16, body: &[u8]) -> Option<(Link, bool)> {
    match kind {
        NEWLINK | DELLINK => read_link(body).map(|link| (link, kind == DELLINK)),
        _ => None,
    }
}

fn list<T>(
    socket: &Socket,
    request: &Messages,
    kind: u16,
    read: impl Fn(&[u8]) -> Option<T>,
) -> Result<Vec<T>, Error> {
    let mut found = Vec::new();
    socket.dump(request, |message| match message {
        None => found.clear(),
        Some((k, body)) if k == kind => found.extend(read(body)),
        Some(_) => {}
    })?;
    Ok(found)
}

/// `struct ifinfomsg`.
fn link_header(index: u32, flags: u32, change: u32) -> [u8; 16] {
    let mut header = [0; 16];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header[8..12].copy_from_slice(&flags.to_ne_bytes());
    header[12..16].copy_from_slice(&change.to_ne_bytes());
    header
}

/// `struct ifaddrmsg`.
fn address_header(address: &Address) -> [u8; 8] {
    let mut header = [AF_INET, address.prefix, 0, 0, 0, 0, 0, 0];
    header[4..8].copy_from_slice(&address.link.to_ne_bytes());
    header
}

fn read_link(body: &[u8]) -> Option<Link> {
    let attributes = Attributes(body.get(16..)?);
    let of = |kind| attributes.find(kind).and_then(text).unwrap_or_default().to_owned();
    Some(Link {
        index: u32_at(body, 4)?,
        name: of(IFLA_IFNAME),
        alias: of(IFLA_IFALIAS),
        master: attributes.find(IFLA_MASTER).and_then(|v| u32_at(v, 0)),
        kind: attributes.nested(IFLA_LINKINFO).find(IFLA_INFO_KIND).and_then(text).map(str::to_owned),
        mac: attributes.find(IFLA_ADDRESS).unwrap_or_default().to_vec(),
        up: u32_at(body, 8)? & UP != 0,
        operational: attributes.find(IFLA_OPERSTATE) == Some(&[OPERATIONAL]),
    })
}

fn read_address(body: &[u8]) -> Option<Address> {
    let attributes = Attributes(body.get(8..)?);
    let address = attributes.find(IFA_LOCAL).or_else(|| attributes.find(IFA_ADDRESS))?;
    Some(Address { link: u32_at(body, 4)?, address: be32(address)?.into(), prefix: body[1] })
}

fn read_route(body: &[u8]) -> Option<Address> {
    let attributes = Attributes(body.get(12..)?);
    let table = attributes.find(RTA_TABLE).and_then(|v| u32_at(v, 0));
    if table != Some(TABLE_MAIN) {
        return None;
    }
    let link = attributes.find(RTA_OIF).and_then(|v| u32_at(v, 0)).unwrap_or(0);
    Some(Address { link, address: be32(attributes.find(RTA_DST)?)?.into(), prefix: body[1] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::Family;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            let _ = (read_link(&bytes), read_address(&bytes), read_route(&bytes));
        }
    }

    #[test]
    fn finds_the_loopback() {
        let socket = Socket::open(Family::Route).unwrap();
        let lo = link(&socket, "lo").unwrap().unwrap();
        assert_eq!((lo.index, lo.kind.as_deref(), lo.master), (1, None, None));
        assert!(links(&socket).unwrap().contains(&lo));
        assert_eq!(link(&socket, "no-such-link").unwrap(), None);
    }
}
