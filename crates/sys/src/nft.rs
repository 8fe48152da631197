//! nf_tables over netlink (the kernel's include/uapi/linux/netfilter/nf_tables.h): tables, chains, rules, sets and maps,
//! written in batches that happen as one or not at all, and the lists that are needed to look after them.
//!
//! Only the encoding is here. What the rules mean is `sampan-network`'s business, and `nft list ruleset` shows them as
//! it shows its own.

mod expression;
mod list;
mod set;

pub use expression::{Compare, Expression, Field, Verdict};
pub use list::{BaseChain, Change, Object, Rule, TableInfo, base_chains, change, elements, rules, tables};
pub use set::{Element, Set, Type};

use crate::netlink::{APPEND, CREATE, Error, Messages, Socket};
use set::comment_data;

const SUBSYSTEM: u16 = 10 << 8;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NEWTABLE: u16 = SUBSYSTEM;
const DELTABLE: u16 = SUBSYSTEM | 2;
const NEWCHAIN: u16 = SUBSYSTEM | 3;
const NEWRULE: u16 = SUBSYSTEM | 6;
const DELRULE: u16 = SUBSYSTEM | 8;
const NEWSET: u16 = SUBSYSTEM | 9;
const NEWSETELEM: u16 = SUBSYSTEM | 12;
const DELSETELEM: u16 = SUBSYSTEM | 14;

/// The multicast group of changed tables (NFNLGRP_NFTABLES).
pub const CHANGES: u32 = 1 << 6;

/// Elements per message: an attribute is at most 64 KiB long.
const CHUNK: usize = 200;

/// The address family of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// IPv4 and IPv6.
    Inet,
    /// IPv4.
    Ip,
    /// Any other, by its number (NFPROTO_...).
    Other(u8),
}

impl Family {
    const fn number(self) -> u8 {
        match self {
            Self::Inet => 1,
            Self::Ip => 2,
            Self::Other(number) => number,
        }
    }

    const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Inet,
            2 => Self::Ip,
            other => Self::Other(other),
        }
    }
}

/// The name of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table<'a> {
    /// Its family.
    pub family: Family,
    /// Its name within the family.
    pub name: &'a str,
}

/// Where packets meet a base chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Everything that arrives.
    Prerouting,
    /// What passes through this host.
    Forward,
    /// What this host's processes send.
    Output,
    /// Everything that leaves.
    Postrouting,
}

impl Hook {
    const fn number(self) -> u32 {
        match self {
            Self::Prerouting => 0,
            Self::Forward => 2,
            Self::Output => 3,
            Self::Postrouting => 4,
        }
    }
}

/// What a base chain is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base {
    /// Whether it translates addresses (`nat`) or only filters.
    pub nat: bool,
    /// Where it is hooked in.
    pub hook: Hook,
    /// Its place among the chains there; lower is earlier.
    pub priority: i32,
}

/// Changes that are made together.
#[derive(Debug)]
pub struct Batch {
    messages: Messages,
    what: Vec<String>,
    sets: u32,
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

impl Batch {
    /// Nothing yet.
    pub fn new() -> Self {
        let mut messages = Messages::new();
        messages.begin(BATCH_BEGIN, 0, &header(0, SUBSYSTEM >> 8));
        Self { messages, what: Vec::new(), sets: 0 }
    }

    /// Makes the changes. Refused as a whole if one is.
    pub fn commit(mut self, socket: &Socket) -> Result<(), Error> {
        if self.what.is_empty() {
            return Ok(());
        }
        self.messages.acknowledge_last();
        self.messages.begin(BATCH_END, 0, &header(0, SUBSYSTEM >> 8));
        socket.commit(&self.messages).map_err(|error| explain(error, &self.what))
    }

    /// Makes a table, or leaves the one that is there.
    pub fn add_table(&mut self, table: Table<'_>) {
        self.begin(NEWTABLE, CREATE, table, || format!("add table {}", table.name)).put_text(1, table.name);
    }

    /// Deletes a table with all that is in it.
    pub fn delete_table(&mut self, table: Table<'_>) {
        self.begin(DELTABLE, 0, table, || format!("delete table {}", table.name)).put_text(1, table.name);
    }

    /// Makes a chain, or leaves the one that is there. `base` is where it is hooked in, if anywhere.
    pub fn add_chain(&mut self, table: Table<'_>, name: &str, base: Option<Base>) {
        let message = self.begin(NEWCHAIN, CREATE, table, || format!("add chain {name}"));
        message.put_text(1, table.name).put_text(3, name);
        if let Some(base) = base {
            message.put_text(7, if base.nat { "nat" } else { "filter" }).nest(4, |m| {
                m.put_be32(1, base.hook.number()).put_be32(2, base.priority.cast_unsigned());
            });
        }
    }

    /// Deletes the rules of all chains of a table.
    pub fn flush_rules(&mut self, table: Table<'_>) {
        self.begin(DELRULE, 0, table, || format!("flush table {}", table.name)).put_text(1, table.name);
    }

    /// Puts a rule behind the others of its chain.
    pub fn add_rule(&mut self, table: Table<'_>, chain: &str, expressions: &[Expression<'_>]) {
        self.rule(CREATE | APPEND, table, chain, expressions, "");
    }

    /// Puts a rule with a comment before all others of its chain.
    pub fn insert_rule(
        &mut self,
        table: Table<'_>,
        chain: &str,
        expressions: &[Expression<'_>],
        comment: &str,
    ) {
        self.rule(CREATE, table, chain, expressions, comment);
    }

    /// Deletes one rule.
    pub fn delete_rule(&mut self, table: Table<'_>, chain: &str, handle: u64) {
        self.begin(DELRULE, 0, table, || format!("delete rule {handle} of {chain}"))
            .put_text(1, table.name)
            .put_text(2, chain)
            .put(3, &handle.to_be_bytes());
    }

    /// Makes a set or map, or leaves the one that is there.
    pub fn add_set(&mut self, table: Table<'_>, set: &Set<'_>) {
        self.sets += 1;
        let id = self.sets;
        let message = self.begin(NEWSET, CREATE, table, || format!("add set {}", set.name));
        message.put_text(1, table.name);
        set.put(message, id);
    }

    /// Deletes all elements of a set or map.
    pub fn flush_set(&mut self, table: Table<'_>, set: &str) {
        self.begin(DELSETELEM, 0, table, || format!("flush set {set}"))
            .put_text(1, table.name)
            .put_text(2, set);
    }

    /// Adds elements. One that is there with the same value is no error; with another value it is (EEXIST).
    pub fn add_elements(&mut self, table: Table<'_>, set: &str, elements: &[Element]) {
        self.elements(NEWSETELEM, CREATE, table, set, elements);
    }

    /// Deletes elements, by their keys. One that is not there is an error (ENOENT).
    pub fn delete_elements(&mut self, table: Table<'_>, set: &str, elements: &[Element]) {
        self.elements(DELSETELEM, 0, table, set, elements);
    }

    fn rule(
        &mut self,
        flags: u16,
        table: Table<'_>,
        chain: &str,
        expressions: &[Expression<'_>],
        comment: &str,
    ) {
        let message = self.begin(NEWRULE, flags, table, || format!("add rule to {chain}"));
        message.put_text(1, table.name).put_text(2, chain).nest(4, |m| {
            for expression in expressions {
                m.nest(1, |m| expression.put(m));
            }
        });
        if !comment.is_empty() {
            message.put(7, &comment_data(comment));
        }
    }

    fn elements(&mut self, kind: u16, flags: u16, table: Table<'_>, set: &str, elements: &[Element]) {
        for chunk in elements.chunks(CHUNK) {
            let message = self.begin(kind, flags, table, || format!("elements of {set}"));
            message.put_text(1, table.name).put_text(2, set).nest(3, |m| {
                for element in chunk {
                    m.nest(1, |m| element.put(m));
                }
            });
        }
    }

    fn begin(
        &mut self,
        kind: u16,
        flags: u16,
        table: Table<'_>,
        what: impl FnOnce() -> String,
    ) -> &mut Messages {
        self.what.push(what());
        self.messages.begin(kind, flags, &header(table.family.number(), 0))
    }
}

/// `struct nfgenmsg`.
fn header(family: u8, resource: u16) -> [u8; 4] {
    let [high, low] = resource.to_be_bytes();
    [family, 0, high, low]
}

fn explain(error: Error, what: &[String]) -> Error {
    match error {
        Error::Refused { request: Some(request), errno, note } => {
            let what = request.checked_sub(1).and_then(|i| what.get(i)).cloned();
            Error::Refused { request: Some(request), errno, note: note.or(what) }
        }
        other => other,
    }
}
