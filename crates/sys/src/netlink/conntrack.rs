//! Connections that the kernel keeps track of (ctnetlink, include/uapi/linux/netfilter/nfnetlink_conntrack.h).

use super::attribute::{be32, u16_at};
use super::{Attributes, Error, Messages, Socket};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

const GET: u16 = 1 << 8 | 1;
const DELETE: u16 = 1 << 8 | 2;
const AF_INET: u8 = 2;

const TUPLE_ORIGINAL: u16 = 1;
const TUPLE_REPLY: u16 = 2;
const FILTER: u16 = 25;
const TUPLE_IP: u16 = 1;
const TUPLE_PROTOCOL: u16 = 2;

/// What identifies packets of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuple {
    /// Who sends.
    pub source: Ipv4Addr,
    /// From which port.
    pub source_port: u16,
    /// To whom.
    pub destination: Ipv4Addr,
    /// To which port.
    pub destination_port: u16,
}

/// A connection, or an exchange of datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// What the first packet looked like when it came.
    pub original: Tuple,
    /// What an answer to it looks like, after all translation of the first packet.
    pub reply: Tuple,
}

/// Lets the kernel forget the IPv4 flows of a transport protocol whose first packet went to one of these ports and that
/// `which` is true for, so that their next packet meets the rules anew. Returns how many.
pub fn forget(
    socket: &Socket,
    protocol: u8,
    ports: &BTreeSet<u16>,
    which: impl Fn(&Flow) -> bool,
) -> Result<usize, Error> {
    let mut flows = list(socket, protocol, ports)?;
    flows.retain(which);
    let mut batch = Messages::new();
    for flow in &flows {
        batch
            .request(DELETE, 0, &[AF_INET, 0, 0, 0])
            .nest(TUPLE_ORIGINAL, |m| put_tuple(m, protocol, &flow.original));
    }
    for result in socket.execute(&batch)? {
        match result {
            Err(error) if error.errno() != Some(Errno::NOENT) => return Err(error),
            _ => {}
        }
    }
    Ok(flows.len())
}

/// The kernel walks through all flows for each question, so many ports are asked for at once; and it looks at the protocol,
/// and at one port, itself (since 5.8): a busy host has hundreds of thousands of flows.
fn list(socket: &Socket, protocol: u8, ports: &BTreeSet<u16>) -> Result<Vec<Flow>, Error> {
    const PROTOCOL: u32 = 1 << 3;
    const DESTINATION_PORT: u32 = 1 << 5;
    let (port, filter) = match (ports.first(), ports.len()) {
        (None, _) => return Ok(Vec::new()),
        (Some(port), 1) => (*port, PROTOCOL | DESTINATION_PORT),
        (Some(port), _) => (*port, PROTOCOL),
    };
    let mut request = Messages::new();
    request
        .list(GET, &[AF_INET, 0, 0, 0])
        .nest(FILTER, |m| {
            m.put_u32(1, filter);
        })
        .nest(TUPLE_ORIGINAL, |m| {
            m.nest(TUPLE_PROTOCOL, |m| {
                m.put(1, &[protocol]).put(3, &port.to_be_bytes());
            });
        });
    let mut flows = Vec::new();
    socket.dump(&request, |message| match message {
        None => flows.clear(),
        Some((_, body)) => {
            flows.extend(read(body).filter(|flow| ports.contains(&flow.original.destination_port)));
        }
    })?;
    Ok(flows)
}

fn put_tuple(m: &mut Messages, protocol: u8, tuple: &Tuple) {
    m.nest(TUPLE_IP, |m| {
        m.put(1, &tuple.source.octets()).put(2, &tuple.destination.octets());
    });
    m.nest(TUPLE_PROTOCOL, |m| {
        m.put(1, &[protocol]);
        m.put(2, &tuple.source_port.to_be_bytes()).put(3, &tuple.destination_port.to_be_bytes());
    });
}

fn read(body: &[u8]) -> Option<Flow> {
    let attributes = Attributes(body.get(4..)?);
    let tuple = |kind| read_tuple(attributes.nested(kind));
    Some(Flow { original: tuple(TUPLE_ORIGINAL)?, reply: tuple(TUPLE_REPLY)? })
}

fn read_tuple(tuple: Attributes<'_>) -> Option<Tuple> {
    let (ip, protocol) = (tuple.nested(TUPLE_IP), tuple.nested(TUPLE_PROTOCOL));
    let port = |kind| protocol.find(kind).and_then(|value| u16_at(value, 0)).map(u16::from_be);
    Some(Tuple {
        source: be32(ip.find(1)?)?.into(),
        source_port: port(2)?,
        destination: be32(ip.find(2)?)?.into(),
        destination_port: port(3)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            let _ = read(&bytes);
        }
    }
}
