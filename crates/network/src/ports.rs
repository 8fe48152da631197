//! Host ports: which are free, and who has them.
//!
//! A published port is a DNAT rule, which would silently take the port from a program of the host that listens on it,
//! and later programs could listen there and never hear anything. So a port is *bound* (`bind`), which is also the test for
//! conflicts: it sees listeners, sockets that are only bound, IPv6 sockets that take IPv4 too, and addresses that are
//! not the host's, which a look through sock_diag would not all show.
//!
//! The sockets are not kept here: whoever reserves gets them, and hands them to the container's monitor, which holds them
//! as long as the container has the ports, whatever becomes of the daemon. A daemon that comes later learns from the
//! records who has which ([`Ports::adopt`]).

mod bind;

use crate::Error;
use rustix::process::{Resource, getrlimit};
use sampan_spec::ContainerId;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;

/// Where a port is taken from when none is asked for: Linux's default `net.ipv4.ip_local_port_range`, as Docker.
const EPHEMERAL: RangeInclusive<u16> = 32768..=60999;

/// The transport of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// Its number in the IP header (IANA protocol numbers).
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// A published port: what arrives at `host_ip:host_port` goes to `container_ip:container_port`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PortMapping {
    /// The transport.
    pub proto: Protocol,
    /// The host's address; unspecified (0.0.0.0, `::`) for all of its family.
    pub host_ip: IpAddr,
    /// The host's port, never 0.
    pub host_port: u16,
    /// The container's address.
    pub container_ip: Ipv4Addr,
    /// The container's port.
    pub container_port: u16,
}

impl fmt::Display for PortMapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { proto, host_ip, host_port, container_ip, container_port } = self;
        let host = SocketAddr::new(*host_ip, *host_port);
        write!(f, "{host}:{container_ip}:{container_port}/{proto}")
    }
}

/// A port to be published, as a user asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortRequest {
    /// The transport.
    pub proto: Protocol,
    /// The host's addresses, which all get the same port; unspecified for all of a family.
    pub host_ips: Vec<IpAddr>,
    /// The host's ports, the first free of which is taken; `None` for any free one.
    pub host_ports: Option<RangeInclusive<u16>>,
    /// The container's port.
    pub container_port: u16,
}

/// Ports that were taken.
#[derive(Debug, Default)]
pub struct Reserved {
    /// What is published where.
    pub mappings: Vec<PortMapping>,
    /// The sockets that hold the host's ports, one for each mapping. That of an IPv6 address takes what arrives.
    pub sockets: Vec<OwnedFd>,
}

/// The addresses where a port is published for which none was asked: all, of the families that this host has.
pub fn all_addresses() -> Vec<IpAddr> {
    let mut all = vec![IpAddr::V4(Ipv4Addr::UNSPECIFIED)];
    if bind::has_ipv6() {
        all.push(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
    }
    all
}

/// The host ports that containers have. The engine owns the only one of a daemon.
#[derive(Debug, Default)]
pub struct Ports {
    taken: BTreeMap<(Protocol, u16), Vec<Holder>>,
    next: BTreeMap<Protocol, u16>,
}

#[derive(Debug)]
struct Holder {
    container: ContainerId,
    host_ip: IpAddr,
}

impl Ports {
    /// None taken.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a host port for each request, for a container with this address; all of them or none.
    pub fn reserve(
        &mut self,
        container: &ContainerId,
        container_ip: Ipv4Addr,
        requests: &[PortRequest],
    ) -> Result<Reserved, Error> {
        check_room(requests.iter().map(|request| request.host_ips.len()).sum())?;
        let mut done = Reserved::default();
        for request in requests {
            if let Err(error) = self.reserve_one(container, container_ip, request, &mut done) {
                self.release_mappings(container, &done.mappings);
                return Err(error);
            }
        }
        Ok(done)
    }

    /// Takes the ports of a container that was found running.
    pub fn adopt(&mut self, container: &ContainerId, mappings: &[PortMapping]) {
        mappings.iter().for_each(|mapping| self.insert(container, mapping));
    }

    /// Gives back all ports of a container.
    pub fn release(&mut self, container: &ContainerId) {
        self.retain(|_, holder| holder.container != *container);
    }

    fn release_mappings(&mut self, container: &ContainerId, mappings: &[PortMapping]) {
        let given: BTreeSet<_> = mappings.iter().map(|m| (m.proto, m.host_port, m.host_ip)).collect();
        self.retain(|(proto, port), holder| {
            holder.container != *container || !given.contains(&(proto, port, holder.host_ip))
        });
    }

    fn retain(&mut self, keep: impl Fn((Protocol, u16), &Holder) -> bool) {
        self.taken.retain(|key, holders| {
            holders.retain(|holder| keep(*key, holder));
            !holders.is_empty()
        });
    }

    /// Takes the first port that is free on all addresses.
    fn reserve_one(
        &mut self,
        container: &ContainerId,
        container_ip: Ipv4Addr,
        request: &PortRequest,
        done: &mut Reserved,
    ) -> Result<(), Error> {
        let range = request.host_ports.clone().unwrap_or(EPHEMERAL);
        let one = range.start() == range.end();
        let from = self.next.get(&request.proto).filter(|_| request.host_ports.is_none());
        for port in in_order(&range, from.copied()) {
            match self.try_reserve(request, port, container_ip) {
                Ok(reserved) => {
                    reserved.mappings.iter().for_each(|mapping| self.insert(container, mapping));
                    self.note_given(request.proto, port);
                    done.mappings.extend(reserved.mappings);
                    done.sockets.extend(reserved.sockets);
                    return Ok(());
                }
                Err(error) if one || !is_taken(&error) => return Err(error),
                Err(_) => {}
            }
        }
        Err(Error::NoFreePort { ports: range })
    }

    fn try_reserve(
        &self,
        request: &PortRequest,
        host_port: u16,
        container_ip: Ipv4Addr,
    ) -> Result<Reserved, Error> {
        let (proto, container_port) = (request.proto, request.container_port);
        let mapping = |host_ip| PortMapping { proto, host_ip, host_port, container_ip, container_port };
        let mappings: Vec<PortMapping> = request.host_ips.iter().copied().map(mapping).collect();
        if let Some(address) = mappings.iter().find_map(|mapping| self.holder_of(mapping)) {
            return Err(Error::PortAllocated { address, port: host_port });
        }
        let hold =
            |m: &PortMapping| bind::hold(m).map_err(|source| Error::BindHostPort { mapping: *m, source });
        let sockets = mappings.iter().map(hold).collect::<Result<_, _>>()?;
        Ok(Reserved { mappings, sockets })
    }

    /// The address at which another container has the port already.
    fn holder_of(&self, mapping: &PortMapping) -> Option<IpAddr> {
        let overlap = |other: IpAddr| {
            let wanted = mapping.host_ip;
            other.is_ipv4() == wanted.is_ipv4()
                && (other == wanted || other.is_unspecified() || wanted.is_unspecified())
        };
        let holders = self.taken.get(&(mapping.proto, mapping.host_port)).into_iter().flatten();
        holders.map(|holder| holder.host_ip).find(|address| overlap(*address))
    }

    fn insert(&mut self, container: &ContainerId, mapping: &PortMapping) {
        let holder = Holder { container: container.clone(), host_ip: mapping.host_ip };
        self.taken.entry((mapping.proto, mapping.host_port)).or_default().push(holder);
    }

    fn note_given(&mut self, proto: Protocol, port: u16) {
        if EPHEMERAL.contains(&port) {
            self.next.insert(proto, port.saturating_add(1));
        }
    }
}

/// The ports of the range; with a first one, in a circle from there, so that a port is not reused at once.
fn in_order(range: &RangeInclusive<u16>, first: Option<u16>) -> impl Iterator<Item = u16> + use<> {
    let start = first.filter(|first| range.contains(first)).unwrap_or(*range.start());
    (start..=*range.end()).chain(*range.start()..start)
}

/// Whether so many sockets can be had, here for a moment and in the monitor. A quarter is left for everything else.
fn check_room(sockets: usize) -> Result<(), Error> {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let room = usize::try_from(limit / 4 * 3).unwrap_or(usize::MAX);
    if sockets > room { Err(Error::TooManyPorts { sockets, room }) } else { Ok(()) }
}

fn is_taken(error: &Error) -> bool {
    match error {
        Error::PortAllocated { .. } => true,
        Error::BindHostPort { source, .. } => source.kind() == io::ErrorKind::AddrInUse,
        _ => false,
    }
}
