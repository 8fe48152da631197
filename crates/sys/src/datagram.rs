//! IPv6 datagrams with the address that they came to (RFC 3542 section 6), so that an answer can come from there: a client
//! takes none from another address of the same host.

use std::io;
use std::mem::{size_of, zeroed};
use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd};

/// Between whom a datagram travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ends {
    /// The other host's.
    pub peer: SocketAddrV6,
    /// This host's.
    pub local: Ipv6Addr,
    /// The interface that it came by.
    pub interface: u32,
}

/// The control message that says where a datagram came to, or is to come from.
const INFO: usize = size_of::<libc::in6_pktinfo>();
/// Room for one, aligned as `cmsghdr` is.
type Control = [u64; 8];

/// Has the kernel tell of each datagram where it came to.
///
/// # Errors
/// Those of setsockopt(2).
pub fn tell_destination(socket: impl AsFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the option's value is a live integer of the given length.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_IPV6,
            libc::IPV6_RECVPKTINFO,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Takes a datagram from a socket of [`tell_destination`]. Gives its length, at most that of the buffer.
///
/// # Errors
/// Those of recvmsg(2); `InvalidData` if the kernel did not say where it came from and to.
pub fn receive(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<(usize, Ends)> {
    // SAFETY: all zeros is a valid address.
    let mut peer: libc::sockaddr_in6 = unsafe { zeroed() };
    let mut control: Control = [0; 8];
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut message = message(&mut peer, &mut part, &mut control);
    // SAFETY: name, part and control are live and of the lengths that the message tells.
    let length = unsafe { libc::recvmsg(socket.as_fd().as_raw_fd(), &raw mut message, 0) };
    if length < 0 {
        return Err(io::Error::last_os_error());
    }
    let info = destination(&message).ok_or(io::ErrorKind::InvalidData)?;
    let (local, interface) = (Ipv6Addr::from(info.ipi6_addr.s6_addr), info.ipi6_ifindex);
    Ok((length as usize, Ends { peer: address_of(&peer), local, interface }))
}

/// Sends a datagram from an address of this host. One that came to a group is answered from the address that the kernel
/// chooses.
///
/// # Errors
/// Those of sendmsg(2).
pub fn send(socket: impl AsFd, bytes: &[u8], ends: &Ends) -> io::Result<()> {
    let mut peer = raw_address(&ends.peer);
    let mut control: Control = [0; 8];
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let mut message = message(&mut peer, &mut part, &mut control);
    set_source(&mut message, ends);
    // SAFETY: as in `receive`; the bytes are only read.
    let sent = unsafe { libc::sendmsg(socket.as_fd().as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL) };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn message(peer: &mut libc::sockaddr_in6, part: &mut libc::iovec, control: &mut Control) -> libc::msghdr {
    // SAFETY: all zeros is a valid msghdr.
    let mut message: libc::msghdr = unsafe { zeroed() };
    message.msg_name = std::ptr::from_mut(peer).cast();
    message.msg_namelen = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
    message.msg_iov = part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of::<Control>() as _;
    message
}

fn destination(message: &libc::msghdr) -> Option<libc::in6_pktinfo> {
    if message.msg_namelen as usize != size_of::<libc::sockaddr_in6>() {
        return None;
    }
    // SAFETY: the kernel has filled the control buffer that the message points to and told its length; the macros stay
    // within it, and a header of this kind has a whole `in6_pktinfo` behind it, read unaligned.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(message);
        while let Some(found) = header.as_ref() {
            let whole = found.cmsg_len >= libc::CMSG_LEN(INFO as u32) as usize;
            if (found.cmsg_level, found.cmsg_type) == (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) && whole {
                return Some(libc::CMSG_DATA(header).cast::<libc::in6_pktinfo>().read_unaligned());
            }
            header = libc::CMSG_NXTHDR(message, header);
        }
    }
    None
}

fn set_source(message: &mut libc::msghdr, ends: &Ends) {
    let local = if ends.local.is_multicast() { Ipv6Addr::UNSPECIFIED } else { ends.local };
    let interface = if local.is_unicast_link_local() { ends.interface } else { 0 };
    let info =
        libc::in6_pktinfo { ipi6_addr: libc::in6_addr { s6_addr: local.octets() }, ipi6_ifindex: interface };
    // SAFETY: the control buffer is aligned and larger than one message with an `in6_pktinfo`, so the first header is
    // within it and so is its data, written unaligned.
    unsafe {
        message.msg_controllen = libc::CMSG_SPACE(INFO as u32) as _;
        let header = libc::CMSG_FIRSTHDR(message);
        (*header).cmsg_level = libc::IPPROTO_IPV6;
        (*header).cmsg_type = libc::IPV6_PKTINFO;
        (*header).cmsg_len = libc::CMSG_LEN(INFO as u32) as _;
        libc::CMSG_DATA(header).cast::<libc::in6_pktinfo>().write_unaligned(info);
    }
}

fn address_of(raw: &libc::sockaddr_in6) -> SocketAddrV6 {
    let address = Ipv6Addr::from(raw.sin6_addr.s6_addr);
    SocketAddrV6::new(address, u16::from_be(raw.sin6_port), raw.sin6_flowinfo, raw.sin6_scope_id)
}

fn raw_address(address: &SocketAddrV6) -> libc::sockaddr_in6 {
    libc::sockaddr_in6 {
        sin6_family: libc::AF_INET6 as libc::sa_family_t,
        sin6_port: address.port().to_be(),
        sin6_flowinfo: address.flowinfo(),
        sin6_addr: libc::in6_addr { s6_addr: address.ip().octets() },
        sin6_scope_id: address.scope_id(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, SocketAddr, UdpSocket};

    #[test]
    fn an_answer_comes_from_where_the_question_went() {
        let server = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).unwrap();
        tell_destination(&server).unwrap();
        let client = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
        let to = SocketAddr::from((Ipv6Addr::LOCALHOST, server.local_addr().unwrap().port()));
        client.connect(to).unwrap();
        client.send(b"question").unwrap();
        let mut buffer = [0; 64];
        let (length, ends) = receive(&server, &mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"question");
        assert_eq!(
            (ends.local, SocketAddr::V6(ends.peer)),
            (Ipv6Addr::LOCALHOST, client.local_addr().unwrap())
        );
        send(&server, b"answer", &ends).unwrap();
        let (length, from) = client.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..length], from.ip()), (&b"answer"[..], IpAddr::V6(Ipv6Addr::LOCALHOST)));
    }

    #[test]
    fn without_being_told_it_is_an_error() {
        let server = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
        server.send_to(b"x", server.local_addr().unwrap()).unwrap();
        assert_eq!(receive(&server, &mut [0; 8]).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
