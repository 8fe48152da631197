//! The instructions that a rule consists of.
//!
//! Values travel in registers of four bytes; `reg` counts them from 0. Wider values take the ones that follow.

use crate::netlink::Messages;

/// The first of the four-byte registers (NFT_REG32_00).
const REGISTER_0: u32 = 8;
const VERDICT_REGISTER: u32 = 0;

/// Something a packet has or that is known about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The name of the interface it came in by (16 bytes).
    InputName,
    /// The name of the interface it goes out by (16 bytes).
    OutputName,
    /// Its mark.
    Mark,
    /// Its network protocol: 2 for IPv4 (1 byte).
    Network,
    /// Its transport protocol's number (1 byte).
    Transport,
    /// The state of its connection, a bit mask: 2 established, 4 related.
    ConnectionState,
    /// What was done to its connection, a bit mask: 0x20 its destination was translated.
    ConnectionStatus,
    /// The type of its destination address in the routing tables: 2 is one of this host's.
    DestinationType,
    /// The IPv4 source address.
    Source,
    /// The IPv4 destination address.
    Destination,
    /// The destination port (2 bytes).
    DestinationPort,
}

/// How to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// Equal.
    Equal,
    /// Not equal.
    NotEqual,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// It passes this base chain.
    Accept,
    /// It is dropped.
    Drop,
    /// It goes through another chain and comes back.
    Jump(&'a str),
    /// It goes through another chain and does not come back.
    Goto(&'a str),
}

/// One instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expression<'a> {
    /// Loads a field.
    Load {
        /// Which.
        field: Field,
        /// Where to.
        reg: u32,
    },
    /// Sets the packet's mark from a register.
    SetMark {
        /// Where from.
        reg: u32,
    },
    /// Masks the four bytes in a register and flips bits: `reg & mask ^ flip`.
    Bits {
        /// The register.
        reg: u32,
        /// The bits that stay.
        mask: [u8; 4],
        /// The bits that are flipped afterwards.
        flip: [u8; 4],
    },
    /// Goes on if the comparison holds.
    Compare {
        /// The register.
        reg: u32,
        /// How.
        how: Compare,
        /// With what.
        value: &'a [u8],
    },
    /// Goes on if the key is (`absent`: is not) in the set.
    Lookup {
        /// The set.
        set: &'a str,
        /// Where the key starts.
        reg: u32,
        /// Whether it must not be there.
        absent: bool,
    },
    /// Goes on if the map has the key, and loads the value.
    Map {
        /// The map.
        map: &'a str,
        /// Where the key starts, and where the value goes.
        reg: u32,
    },
    /// Gives the packet's connection another destination: the IPv4 address in one register, the port in the other.
    DestinationNat {
        /// The address.
        address: u32,
        /// The port.
        port: u32,
    },
    /// Gives the packet's connection the address of the interface it leaves by as its source.
    Masquerade,
    /// Counts.
    Counter,
    /// Decides.
    Verdict(Verdict<'a>),
}

impl Expression<'_> {
    /// Writes the expression's name and data.
    pub(super) fn put(&self, m: &mut Messages) {
        m.put_text(1, self.name()).nest(2, |m| self.put_data(m));
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Load { field, .. } => field.source(),
            Self::SetMark { .. } => "meta",
            Self::Bits { .. } => "bitwise",
            Self::Compare { .. } => "cmp",
            Self::Lookup { .. } | Self::Map { .. } => "lookup",
            Self::DestinationNat { .. } => "nat",
            Self::Masquerade => "masq",
            Self::Counter => "counter",
            Self::Verdict(_) => "immediate",
        }
    }

    fn put_data(&self, m: &mut Messages) {
        match *self {
            Self::Load { field, reg } => field.put(m, REGISTER_0 + reg),
            Self::SetMark { reg } => {
                m.put_be32(2, META_MARK).put_be32(3, REGISTER_0 + reg);
            }
            Self::Bits { reg, mask, flip } => put_bits(m, REGISTER_0 + reg, mask, flip),
            Self::Compare { reg, how, value } => {
                let operator = if how == Compare::Equal { 0 } else { 1 };
                m.put_be32(1, REGISTER_0 + reg).put_be32(2, operator).nest(3, |m| put_value(m, value));
            }
            Self::Lookup { set, reg, absent } => {
                m.put_text(1, set).put_be32(2, REGISTER_0 + reg);
                if absent {
                    m.put_be32(5, 1);
                }
            }
            Self::Map { map, reg } => {
                m.put_text(1, map).put_be32(2, REGISTER_0 + reg).put_be32(3, REGISTER_0 + reg);
            }
            Self::DestinationNat { address, port } => {
                const DNAT: u32 = 1;
                const IPV4: u32 = 2;
                m.put_be32(1, DNAT).put_be32(2, IPV4);
                m.put_be32(3, REGISTER_0 + address).put_be32(5, REGISTER_0 + port);
            }
            Self::Masquerade | Self::Counter => {}
            Self::Verdict(verdict) => {
                m.put_be32(1, VERDICT_REGISTER).nest(2, |m| verdict.put(m));
            }
        }
    }
}

const META_MARK: u32 = 3;

impl Field {
    const fn source(self) -> &'static str {
        match self {
            Self::ConnectionState | Self::ConnectionStatus => "ct",
            Self::DestinationType => "fib",
            Self::Source | Self::Destination | Self::DestinationPort => "payload",
            _ => "meta",
        }
    }

    fn put(self, m: &mut Messages, register: u32) {
        const NETWORK_HEADER: u32 = 1;
        const TRANSPORT_HEADER: u32 = 2;
        m.put_be32(1, register);
        let mut payload = |base, offset, length| {
            m.put_be32(2, base).put_be32(3, offset).put_be32(4, length);
        };
        match self {
            Self::Source => payload(NETWORK_HEADER, 12, 4),
            Self::Destination => payload(NETWORK_HEADER, 16, 4),
            Self::DestinationPort => payload(TRANSPORT_HEADER, 2, 2),
            Self::DestinationType => {
                const ADDRESS_TYPE: u32 = 3;
                const OF_DESTINATION: u32 = 2;
                m.put_be32(2, ADDRESS_TYPE).put_be32(3, OF_DESTINATION);
            }
            Self::ConnectionState => drop(m.put_be32(2, 0)),
            Self::ConnectionStatus => drop(m.put_be32(2, 2)),
            Self::Mark => drop(m.put_be32(2, META_MARK)),
            Self::InputName => drop(m.put_be32(2, 6)),
            Self::OutputName => drop(m.put_be32(2, 7)),
            Self::Network => drop(m.put_be32(2, 15)),
            Self::Transport => drop(m.put_be32(2, 16)),
        }
    }
}

impl Verdict<'_> {
    fn put(self, m: &mut Messages) {
        let (code, chain) = match self {
            Self::Drop => (0i32, None),
            Self::Accept => (1, None),
            Self::Jump(chain) => (-3, Some(chain)),
            Self::Goto(chain) => (-4, Some(chain)),
        };
        m.nest(2, |m| {
            m.put_be32(1, code.cast_unsigned());
            if let Some(chain) = chain {
                m.put_text(2, chain);
            }
        });
    }
}

fn put_bits(m: &mut Messages, register: u32, mask: [u8; 4], flip: [u8; 4]) {
    m.put_be32(1, register).put_be32(2, register).put_be32(3, 4);
    m.nest(4, |m| put_value(m, &mask)).nest(5, |m| put_value(m, &flip));
}

/// NFTA_DATA_VALUE.
pub(super) fn put_value(m: &mut Messages, value: &[u8]) {
    m.put(1, value);
}
