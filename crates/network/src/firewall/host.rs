//! The rest of the host: forwarding, which must not make it a router, and the tables of others, which must let our
//! packets pass.
//!
//! Forwarding needs `net.ipv4.ip_forward`. Where that was off, nobody meant this host to pass packets between any two
//! of its networks; so before it is switched on, a guard chain drops whatever is neither from nor to a bridge of ours.
//! Bridges that other programs made for their containers or machines (a bridge whose ports are all virtual) are left
//! alone: those programs filter what passes there, and would have switched forwarding on themselves. So is what stays
//! on one bridge: that is not forwarded at all, and passes here only where bridges are made to ask the IP firewall.

use super::ruleset::{BASE_CHAINS, BRIDGED, GUARD, NEIGHBOURS, interface, marked};
use super::{Firewall, table};
use crate::{Error, bridge, sysctl};
use sampan_sys::netlink::{self, Link, Socket};
use sampan_sys::nft::{self, BaseChain, Batch, Element, Expression, Family, Table, TableInfo, Verdict};
use std::collections::BTreeSet;

/// The comment of our rule in others' tables.
const COMMENT: &str = "sampan";
/// The chain that dockerd asks users to put their rules in, before its own.
const DOCKER_USER: &str = "DOCKER-USER";
/// The table of firewalld.
const FIREWALLD: &str = "firewalld";
const IP_FORWARD: &str = "ipv4/ip_forward";

/// Something of another owner that stops our packets and that cannot be opened from here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// A chain on the forward hook that drops by policy and refused our rule.
    #[error(
        "chain {chain} of table {table} drops forwarded packets and takes no rule (errno {errno}): published ports may be out of reach"
    )]
    Chain {
        /// Its table.
        table: String,
        /// Its name.
        chain: String,
        /// The errno of the refusal.
        errno: i32,
    },
    /// firewalld runs: it owns its table and rejects what its zones do not know.
    #[error(
        "firewalld is running: put the bridge into its zone \"trusted\", or it may reject forwarded packets"
    )]
    Firewalld,
    /// The old iptables (not iptables-nft) has rules, whose policy is not seen from here.
    #[error(
        "iptables-legacy has a filter table, whose policy is not seen from here: if it drops forwarded packets, accept those with mark 0x8000000/0x8000000"
    )]
    LegacyIptables,
}

/// Whether the guard has to be there: it is, or it was and was lost, or forwarding is still off.
pub(super) fn needs_guard(socket: &Socket, firewall: &Firewall) -> Result<bool, Error> {
    Ok(has_guard(socket, firewall)? || !sysctl::is_on(IP_FORWARD)? || is_remembered(firewall)?)
}

/// Whether a bridge remembers that forwarding was switched on here.
pub(super) fn is_remembered(firewall: &Firewall) -> Result<bool, Error> {
    for network in &firewall.networks {
        if bridge::switched_forwarding(&network.bridge)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the guard chain is there.
pub(super) fn has_guard(socket: &Socket, firewall: &Firewall) -> Result<bool, Error> {
    let chains = nft::base_chains(socket).map_err(|source| read_error(firewall, source))?;
    Ok(chains.iter().any(|c| c.family == Family::Inet && c.table == firewall.table && c.name == GUARD))
}

/// Whether our table is there with all its chains.
pub(super) fn has_table(socket: &Socket, firewall: &Firewall) -> Result<bool, Error> {
    let chains = nft::base_chains(socket).map_err(|source| read_error(firewall, source))?;
    let ours =
        chains.iter().filter(|c| c.family == Family::Inet && c.table == firewall.table && c.name != GUARD);
    Ok(ours.count() == BASE_CHAINS.len())
}

/// Whether all our bridges are there.
pub(super) fn has_bridges(firewall: &Firewall) -> Result<bool, Error> {
    let failed = |source| Error::List { what: "links", source };
    let socket = Socket::open(netlink::Family::Route).map_err(failed)?;
    for network in &firewall.networks {
        if netlink::link(&socket, &network.bridge).map_err(failed)?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Switches forwarding on, behind the guard.
pub(super) fn switch_forwarding_on(firewall: &Firewall) -> Result<(), Error> {
    for network in &firewall.networks {
        bridge::remember_forwarding(&network.bridge)?;
    }
    sysctl::set(IP_FORWARD, true)
}

/// Switches forwarding off, unless a bridge of somebody else is there.
pub(super) fn switch_forwarding_off(firewall: &Firewall) -> Result<(), Error> {
    if neighbours(firewall)?.bridges.is_empty() { sysctl::set(IP_FORWARD, false) } else { Ok(()) }
}

/// Writes the names of others' bridges into the guard's sets.
pub(super) fn refresh_neighbours(
    socket: &Socket,
    firewall: &Firewall,
    neighbours: &Neighbours,
) -> Result<(), Error> {
    let element = |key| Element { key, ..Element::default() };
    let ways: Vec<_> = neighbours.free.iter().map(|name| element(interface(name))).collect();
    let pairs: Vec<_> = neighbours.bridges.iter().map(|name| element(interface(name).repeat(2))).collect();
    let mut batch = Batch::new();
    for (set, elements) in [(NEIGHBOURS, ways), (BRIDGED, pairs)] {
        batch.flush_set(table(firewall), set);
        batch.add_elements(table(firewall), set, &elements);
    }
    batch.commit(socket).map_err(|source| Error::SetUpFirewall { table: firewall.table.clone(), source })
}

/// Puts our one rule into every chain of others that drops forwarded packets by policy, if it is not there yet; and into
/// firewalld's, which rejects them by its last rule.
pub(super) fn open_paths(socket: &Socket) -> Result<Vec<Obstacle>, Error> {
    let mut obstacles = Vec::new();
    for chain in foreign_chains(socket)?.iter().filter(|chain| chain.drops || chain.table == FIREWALLD) {
        if let Err(error) = open_path(socket, chain) {
            obstacles.push(obstacle(chain, &error));
        }
    }
    if std::fs::read_to_string("/proc/thread-self/net/ip_tables_names")
        .is_ok_and(|names| names.lines().any(|n| n == "filter"))
    {
        obstacles.push(Obstacle::LegacyIptables);
    }
    Ok(obstacles)
}

fn obstacle(chain: &BaseChain, error: &netlink::Error) -> Obstacle {
    if chain.table == FIREWALLD {
        return Obstacle::Firewalld;
    }
    let errno = error.errno().map_or(0, rustix::io::Errno::raw_os_error);
    Obstacle::Chain { table: chain.table.clone(), chain: chain.name.clone(), errno }
}

/// Takes our rule out of others' tables, if none of our own is left that needs it.
pub(super) fn close_paths(socket: &Socket) -> Result<(), Error> {
    let failed = |source| Error::Watch { source };
    if nft::tables(socket).map_err(failed)?.iter().any(is_ours) {
        return Ok(());
    }
    for chain in foreign_chains(socket)? {
        let table = Table { family: chain.family, name: &chain.table };
        for name in [chain.name.as_str(), DOCKER_USER] {
            let mut batch = Batch::new();
            let rules = nft::rules(socket, table, name).map_err(failed)?;
            for rule in rules.iter().filter(|rule| rule.comment == COMMENT) {
                batch.delete_rule(table, name, rule.handle);
            }
            batch.commit(socket).map_err(failed)?;
        }
    }
    Ok(())
}

/// The bridges of others.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Neighbours {
    /// All of them.
    bridges: BTreeSet<String>,
    /// Those with virtual ports only, through which no outside network is reached directly.
    free: BTreeSet<String>,
}

/// Lists the bridges of others.
pub(super) fn neighbours(firewall: &Firewall) -> Result<Neighbours, Error> {
    let failed = |source| Error::List { what: "links", source };
    let socket = Socket::open(netlink::Family::Route).map_err(failed)?;
    let links = netlink::links(&socket).map_err(failed)?;
    let ours = |link: &Link| firewall.networks.iter().any(|network| network.bridge == link.name);
    let mut found = Neighbours::default();
    for link in links.iter().filter(|link| link.kind.as_deref() == Some("bridge") && !ours(link)) {
        found.bridges.insert(link.name.clone());
        if has_virtual_ports_only(link, &links) {
            found.free.insert(link.name.clone());
        }
    }
    Ok(found)
}

fn has_virtual_ports_only(bridge: &Link, links: &[Link]) -> bool {
    let mut ports = links.iter().filter(|link| link.master == Some(bridge.index));
    ports.all(|port| matches!(port.kind.as_deref(), Some("veth" | "tun")))
}

fn is_ours(table: &TableInfo) -> bool {
    table.family == Family::Inet && is_our_name(&table.name)
}

/// Whether a table of the family `inet` is one of ours, of this daemon or another.
pub(super) fn is_our_name(table: &str) -> bool {
    table == "sampan" || table.starts_with("sampan-")
}

/// The chains of others where forwarded IPv4 packets pass.
fn foreign_chains(socket: &Socket) -> Result<Vec<BaseChain>, Error> {
    let mut chains = nft::base_chains(socket).map_err(|source| Error::Watch { source })?;
    chains.retain(|chain| {
        chain.hook == BaseChain::FORWARD
            && match chain.family {
                Family::Inet => !is_our_name(&chain.table),
                Family::Ip => true,
                Family::Other(_) => false,
            }
    });
    Ok(chains)
}

fn open_path(socket: &Socket, chain: &BaseChain) -> Result<(), netlink::Error> {
    let table = Table { family: chain.family, name: &chain.table };
    let rules = nft::rules(socket, table, &chain.name)?;
    let has_user_chain = rules.iter().any(|rule| rule.jumps.iter().any(|to| to == DOCKER_USER));
    let target = if has_user_chain { DOCKER_USER } else { &chain.name };
    if nft::rules(socket, table, target)?.iter().any(|rule| rule.comment == COMMENT) {
        return Ok(());
    }
    let accept = [Expression::Counter, Expression::Verdict(Verdict::Accept)];
    let mut batch = Batch::new();
    batch.insert_rule(table, target, &[&marked()[..], &accept].concat(), COMMENT);
    batch.commit(socket)
}

fn read_error(firewall: &Firewall, source: netlink::Error) -> Error {
    Error::ReadFirewall { table: firewall.table.clone(), source }
}
