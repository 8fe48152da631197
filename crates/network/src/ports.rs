//! Host ports: which are free, and keeping them.
//!
//! A published port is a DNAT rule, which would silently take the port from a program of the host that listens on it,
//! and later programs could listen there and never hear anything. So a port is *bound* (not listened on: an unpublished
//! port must refuse, not hang) for as long as the container has it and the daemon lives. The bind is also the test for
//! conflicts: it sees listeners, sockets that are only bound, IPv6 sockets that take IPv4 too, and addresses that are
//! not the host's, which a look through sock_diag would not all show.
//!
//! When the daemon dies the ports go on working, they are the firewall's; only this guard against latecomers pauses
//! until the next daemon calls [`Ports::adopt`]. What was bound in between keeps its socket, and the container the port.

use crate::Error;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};
use sampan_spec::ContainerId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;

/// Where a port is taken from when none is asked for: Linux's default `net.ipv4.ip_local_port_range`, as Docker.
const EPHEMERAL: RangeInclusive<u16> = 32768..=60999;

/// At most so many sockets are held, so that a published range of thousands of ports does not use up the daemon's
/// descriptors, of which the usual limit is 1024. Ports beyond are only tested.
const HELD_MAX: usize = 512;

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
    /// The host's address; unspecified (0.0.0.0) for all of them.
    pub host_ip: Ipv4Addr,
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
        write!(f, "{host_ip}:{host_port}:{container_ip}:{container_port}/{proto}")
    }
}

/// A port to be published, as a user asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortRequest {
    /// The transport.
    pub proto: Protocol,
    /// The host's address; unspecified (0.0.0.0) for all of them.
    pub host_ip: Ipv4Addr,
    /// The host's ports, the first free of which is taken; `None` for any free one.
    pub host_ports: Option<RangeInclusive<u16>>,
    /// The container's port.
    pub container_port: u16,
}

/// The host ports that containers have. The engine owns the only one of a daemon.
#[derive(Debug, Default)]
pub struct Ports {
    taken: BTreeMap<(Protocol, u16), Vec<Holder>>,
    held: usize,
    next: u16,
}

#[derive(Debug)]
struct Holder {
    container: ContainerId,
    host_ip: Ipv4Addr,
    socket: Option<OwnedFd>,
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
    ) -> Result<Vec<PortMapping>, Error> {
        let mut done = Vec::with_capacity(requests.len());
        for request in requests {
            match self.reserve_one(container, container_ip, request) {
                Ok(mapping) => done.push(mapping),
                Err(error) => {
                    self.release_mappings(container, &done);
                    return Err(error);
                }
            }
        }
        Ok(done)
    }

    /// Takes the ports of a container that was found running, whoever else has bound them. Returns those that another
    /// program has bound.
    pub fn adopt(&mut self, container: &ContainerId, mappings: &[PortMapping]) -> Vec<PortMapping> {
        let mut foreign = Vec::new();
        for mapping in mappings {
            let socket = self.hold(mapping);
            if socket.is_err() {
                foreign.push(*mapping);
            }
            self.insert(container, mapping, socket.ok().flatten());
        }
        foreign
    }

    /// Gives back all ports of a container.
    pub fn release(&mut self, container: &ContainerId) {
        self.retain(|_, holder| holder.container != *container);
    }

    fn release_mappings(&mut self, container: &ContainerId, mappings: &[PortMapping]) {
        self.retain(|(proto, port), holder| {
            holder.container != *container
                || !mappings
                    .iter()
                    .any(|m| (m.proto, m.host_port, m.host_ip) == (proto, port, holder.host_ip))
        });
    }

    fn retain(&mut self, keep: impl Fn((Protocol, u16), &Holder) -> bool) {
        let mut held = 0;
        self.taken.retain(|key, holders| {
            holders.retain(|holder| keep(*key, holder));
            held += holders.iter().filter(|h| h.socket.is_some()).count();
            !holders.is_empty()
        });
        self.held = held;
    }

    fn reserve_one(
        &mut self,
        container: &ContainerId,
        container_ip: Ipv4Addr,
        request: &PortRequest,
    ) -> Result<PortMapping, Error> {
        let mut mapping = PortMapping {
            proto: request.proto,
            host_ip: request.host_ip,
            host_port: 0,
            container_ip,
            container_port: request.container_port,
        };
        let range = request.host_ports.clone().unwrap_or(EPHEMERAL);
        let one = range.start() == range.end();
        for port in self.in_order(&range, request.host_ports.is_none()) {
            mapping.host_port = port;
            match self.try_reserve(container, &mapping) {
                Ok(()) => return Ok(mapping),
                Err(error) if one || !is_taken(&error) => return Err(error),
                Err(_) => {}
            }
        }
        Err(Error::NoFreePort { address: request.host_ip, ports: range })
    }

    /// The ports of the range; of the ephemeral one starting behind the last that was given away, so that a port is not
    /// reused at once.
    fn in_order(&self, range: &RangeInclusive<u16>, rotate: bool) -> impl Iterator<Item = u16> + use<> {
        let start = if rotate && range.contains(&self.next) { self.next } else { *range.start() };
        (start..=*range.end()).chain(*range.start()..start)
    }

    fn try_reserve(&mut self, container: &ContainerId, mapping: &PortMapping) -> Result<(), Error> {
        if self.is_allocated(mapping) {
            return Err(Error::PortAllocated { address: mapping.host_ip, port: mapping.host_port });
        }
        let socket =
            self.hold(mapping).map_err(|source| Error::BindHostPort { mapping: *mapping, source })?;
        self.insert(container, mapping, socket);
        if EPHEMERAL.contains(&mapping.host_port) {
            self.next = mapping.host_port.saturating_add(1);
        }
        Ok(())
    }

    fn is_allocated(&self, mapping: &PortMapping) -> bool {
        self.taken.get(&(mapping.proto, mapping.host_port)).into_iter().flatten().any(|holder| {
            holder.host_ip == mapping.host_ip
                || holder.host_ip.is_unspecified()
                || mapping.host_ip.is_unspecified()
        })
    }

    fn insert(&mut self, container: &ContainerId, mapping: &PortMapping, socket: Option<OwnedFd>) {
        self.held += usize::from(socket.is_some());
        let holder = Holder { container: container.clone(), host_ip: mapping.host_ip, socket };
        self.taken.entry((mapping.proto, mapping.host_port)).or_default().push(holder);
    }

    fn hold(&self, mapping: &PortMapping) -> io::Result<Option<OwnedFd>> {
        let socket = match bind_port(mapping, false) {
            // Connections of a server that has just ended are in TIME_WAIT: no conflict.
            Err(rustix::io::Errno::ADDRINUSE) if mapping.proto == Protocol::Tcp => bind_port(mapping, true)?,
            other => other?,
        };
        Ok((self.held < HELD_MAX).then_some(socket))
    }
}

fn is_taken(error: &Error) -> bool {
    match error {
        Error::PortAllocated { .. } => true,
        Error::BindHostPort { source, .. } => source.kind() == io::ErrorKind::AddrInUse,
        _ => false,
    }
}

fn bind_port(mapping: &PortMapping, reuse: bool) -> rustix::io::Result<OwnedFd> {
    let kind = match mapping.proto {
        Protocol::Tcp => SocketType::STREAM,
        Protocol::Udp => SocketType::DGRAM,
    };
    let socket = socket_with(AddressFamily::INET, kind, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_reuseaddr(&socket, reuse)?;
    sockopt::set_socket_recv_buffer_size(&socket, 0)?;
    bind(&socket, &SocketAddrV4::new(mapping.host_ip, mapping.host_port))?;
    Ok(socket)
}
