//! The table's rules.
//!
//! ```text
//! raw          nothing from outside may say it is for 127.0.0.0/8 (our bridges route it, for ports on 127.0.0.1)
//! prerouting   to an address of this host -> published
//! output       to an address of this host -> published
//! published    the port's container, if the address or the port alone has one, becomes the destination
//! forward      to a bridge -> inward; from a bridge: passes
//! inward       passes: answers, what was published, its own bridge's if they may; all else is dropped
//! passes       gets the mark, is accepted
//! guard        only where we switched forwarding on: what has no mark, is not between the ports of one bridge, and has
//!              nobody else's virtual bridge as a way, is dropped
//! postrouting  out of the subnet, from 127.0.0.0/8, and from a container to a published port: the sender's address
//!              becomes this host's, or the answer would not come back the same way
//! ```

use super::{Firewall, MARK, range, table};
use sampan_sys::nft::{
    Base, Batch, Compare, Element, Expression as E, Field, Hook, Set, Table, Type, Verdict,
};

/// The map of ports that are published on all addresses.
pub(super) const ANY_ADDRESS: &str = "published";
/// The map of ports that are published on one address.
pub(super) const ONE_ADDRESS: &str = "published-at";
/// The chain that keeps the host from being a router.
pub(super) const GUARD: &str = "guard";
/// The set of bridges that other programs see after.
pub(super) const NEIGHBOURS: &str = "neighbours";
/// The set of all bridges of others, each with itself: as the way in and the way out.
pub(super) const BRIDGED: &str = "bridged";

const BRIDGES: &str = "bridges";
const TALKING: &str = "talking";
const SUBNETS: &str = "subnets";

const LOOKUP_CHAIN: &str = "to-container";
const INWARD: &str = "inward";
const PASS: &str = "pass";

const SETS: [Set<'_>; 7] = [
    set(BRIDGES, &[Type::Interface], false),
    set(TALKING, &[Type::Interface, Type::Interface], false),
    set(SUBNETS, &[Type::Ipv4], true),
    set(NEIGHBOURS, &[Type::Interface], false),
    set(BRIDGED, &[Type::Interface, Type::Interface], false),
    map(ANY_ADDRESS, &[Type::Protocol, Type::Port]),
    map(ONE_ADDRESS, &[Type::Ipv4, Type::Protocol, Type::Port]),
];

/// Earlier than the chains of iptables and nft scripts (0), which are to see the mark.
const FORWARD_PRIORITY: i32 = -10;
/// Later than the forward chains of all tables of ours.
const GUARD_PRIORITY: i32 = -5;
const RAW: i32 = -300;
const DESTINATION_NAT: i32 = -100;
const SOURCE_NAT: i32 = 100;

/// The chains that are always hooked in.
pub(super) const BASE_CHAINS: [(&str, Base); 5] = [
    ("raw", Base { nat: false, hook: Hook::Prerouting, priority: RAW }),
    ("prerouting", Base { nat: true, hook: Hook::Prerouting, priority: DESTINATION_NAT }),
    ("output", Base { nat: true, hook: Hook::Output, priority: DESTINATION_NAT }),
    ("forward", Base { nat: false, hook: Hook::Forward, priority: FORWARD_PRIORITY }),
    ("postrouting", Base { nat: true, hook: Hook::Postrouting, priority: SOURCE_NAT }),
];

/// Writes the whole table but for the published ports: they stay.
pub(super) fn write(batch: &mut Batch, firewall: &Firewall, guard: bool) {
    let table = table(firewall);
    batch.add_table(table);
    for set in &SETS {
        batch.add_set(table, set);
    }
    batch.flush_rules(table);
    write_sets(batch, table, firewall);
    write_chains(batch, table, guard);
    write_translation(batch, table);
    write_filter(batch, table);
    if guard {
        write_guard(batch, table);
    }
}

/// An interface's name as a key.
pub(super) fn interface(name: &str) -> Vec<u8> {
    let mut key = name.as_bytes().to_vec();
    key.resize(16, 0);
    key
}

/// A comparison that holds if our mark is set.
pub(super) const fn marked() -> [E<'static>; 3] {
    const BIT: [u8; 4] = MARK.to_ne_bytes();
    [
        E::Load { field: Field::Mark, reg: 0 },
        E::Bits { reg: 0, mask: BIT, flip: [0; 4] },
        E::Compare { reg: 0, how: Compare::Equal, value: &BIT },
    ]
}

fn write_sets(batch: &mut Batch, table: Table<'_>, firewall: &Firewall) {
    let element = |key| Element { key, ..Element::default() };
    let names: Vec<Vec<u8>> = firewall.networks.iter().map(|network| interface(&network.bridge)).collect();
    let bridges: Vec<_> = names.iter().cloned().map(element).collect();
    let talking = firewall.networks.iter().zip(&names).filter(|(network, _)| network.icc);
    let talking: Vec<_> = talking.map(|(_, name)| element([name.as_slice(), name].concat())).collect();
    let subnets = firewall.networks.iter().filter(|network| network.masquerade);
    let subnets: Vec<_> = subnets.flat_map(|network| range(network.subnet)).collect();
    for (set, elements) in [(BRIDGES, bridges), (TALKING, talking), (SUBNETS, subnets)] {
        batch.flush_set(table, set);
        batch.add_elements(table, set, &elements);
    }
}

fn write_chains(batch: &mut Batch, table: Table<'_>, guard: bool) {
    for chain in [LOOKUP_CHAIN, INWARD, PASS] {
        batch.add_chain(table, chain, None);
    }
    for (chain, base) in BASE_CHAINS {
        batch.add_chain(table, chain, Some(base));
    }
    if guard {
        let base = Base { nat: false, hook: Hook::Forward, priority: GUARD_PRIORITY };
        batch.add_chain(table, GUARD, Some(base));
    }
}

fn write_translation(batch: &mut Batch, table: Table<'_>) {
    const LOCAL: [u8; 4] = 2u32.to_ne_bytes();
    let to_this_host = [
        E::Load { field: Field::DestinationType, reg: 0 },
        E::Compare { reg: 0, how: Compare::Equal, value: &LOCAL },
        E::Verdict(Verdict::Jump(LOOKUP_CHAIN)),
    ];
    batch.add_rule(table, "prerouting", &to_this_host);
    batch.add_rule(table, "output", &to_this_host);
    let address = E::Load { field: Field::Destination, reg: 0 };
    let transport = |reg| E::Load { field: Field::Transport, reg };
    let port = |reg| E::Load { field: Field::DestinationPort, reg };
    let translate = E::DestinationNat { address: 0, port: 1 };
    let one = [address, transport(1), port(2), E::Map { map: ONE_ADDRESS, reg: 0 }, translate];
    let any = [transport(0), port(1), E::Map { map: ANY_ADDRESS, reg: 0 }, translate];
    add(batch, table, LOOKUP_CHAIN, &[&ipv4(), &one]);
    add(batch, table, LOOKUP_CHAIN, &[&ipv4(), &any]);

    let masquerade = [E::Masquerade];
    let to_bridge = is_in(Field::OutputName, BRIDGES, false);
    let not_to_bridge = is_in(Field::OutputName, BRIDGES, true);
    let from_container = is_in(Field::Source, SUBNETS, false);
    add(batch, table, "postrouting", &[&to_bridge, &ipv4(), &loopback(Field::Source), &masquerade]);
    add(batch, table, "postrouting", &[&to_bridge, &ipv4(), &from_container, &translated(), &masquerade]);
    add(batch, table, "postrouting", &[&not_to_bridge, &ipv4(), &from_container, &masquerade]);
}

fn write_filter(batch: &mut Batch, table: Table<'_>) {
    const LO: &[u8] = b"lo\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    const ANSWER: u32 = 2 | 4;
    let drop = [E::Verdict(Verdict::Drop)];
    let pass = [E::Verdict(Verdict::Goto(PASS))];
    let outside = [
        E::Load { field: Field::InputName, reg: 0 },
        E::Compare { reg: 0, how: Compare::NotEqual, value: LO },
    ];
    add(batch, table, "raw", &[&outside, &ipv4(), &loopback(Field::Destination), &drop]);

    let to_bridge = is_in(Field::OutputName, BRIDGES, false);
    add(batch, table, "forward", &[&to_bridge, &[E::Verdict(Verdict::Goto(INWARD))]]);
    add(batch, table, "forward", &[&is_in(Field::InputName, BRIDGES, false), &pass]);
    add(batch, table, INWARD, &[&any_bit(Field::ConnectionState, ANSWER.to_ne_bytes()), &pass]);
    add(batch, table, INWARD, &[&translated(), &pass]);
    add(batch, table, INWARD, &[&same_bridge(TALKING), &pass]);
    add(batch, table, INWARD, &[&drop]);

    let set_mark = [
        E::Load { field: Field::Mark, reg: 0 },
        E::Bits { reg: 0, mask: (!MARK).to_ne_bytes(), flip: MARK.to_ne_bytes() },
        E::SetMark { reg: 0 },
        E::Verdict(Verdict::Accept),
    ];
    add(batch, table, PASS, &[&set_mark]);
}

fn write_guard(batch: &mut Batch, table: Table<'_>) {
    let accept = [E::Verdict(Verdict::Accept)];
    add(batch, table, GUARD, &[&marked(), &accept]);
    for field in [Field::InputName, Field::OutputName] {
        add(batch, table, GUARD, &[&is_in(field, NEIGHBOURS, false), &accept]);
    }
    add(batch, table, GUARD, &[&same_bridge(BRIDGED), &accept]);
    add(batch, table, GUARD, &[&ipv4(), &[E::Counter, E::Verdict(Verdict::Drop)]]);
}

fn add(batch: &mut Batch, table: Table<'_>, chain: &str, parts: &[&[E<'_>]]) {
    batch.add_rule(table, chain, &parts.concat());
}

const fn ipv4() -> [E<'static>; 2] {
    const IPV4: &[u8] = &[2];
    [E::Load { field: Field::Network, reg: 0 }, E::Compare { reg: 0, how: Compare::Equal, value: IPV4 }]
}

const fn is_in(field: Field, set: &str, absent: bool) -> [E<'_>; 2] {
    [E::Load { field, reg: 0 }, E::Lookup { set, reg: 0, absent }]
}

/// In and out by the same bridge, one of this set.
const fn same_bridge(set: &str) -> [E<'_>; 3] {
    [
        E::Load { field: Field::InputName, reg: 0 },
        E::Load { field: Field::OutputName, reg: 4 },
        E::Lookup { set, reg: 0, absent: false },
    ]
}

const fn loopback(field: Field) -> [E<'static>; 3] {
    [
        E::Load { field, reg: 0 },
        E::Bits { reg: 0, mask: [255, 0, 0, 0], flip: [0; 4] },
        E::Compare { reg: 0, how: Compare::Equal, value: &[127, 0, 0, 0] },
    ]
}

/// The connection's destination was translated: it came through a published port.
const fn translated() -> [E<'static>; 3] {
    const DESTINATION_TRANSLATED: u32 = 0x20;
    any_bit(Field::ConnectionStatus, DESTINATION_TRANSLATED.to_ne_bytes())
}

const fn any_bit(field: Field, bits: [u8; 4]) -> [E<'static>; 3] {
    [
        E::Load { field, reg: 0 },
        E::Bits { reg: 0, mask: bits, flip: [0; 4] },
        E::Compare { reg: 0, how: Compare::NotEqual, value: &[0; 4] },
    ]
}

const fn set<'a>(name: &'a str, key: &'a [Type], interval: bool) -> Set<'a> {
    Set { name, key, value: &[], interval }
}

const fn map<'a>(name: &'a str, key: &'a [Type]) -> Set<'a> {
    Set { name, key, value: &[Type::Ipv4, Type::Port], interval: false }
}
