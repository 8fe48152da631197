//! The bridge that containers are connected to: made when missing, with the gateway's address.
//!
//! A bridge that carries our alias was made here and is brought to the configured address. Any other, of that name, is
//! the administrator's: an address that is missing is added, none is taken away, and it is never removed.

use crate::{Error, Ipv4Net, Mac, ipam, sysctl};
use rustix::io::Errno;
use sampan_sys::netlink::{self, Address, Family, Link, Messages, Socket};

/// The alias of a bridge that was made here.
const ALIAS: &str = "sampan";
/// The alias of one that was made here, on a host whose forwarding was switched on here too. The bridge is where this is
/// remembered because it lives exactly as long: over the daemon's death and a reload of the firewall, not over a reboot.
const ALIAS_FORWARDING: &str = "sampan forwarding";

/// What has a shorter prefix is no network: VPNs have ways to the whole world in halves or eighths, as a default route that goes
/// before the other.
const SHORTEST_NETWORK: u8 = 8;

/// The bridge that should be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeConfig {
    /// Its name, at most 15 bytes.
    pub name: String,
    /// The gateway's address with the subnet's prefix length; `None` for the one that the bridge already has, or else
    /// the first of Docker's default networks that overlaps nothing on this host.
    pub gateway: Option<Ipv4Net>,
}

/// A bridge that is there and up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bridge {
    /// Its name.
    pub name: String,
    /// Its interface index.
    pub index: u32,
    /// The gateway's address with the subnet's prefix length.
    pub gateway: Ipv4Net,
}

/// Makes the bridge, or brings the one that is there into shape.
pub fn ensure_bridge(config: &BridgeConfig) -> Result<Bridge, Error> {
    let socket = Socket::open(Family::Route).map_err(|source| set_up_error(&config.name, source))?;
    let found = find(&socket, &config.name)?;
    let present = match &found {
        Some(link) => addresses_of(&socket, link)?,
        None => Vec::new(),
    };
    let gateway = match config.gateway.or(present.first().copied()) {
        Some(gateway) => gateway,
        None => first_free(&socket)?.ok_or(Error::NoFreeSubnet)?,
    };
    let link = match found {
        Some(link) => link,
        None => create(&socket, &config.name, gateway)?,
    };
    set_addresses(&socket, &link, &present, gateway).map_err(|source| set_up_error(&config.name, source))?;
    // So that what was sent to 127.0.0.1 and translated to a container can come back.
    sysctl::set(&format!("ipv4/conf/{}/route_localnet", config.name), true)?;
    Ok(Bridge { name: config.name.clone(), index: link.index, gateway })
}

/// Refuses a subnet that overlaps one which another link than this bridge is in, or takes a whole route away; a wider one,
/// as that of a VPN, goes on leading to the rest. A bridge that has this very address keeps it, whatever came after it: its
/// containers need their daemon.
pub fn refuse_taken(name: &str, gateway: Ipv4Net) -> Result<(), Error> {
    let socket = Socket::open(Family::Route).map_err(|source| set_up_error(name, source))?;
    let own = find(&socket, name)?;
    if let Some(link) = &own
        && addresses_of(&socket, link)?.contains(&gateway)
    {
        return Ok(());
    }
    let own = own.map(|link| link.index);
    let mut others = ways(&socket, gateway.prefix())?.into_iter().filter(|(link, _)| Some(*link) != own);
    let Some((link, taken)) = others.find(|(_, net)| net.overlaps(gateway)) else { return Ok(()) };
    let link = netlink::link_at(&socket, link).map_err(|source| Error::List { what: "links", source })?;
    let link = link.map_or_else(|| "several links".to_owned(), |link| link.name);
    Err(Error::SubnetTaken { subnet: gateway.network(), taken: taken.network(), link })
}

/// Removes the bridge if it was made here. One that is not there, or not ours, is no error.
pub fn remove_bridge(name: &str) -> Result<(), Error> {
    let failed = |source| Error::RemoveBridge { name: name.to_owned(), source };
    let socket = Socket::open(Family::Route).map_err(failed)?;
    match netlink::link(&socket, name).map_err(failed)? {
        Some(link) if is_ours(&link) => {
            let mut batch = Messages::new();
            netlink::delete_link(&mut batch, name);
            socket.execute_all(&batch).map_err(failed)
        }
        _ => Ok(()),
    }
}

/// Whether the bridge remembers that forwarding was switched on here.
pub(crate) fn switched_forwarding(name: &str) -> Result<bool, Error> {
    let socket = Socket::open(Family::Route).map_err(|source| set_up_error(name, source))?;
    Ok(find(&socket, name)?.is_some_and(|link| link.alias == ALIAS_FORWARDING))
}

/// Lets the bridge remember that forwarding was switched on here.
pub(crate) fn remember_forwarding(name: &str) -> Result<(), Error> {
    let failed = |source| set_up_error(name, source);
    let socket = Socket::open(Family::Route).map_err(failed)?;
    if find(&socket, name)?.is_none_or(|link| link.alias != ALIAS) {
        return Ok(());
    }
    let mut batch = Messages::new();
    netlink::set_up(&mut batch, name, Some(ALIAS_FORWARDING));
    socket.execute_all(&batch).map_err(failed)
}

/// The bridge of this name.
pub(crate) fn find(socket: &Socket, name: &str) -> Result<Option<Link>, Error> {
    match netlink::link(socket, name).map_err(|source| Error::List { what: "links", source })? {
        Some(link) if link.kind.as_deref() != Some("bridge") => {
            Err(Error::NotABridge { name: name.to_owned() })
        }
        found => Ok(found),
    }
}

fn create(socket: &Socket, name: &str, gateway: Ipv4Net) -> Result<Link, Error> {
    let mut batch = Messages::new();
    netlink::add_bridge(&mut batch, name, Mac::of(gateway.address()).0);
    netlink::set_up(&mut batch, name, Some(ALIAS));
    socket.execute_all(&batch).map_err(|source| set_up_error(name, source))?;
    find(socket, name)?.ok_or_else(|| Error::NoBridge { name: name.to_owned() })
}

fn set_addresses(
    socket: &Socket,
    link: &Link,
    present: &[Ipv4Net],
    want: Ipv4Net,
) -> Result<(), netlink::Error> {
    let mut batch = Messages::new();
    let address = |net: Ipv4Net| Address { link: link.index, address: net.address(), prefix: net.prefix() };
    for old in present.iter().filter(|old| **old != want && is_ours(link)) {
        netlink::delete_address(&mut batch, &address(*old));
    }
    if !present.contains(&want) {
        netlink::add_address(&mut batch, &address(want));
    }
    if !link.up {
        netlink::set_up(&mut batch, &link.name, None);
    }
    for result in socket.execute(&batch)? {
        match result {
            Err(error) if !matches!(error.errno(), Some(Errno::EXIST | Errno::ADDRNOTAVAIL)) => {
                return Err(error);
            }
            _ => {}
        }
    }
    Ok(())
}

fn first_free(socket: &Socket) -> Result<Option<Ipv4Net>, Error> {
    let taken: Vec<Ipv4Net> = ways(socket, SHORTEST_NETWORK)?.into_iter().map(|(_, net)| net).collect();
    Ok(ipam::first_free(&taken))
}

fn addresses_of(socket: &Socket, link: &Link) -> Result<Vec<Ipv4Net>, Error> {
    Ok(list_addresses(socket)?.into_iter().filter(|a| a.link == link.index).filter_map(net).collect())
}

/// Every network that a link is in, or that the host has a route to with at least this prefix length, and the link.
fn ways(socket: &Socket, shortest: u8) -> Result<Vec<(u32, Ipv4Net)>, Error> {
    let routes = netlink::routes(socket).map_err(|source| Error::List { what: "routes", source })?;
    let routes = routes.into_iter().filter(|route| route.prefix >= shortest);
    let all = list_addresses(socket)?.into_iter().chain(routes);
    let all = all.filter_map(|address| Some((address.link, net(address)?)));
    Ok(all.filter(|(_, net)| net.prefix() >= SHORTEST_NETWORK).collect())
}

fn is_ours(link: &Link) -> bool {
    link.alias == ALIAS || link.alias == ALIAS_FORWARDING
}

fn list_addresses(socket: &Socket) -> Result<Vec<Address>, Error> {
    netlink::addresses(socket).map_err(|source| Error::List { what: "addresses", source })
}

const fn net(address: Address) -> Option<Ipv4Net> {
    Ipv4Net::new(address.address, address.prefix)
}

fn set_up_error(name: &str, source: netlink::Error) -> Error {
    Error::SetUpBridge { name: name.to_owned(), source }
}
