//! A container's network: addresses, the bridge, the veth pair into the container's network name space, host ports and
//! the firewall.
//!
//! Everything blocks, keeps no state of its own between calls (except [`Ports`], which the engine owns), and marks what
//! it makes in the kernel with the container's id: the link's alias, the comment of an nf_tables element. So whoever
//! comes after a crash can tell what belongs to whom ([`endpoint::owners`], [`firewall::owners`]) and remove the rest
//! ([`sweep`]).
//!
//! All calls act on the network name space of the calling thread.

mod address;
mod error;
mod ipam;
mod ports;
mod sysctl;

pub mod bridge;
pub mod endpoint;
pub mod firewall;

pub use address::{Ipv4Net, Mac, ParseMacError, ParseNetError};
pub use bridge::{Bridge, BridgeConfig, ensure_bridge, refuse_taken, remove_bridge};
pub use endpoint::{Endpoint, attach, detach};
pub use error::Error;
pub use firewall::Firewall;
pub use ipam::Ipam;
pub use ports::{PortMapping, PortRequest, Ports, Protocol, Reserved, all_addresses};

use sampan_spec::ContainerId;
use std::collections::BTreeSet;

/// Removes the links of `bridge` and the published ports in the firewall's table that no container of `known` claims.
/// Returns the ids of the containers whose remains these were. For the engine's start, before any container is started.
pub fn sweep(
    firewall: &Firewall,
    bridge: &str,
    known: &BTreeSet<ContainerId>,
) -> Result<BTreeSet<ContainerId>, Error> {
    let mut gone = endpoint::sweep(bridge, known)?;
    gone.extend(firewall::sweep(firewall, known)?);
    Ok(gone)
}

/// Removes what was made for a daemon with this bridge: the bridge itself, unless it is the administrator's, the firewall's
/// table, and the rules in others' tables. What is not there is no error. For after the last daemon.
pub fn clear(bridge: &str) -> Result<(), Error> {
    let forwarding = bridge::switched_forwarding(bridge)?;
    remove_bridge(bridge)?;
    let table = firewall::table_name(bridge);
    firewall::remove_after(&Firewall { table, networks: Vec::new() }, forwarding)
}
