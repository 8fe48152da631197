//! The firewall: one nf_tables table of our own with the rules of all bridges, where a published port is an element of
//! a map, with its container's id as the comment.
//!
//! Here are the table's contents as values and the ways to change them; the rules are in `ruleset`, what concerns the
//! rest of the host (forwarding, other tables) is in `host`, following their changes in `watch`, and exchanges that go on
//! over a change in `flows`.

mod flows;
mod host;
mod ruleset;
mod watch;

pub use host::Obstacle;
pub use watch::watch;

use crate::{Error, Ipv4Net, PortMapping};
use ruleset::{ANY_ADDRESS, ONE_ADDRESS};
use rustix::io::Errno;
use sampan_spec::ContainerId;
use sampan_sys::netlink::{self, Socket};
use sampan_sys::nft::{self, Batch, Element, Family, Table};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

/// The bit of a packet's mark that says "one of ours, let it pass". It is set on what our bridges may send and get, and
/// looked at by the one rule that is put into a table which drops forwarded packets by policy.
pub const MARK: u32 = 0x0800_0000;

/// What the table is to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firewall {
    /// The table's name in the family `inet`; see [`table_name`].
    pub table: String,
    /// The networks it is for.
    pub networks: Vec<Network>,
}

/// A bridge and its rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// The bridge's name.
    pub bridge: String,
    /// Its subnet.
    pub subnet: Ipv4Net,
    /// Whether its containers may talk to each other.
    pub icc: bool,
    /// Whether what leaves the host gets the host's address.
    pub masquerade: bool,
}

/// The table's name for a daemon with this bridge: `sampan` for the default one; daemons side by side do not share.
pub fn table_name(bridge: &str) -> String {
    if bridge == "sampan0" { "sampan".to_owned() } else { format!("sampan-{bridge}") }
}

/// Brings the table into shape, switches forwarding on, and opens what other tables close. What could not be opened is
/// returned, for the daemon to say. Published ports stay as they are; after a loss of the table [`publish`] those of
/// each running container again.
pub fn ensure(firewall: &Firewall) -> Result<Vec<Obstacle>, Error> {
    let failed = |source| Error::SetUpFirewall { table: firewall.table.clone(), source };
    let socket = open().map_err(failed)?;
    let guard = host::needs_guard(&socket, firewall)?;
    commit_ruleset(&socket, firewall, guard).map_err(failed)?;
    if guard {
        host::refresh_neighbours(&socket, firewall, &host::neighbours(firewall)?)?;
        host::switch_forwarding_on(firewall)?;
    }
    host::open_paths(&socket)
}

/// Removes the table. If no other of ours is left, the rules in others' tables go too, and forwarding is switched off
/// if it was switched on here and nobody else seems to need it. The bridges remember that: remove them afterwards.
pub fn remove(firewall: &Firewall) -> Result<(), Error> {
    remove_after(firewall, host::is_remembered(firewall)?)
}

/// The same, where the bridges are gone and `forwarding` was switched on here as they remembered.
pub(crate) fn remove_after(firewall: &Firewall, forwarding: bool) -> Result<(), Error> {
    let failed = |source| Error::SetUpFirewall { table: firewall.table.clone(), source };
    let socket = open().map_err(failed)?;
    let forwarding = forwarding || host::has_guard(&socket, firewall)?;
    let mut batch = Batch::new();
    let table = table(firewall);
    batch.add_table(table);
    batch.delete_table(table);
    if forwarding {
        host::switch_forwarding_off(firewall)?;
    }
    batch.commit(&socket).map_err(failed)?;
    host::close_paths(&socket)
}

/// Publishes a container's ports, all or none. Those that are published already are no error; what another container
/// left at the same ports (see [`crate::Ports`] for who may have them) is replaced.
pub fn publish(firewall: &Firewall, container: &ContainerId, mappings: &[PortMapping]) -> Result<(), Error> {
    let failed = |source| Error::Publish { table: firewall.table.clone(), source };
    let socket = open().map_err(failed)?;
    let wanted = elements(container, mappings);
    let mut batch = Batch::new();
    for (map, elements) in &wanted {
        batch.add_elements(table(firewall), map, elements);
    }
    match batch.commit(&socket) {
        // There is another value at a key: the one word for it or the other, by the kernel's version.
        Err(error) if matches!(error.errno(), Some(Errno::EXIST | Errno::BUSY)) => {
            replace(&socket, firewall, &wanted).map_err(failed)?;
        }
        result => result.map_err(failed)?,
    }
    note_failure(flows::forget_untranslated(&socket, mappings));
    Ok(())
}

/// Takes a container's ports back. Those that are not published are no error.
pub fn unpublish(
    firewall: &Firewall,
    container: &ContainerId,
    mappings: &[PortMapping],
) -> Result<(), Error> {
    let failed = |source| Error::Unpublish { table: firewall.table.clone(), source };
    let socket = open().map_err(failed)?;
    let mut batch = Batch::new();
    for (map, elements) in elements(container, mappings) {
        batch.delete_elements(table(firewall), map, &elements);
    }
    match batch.commit(&socket) {
        Err(error) if error.errno() == Some(Errno::NOENT) => {
            delete_where(&socket, firewall, |owner| owner == Some(container)).map(drop)?;
        }
        result => result.map_err(failed)?,
    }
    note_failure(flows::forget_translated(&socket, mappings));
    Ok(())
}

/// The containers that have published ports.
pub fn owners(firewall: &Firewall) -> Result<BTreeSet<ContainerId>, Error> {
    let failed = |source| Error::ReadFirewall { table: firewall.table.clone(), source };
    let socket = open().map_err(failed)?;
    let mut owners = BTreeSet::new();
    for map in [ANY_ADDRESS, ONE_ADDRESS] {
        let elements = nft::elements(&socket, table(firewall), map).map_err(failed)?;
        owners.extend(elements.iter().filter_map(owner));
    }
    Ok(owners)
}

/// Takes back the ports of containers that are not in `known`, and returns those containers.
pub fn sweep(firewall: &Firewall, known: &BTreeSet<ContainerId>) -> Result<BTreeSet<ContainerId>, Error> {
    let socket = open().map_err(|source| Error::ReadFirewall { table: firewall.table.clone(), source })?;
    delete_where(&socket, firewall, |owner| !owner.is_some_and(|id| known.contains(id)))
}

/// The ports are as they should be; only old exchanges of datagrams go on for a while as they were.
fn note_failure(forgotten: Result<(), Error>) {
    if let Err(error) = forgotten {
        tracing::warn!(%error, "datagrams of clients that keep sending may go astray");
    }
}

fn open() -> Result<Socket, netlink::Error> {
    Socket::open(netlink::Family::Netfilter)
}

fn table(firewall: &Firewall) -> Table<'_> {
    Table { family: Family::Inet, name: &firewall.table }
}

fn commit_ruleset(socket: &Socket, firewall: &Firewall, guard: bool) -> Result<(), netlink::Error> {
    let mut batch = Batch::new();
    ruleset::write(&mut batch, firewall, guard);
    match batch.commit(socket) {
        // A table of another version, whose sets have other types. The ports are published anew by the daemon.
        Err(error) if matches!(error.errno(), Some(Errno::EXIST | Errno::BUSY | Errno::OPNOTSUPP)) => {
            let mut batch = Batch::new();
            batch.delete_table(table(firewall));
            ruleset::write(&mut batch, firewall, guard);
            batch.commit(socket)
        }
        result => result,
    }
}

fn replace(
    socket: &Socket,
    firewall: &Firewall,
    wanted: &[(&'static str, Vec<Element>)],
) -> Result<(), netlink::Error> {
    let mut batch = Batch::new();
    for (map, elements) in wanted {
        let keys: BTreeSet<&[u8]> = elements.iter().map(|element| element.key.as_slice()).collect();
        let mut old = nft::elements(socket, table(firewall), map)?;
        old.retain(|element| keys.contains(element.key.as_slice()));
        batch.delete_elements(table(firewall), map, &old);
        batch.add_elements(table(firewall), map, elements);
    }
    batch.commit(socket)
}

/// The elements of each map. What arrives at an IPv6 address is not the firewall's: containers have none.
fn elements(container: &ContainerId, mappings: &[PortMapping]) -> [(&'static str, Vec<Element>); 2] {
    let (mut any, mut one) = (Vec::new(), Vec::new());
    for mapping in mappings {
        if let IpAddr::V4(host_ip) = mapping.host_ip {
            let map = if host_ip.is_unspecified() { &mut any } else { &mut one };
            map.push(element(container, mapping, host_ip));
        }
    }
    [(ANY_ADDRESS, any), (ONE_ADDRESS, one)]
}

fn element(container: &ContainerId, mapping: &PortMapping, host_ip: Ipv4Addr) -> Element {
    let mut key = Vec::with_capacity(12);
    if !host_ip.is_unspecified() {
        key.extend_from_slice(&host_ip.octets());
    }
    key.extend_from_slice(&[mapping.proto.number(), 0, 0, 0]);
    key.extend_from_slice(&padded_port(mapping.host_port));
    let mut value = mapping.container_ip.octets().to_vec();
    value.extend_from_slice(&padded_port(mapping.container_port));
    Element { key, value, comment: container.to_string(), range_end: false }
}

fn padded_port(port: u16) -> [u8; 4] {
    let [high, low] = port.to_be_bytes();
    [high, low, 0, 0]
}

/// A set element for a network: the first address, and the first one behind it.
fn range(net: Ipv4Net) -> [Element; 2] {
    let edge = |address: Ipv4Addr, range_end| Element {
        key: address.octets().to_vec(),
        range_end,
        ..Element::default()
    };
    let behind = Ipv4Addr::from_bits(net.broadcast().to_bits().wrapping_add(1));
    [edge(net.network().address(), false), edge(behind, true)]
}

fn owner(element: &Element) -> Option<ContainerId> {
    element.comment.parse().ok()
}

fn delete_where(
    socket: &Socket,
    firewall: &Firewall,
    unwanted: impl Fn(Option<&ContainerId>) -> bool,
) -> Result<BTreeSet<ContainerId>, Error> {
    let mut gone = BTreeSet::new();
    let mut batch = Batch::new();
    for map in [ANY_ADDRESS, ONE_ADDRESS] {
        let mut elements = nft::elements(socket, table(firewall), map)
            .map_err(|source| Error::ReadFirewall { table: firewall.table.clone(), source })?;
        elements.retain(|element| unwanted(owner(element).as_ref()));
        gone.extend(elements.iter().filter_map(owner));
        batch.delete_elements(table(firewall), map, &elements);
    }
    batch.commit(socket).map_err(|source| Error::Unpublish { table: firewall.table.clone(), source })?;
    Ok(gone)
}
