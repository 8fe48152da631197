//! The socket that holds a port of the host.
//!
//! Of an IPv4 port it only occupies the port: what arrives there is the firewall's, and where that has no rule (yet, or any
//! more) a client must be refused, not left waiting. Of an IPv6 port it also takes what arrives.

use super::{PortMapping, Protocol};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, Shutdown, SocketFlags, SocketType, bind, listen, shutdown, socket_with, sockopt,
};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::OwnedFd;

/// How many connections may wait until they are relayed.
const BACKLOG: i32 = 4096;

/// Binds a port. Fails if anybody else has it: a listener, a socket that is only bound, or an IPv6 socket that takes IPv4
/// too. Afterwards nobody else can bind it.
pub(super) fn hold(mapping: &PortMapping) -> io::Result<OwnedFd> {
    match bind_port(mapping, false) {
        // Connections of a server that has just ended are in TIME_WAIT: no conflict.
        Err(Errno::ADDRINUSE) if mapping.proto == Protocol::Tcp => Ok(bind_port(mapping, true)?),
        other => Ok(other?),
    }
}

/// Whether this host has IPv6.
pub(super) fn has_ipv6() -> bool {
    let Ok(socket) = socket(AddressFamily::INET6, Protocol::Tcp) else { return false };
    bind(&socket, &SocketAddrV6::new(Ipv6Addr::LOCALHOST, 0, 0, 0)).is_ok()
}

fn bind_port(mapping: &PortMapping, reuse: bool) -> rustix::io::Result<OwnedFd> {
    let address = SocketAddr::new(mapping.host_ip, mapping.host_port);
    match mapping.host_ip {
        IpAddr::V4(_) => occupy(mapping.proto, address, reuse),
        IpAddr::V6(_) => receive(mapping.proto, address, reuse),
    }
}

fn occupy(proto: Protocol, address: SocketAddr, reuse: bool) -> rustix::io::Result<OwnedFd> {
    let socket = socket(AddressFamily::INET, proto)?;
    sockopt::set_socket_reuseaddr(&socket, reuse)?;
    sockopt::set_socket_recv_buffer_size(&socket, 0)?;
    bind(&socket, &address)?;
    if reuse {
        // Others that reuse addresses could bind it beside us, but not once somebody has listened on it.
        listen(&socket, 0)?;
        sockopt::set_socket_reuseaddr(&socket, false)?;
        shutdown(&socket, Shutdown::Both)?;
    }
    Ok(socket)
}

fn receive(proto: Protocol, address: SocketAddr, reuse: bool) -> rustix::io::Result<OwnedFd> {
    let socket = socket(AddressFamily::INET6, proto)?;
    sockopt::set_ipv6_v6only(&socket, true)?;
    sockopt::set_socket_reuseaddr(&socket, reuse)?;
    bind(&socket, &address)?;
    if proto == Protocol::Tcp {
        // For the connections, which inherit it: they must not stand in the way of the port's next owner.
        sockopt::set_socket_reuseaddr(&socket, true)?;
        listen(&socket, BACKLOG)?;
    }
    Ok(socket)
}

fn socket(family: AddressFamily, proto: Protocol) -> rustix::io::Result<OwnedFd> {
    let kind = match proto {
        Protocol::Tcp => SocketType::STREAM,
        Protocol::Udp => SocketType::DGRAM,
    };
    socket_with(family, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)
}
