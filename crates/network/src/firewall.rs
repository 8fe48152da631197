//! The firewall: one nf_tables table of our own with the rules of all bridges, where a published port is an element of
//! a map.

use crate::{Error, Ipv4Net, PortMapping};
use sampan_spec::ContainerId;
use std::collections::BTreeSet;
use std::os::fd::BorrowedFd;

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

/// Something of another owner that stops our packets and that cannot be opened from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// A chain on the forward hook that drops by policy and refused our rule.
    Chain {
        /// Its table, with the family.
        table: String,
        /// Its name.
        chain: String,
        /// The errno of the refusal.
        errno: i32,
    },
    /// firewalld runs: it owns its table and rejects what its zones do not know.
    Firewalld,
    /// The old iptables (not iptables-nft) has rules, whose policy is not seen from here.
    LegacyIptables,
}

/// The table's name for a daemon with this bridge: `sampan` for the default one, so that daemons side by side do not
/// share a table.
pub fn table_name(bridge: &str) -> String {
    if bridge == "sampan0" { "sampan".to_owned() } else { format!("sampan-{bridge}") }
}

/// Brings the table into shape, switches forwarding on, and opens what other tables close. Published ports are not
/// touched; call [`publish`] for each running container if the table may have been lost.
pub fn ensure(firewall: &Firewall) -> Result<Vec<Obstacle>, Error> {
    Err(Error::NoBridge { name: firewall.table.clone() })
}

/// Removes the table and the rules in other tables.
pub fn remove(table: &str) -> Result<(), Error> {
    Err(Error::NoBridge { name: table.to_owned() })
}

/// Publishes a container's ports, all or none. Those that are published already are no error.
pub fn publish(firewall: &Firewall, container: &ContainerId, mappings: &[PortMapping]) -> Result<(), Error> {
    let _ = (container, mappings);
    Err(Error::NoBridge { name: firewall.table.clone() })
}

/// Takes a container's ports back. Those that are not published are no error.
pub fn unpublish(
    firewall: &Firewall,
    container: &ContainerId,
    mappings: &[PortMapping],
) -> Result<(), Error> {
    publish(firewall, container, mappings)
}

/// The containers that have published ports.
pub fn owners(firewall: &Firewall) -> Result<BTreeSet<ContainerId>, Error> {
    Err(Error::NoBridge { name: firewall.table.clone() })
}

/// Takes back the ports of containers that are not in `known`, and returns those containers.
pub fn sweep(firewall: &Firewall, known: &BTreeSet<ContainerId>) -> Result<BTreeSet<ContainerId>, Error> {
    Ok(owners(firewall)?.difference(known).cloned().collect())
}

/// Waits for changes that others make to the firewall (a reload that removed our table, a new chain that drops), and
/// calls `changed` after each burst of them; the callback brings things back with [`ensure`] and [`publish`]. Blocks
/// until `stop` becomes readable or is closed at its other end.
pub fn watch(firewall: &Firewall, stop: BorrowedFd<'_>, changed: impl FnMut()) -> Result<(), Error> {
    let _ = (stop, changed);
    Err(Error::NoBridge { name: firewall.table.clone() })
}
