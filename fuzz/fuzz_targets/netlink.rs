//! What the kernel may send over netlink: no message makes a reader fail in another way than with an error.
//!
//! A socket pair stands for the kernel: the input is one datagram, which may hold several messages.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, socketpair};
use sampan_sys::netlink::{self, Socket};
use sampan_sys::nft::{self, Table};
use std::os::fd::OwnedFd;

const TABLE: Table<'_> = Table { family: nft::Family::Inet, name: "sampan" };
const READERS: [fn(&Socket); 9] = [
    |socket| drop(netlink::links(socket)),
    |socket| drop(netlink::link(socket, "eth0")),
    |socket| drop(netlink::addresses(socket)),
    |socket| drop(netlink::routes(socket)),
    |socket| drop(nft::tables(socket)),
    |socket| drop(nft::base_chains(socket)),
    |socket| drop(nft::rules(socket, TABLE, "forward")),
    |socket| drop(nft::elements(socket, TABLE, "ports")),
    |socket| drop(netlink::forget(socket, 6, 80, |_| true)),
];

fuzz_target!(|datagram: &[u8]| {
    if let [low, high, body @ ..] = datagram {
        let kind = u16::from_le_bytes([*low, *high]);
        let _ = (nft::change(kind, body), netlink::changed_link(kind, body));
    }
    for read in READERS {
        let (socket, _kernel) = kernel_with(datagram);
        read(&socket);
    }
});

/// A socket that this waits in, and its other end.
fn kernel_with(datagram: &[u8]) -> (Socket, OwnedFd) {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let (ours, kernel) =
        socketpair(AddressFamily::UNIX, SocketType::DGRAM, flags, None).expect("a socket pair");
    rustix::net::send(&kernel, datagram, SendFlags::NOSIGNAL).expect("a datagram is sent");
    (Socket::from(ours), kernel)
}
