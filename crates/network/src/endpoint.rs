//! A container's end of the bridge: a veth pair with one end in the container's network name space.
//!
//! Two batches: one on the host makes the pair with the other end already in its place, one through the socket inside
//! gives that its address and route. The host's end is called `sv` and ten digits of the container's id. Its alias is
//! the whole id and the bridge's name: a bridge that is removed leaves its links behind, and they are still its own.

use crate::{Bridge, Error, Ipv4Net, Mac};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use sampan_spec::ContainerId;
use sampan_sys::netlink::{self, Address, Family, Link, Messages, NewVeth, Socket};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// The container's end of the pair is called so, as in Docker.
pub const INTERFACE: &str = "eth0";

/// How long the bridge may take to notice a new port before it is left to itself.
const CARRIER: Duration = Duration::from_millis(200);
/// How often a name that is still taken by the last run's dying link is tried again.
const TRIES: usize = 3;

/// A container's connection to a bridge.
#[derive(Clone, Debug)]
pub struct Endpoint<'a> {
    /// The container.
    pub container: &'a ContainerId,
    /// The bridge.
    pub bridge: &'a Bridge,
    /// The container's network name space.
    pub netns: BorrowedFd<'a>,
    /// A NETLINK_ROUTE socket that was opened in it.
    pub netlink: BorrowedFd<'a>,
    /// The container's address with the subnet's prefix length.
    pub address: Ipv4Net,
    /// The default route's next hop.
    pub gateway: Ipv4Addr,
    /// The hardware address, as a rule [`Mac::of`] the address.
    pub mac: Mac,
}

/// Connects the container: the pair of links, address, default route, all up. `lo` is the runtime's business.
///
/// A link of the same container that is left from an earlier run, whose name space is dying, is removed.
pub fn attach(endpoint: &Endpoint<'_>) -> Result<(), Error> {
    let host = host_name(endpoint.container);
    make_link(endpoint, &host).map_err(|source| Error::MakeLink {
        host: host.clone(),
        sandbox: INTERFACE.to_owned(),
        source,
    })?;
    configure(endpoint).map_err(|source| Error::ConfigureLink {
        link: INTERFACE.to_owned(),
        address: endpoint.address,
        source,
    })?;
    announce(endpoint, &host).map_err(|source| Error::List { what: "links", source })
}

/// Takes a container off the bridge while it runs. Takes some 20 ms: never on the way of an end or a removal, where the
/// links vanish with the name space. A container without a link is no error.
pub fn detach(container: &ContainerId) -> Result<(), Error> {
    delete(&open()?, &host_name(container))
}

/// Connects a container's link again to a bridge that was removed and made anew. One that is connected, or is not there
/// any more, is no error.
pub fn rejoin(container: &ContainerId, bridge: &Bridge) -> Result<(), Error> {
    let socket = open()?;
    let name = host_name(container);
    let failed = |source| Error::JoinLink { link: name.clone(), bridge: bridge.name.clone(), source };
    let link = netlink::link(&socket, &name).map_err(failed)?;
    if link.is_none_or(|link| link.master == Some(bridge.index)) {
        return Ok(());
    }
    let mut batch = Messages::new();
    netlink::set_master(&mut batch, &name, bridge.index);
    netlink::mark_bridge_port(&mut batch, &name, &alias(container, &bridge.name));
    match socket.execute_all(&batch) {
        Err(error) if error.errno() == Some(Errno::NODEV) => Ok(()),
        result => result.map_err(failed),
    }
}

/// The containers that have a link for `bridge`, whether or not that is there.
pub fn owners(bridge: &str) -> Result<BTreeSet<ContainerId>, Error> {
    Ok(links(&open()?, bridge)?.into_iter().map(|(id, _)| id).collect())
}

/// Removes the links for `bridge` whose container is not in `known`, and returns those containers.
pub fn sweep(bridge: &str, known: &BTreeSet<ContainerId>) -> Result<BTreeSet<ContainerId>, Error> {
    let socket = open()?;
    let mut gone = BTreeSet::new();
    for (id, link) in links(&socket, bridge)?.into_iter().filter(|(id, _)| !known.contains(id)) {
        delete(&socket, &link.name)?;
        gone.insert(id);
    }
    Ok(gone)
}

/// The name of the host's end of a container's pair.
pub fn host_name(container: &ContainerId) -> String {
    format!("sv{}", &container.as_str()[..10])
}

fn make_link(endpoint: &Endpoint<'_>, host: &str) -> Result<(), netlink::Error> {
    let socket = Socket::open(Family::Route)?;
    for _ in 1..TRIES {
        match try_make_link(&socket, endpoint, host) {
            Err(error) if error.errno() == Some(Errno::EXIST) => {
                let mut batch = Messages::new();
                netlink::delete_link(&mut batch, host);
                // It may be gone by now.
                socket.execute(&batch)?;
            }
            done => return done,
        }
    }
    try_make_link(&socket, endpoint, host)
}

fn try_make_link(socket: &Socket, endpoint: &Endpoint<'_>, host: &str) -> Result<(), netlink::Error> {
    let mut batch = Messages::new();
    netlink::add_veth(
        &mut batch,
        &NewVeth {
            name: host,
            master: endpoint.bridge.index,
            peer: INTERFACE,
            peer_mac: endpoint.mac.0,
            netns: endpoint.netns,
        },
    );
    netlink::mark_bridge_port(&mut batch, host, &alias(endpoint.container, &endpoint.bridge.name));
    socket.execute_all(&batch)
}

fn configure(endpoint: &Endpoint<'_>) -> Result<(), netlink::Error> {
    let inside = Socket::borrowed(endpoint.netlink)?;
    let link = netlink::link(&inside, INTERFACE)?.ok_or(Errno::NODEV)?;
    let mut batch = Messages::new();
    netlink::without_ipv6_address(&mut batch, INTERFACE);
    netlink::add_address(
        &mut batch,
        &Address { link: link.index, address: endpoint.address.address(), prefix: endpoint.address.prefix() },
    );
    netlink::set_up(&mut batch, INTERFACE, None);
    netlink::add_default_route(&mut batch, link.index, endpoint.gateway);
    let results = inside.execute(&batch)?;
    // The first is refused where there is no IPv6, and then not needed.
    results.into_iter().skip(1).collect()
}

/// Sees to it that the first packet arrives, in both directions.
///
/// The kernel tells the bridge of its new port's carrier a moment later; what the container sends until then is lost,
/// and sent again after a second. (Kernels from 6.8 do that at the latest when a link is asked for.) And the bridge may
/// still look for this hardware address behind the dying link of a container that had the same IP address.
fn announce(endpoint: &Endpoint<'_>, host: &str) -> Result<(), netlink::Error> {
    let socket = Socket::open(Family::Route)?;
    let Some(port) = await_carrier(&socket, endpoint.bridge.index, host)? else { return Ok(()) };
    let mut batch = Messages::new();
    netlink::add_bridge_entry(&mut batch, port, endpoint.mac.0);
    // Only a short cut for what the bridge learns from the container's first packet.
    socket.execute(&batch)?;
    Ok(())
}

/// Waits until port and bridge carry packets, but not for ever. Returns the port's index, or `None` if it is gone.
fn await_carrier(socket: &Socket, bridge: u32, host: &str) -> Result<Option<u32>, netlink::Error> {
    let (port, carries) = state(socket, bridge, host)?;
    if carries {
        return Ok(port);
    }
    let changes = Socket::open(Family::Route)?;
    changes.join(netlink::link_changes())?;
    let deadline = Instant::now() + CARRIER;
    while !state(socket, bridge, host)?.1 {
        let Ok(left) = Timespec::try_from(deadline.saturating_duration_since(Instant::now())) else { break };
        let mut ready = [PollFd::new(&changes, PollFlags::IN)];
        if rustix::io::retry_on_intr(|| poll(&mut ready, Some(&left)))? == 0 {
            break;
        }
        changes.receive(|_| ())?;
    }
    Ok(port)
}

/// The port's index, and whether there is nothing to wait for: port and bridge carry packets, or are gone.
fn state(socket: &Socket, bridge: u32, host: &str) -> Result<(Option<u32>, bool), netlink::Error> {
    let Some(port) = netlink::link(socket, host)? else { return Ok((None, true)) };
    let bridge = netlink::link_at(socket, bridge)?;
    Ok((Some(port.index), port.operational && bridge.is_none_or(|bridge| bridge.operational)))
}

fn open() -> Result<Socket, Error> {
    Socket::open(Family::Route).map_err(|source| Error::List { what: "links", source })
}

/// The links that were made for containers on this bridge.
fn links(socket: &Socket, bridge: &str) -> Result<Vec<(ContainerId, Link)>, Error> {
    let links = netlink::links(socket).map_err(|source| Error::List { what: "links", source })?;
    let owner = |link: &Link| link.alias.strip_suffix(bridge)?.strip_suffix(' ')?.parse().ok();
    Ok(links.into_iter().filter_map(|link| Some((owner(&link)?, link))).collect())
}

fn alias(container: &ContainerId, bridge: &str) -> String {
    format!("{container} {bridge}")
}

fn delete(socket: &Socket, name: &str) -> Result<(), Error> {
    let mut batch = Messages::new();
    netlink::delete_link(&mut batch, name);
    match socket.execute_all(&batch) {
        Err(error) if error.errno() == Some(Errno::NODEV) => Ok(()),
        result => result.map_err(|source| Error::RemoveLink { link: name.to_owned(), source }),
    }
}
