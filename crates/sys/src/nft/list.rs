//! What is in the kernel's tables, as far as it has to be known, and messages about what changes there.

use super::{Element, Family, SUBSYSTEM, Table, header};
use crate::netlink::{Attributes, Error, Messages, Socket};
use crate::netlink::{be32, text};

const GETTABLE: u16 = SUBSYSTEM | 1;
const GETCHAIN: u16 = SUBSYSTEM | 4;
const GETRULE: u16 = SUBSYSTEM | 7;
const GETSETELEM: u16 = SUBSYSTEM | 13;

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableInfo {
    /// Its family.
    pub family: Family,
    /// Its name.
    pub name: String,
    /// Whether a process owns it, so that others are refused (`flags owner`).
    pub owned: bool,
}

/// A chain that is hooked in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseChain {
    /// Its table's family.
    pub family: Family,
    /// Its table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// The hook's number (NF_INET_...): 2 is forward.
    pub hook: u32,
    /// Whether it drops what no rule decides on.
    pub drops: bool,
}

impl BaseChain {
    /// The hook's number for packets that pass through this host.
    pub const FORWARD: u32 = 2;
}

/// A rule, as far as it has to be recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its handle, unique in the table.
    pub handle: u64,
    /// Its comment, or empty.
    pub comment: String,
    /// The chains that its verdict may lead to.
    pub jumps: Vec<String>,
}

/// A change that somebody made to the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The family of the table concerned.
    pub family: Family,
    /// Its name.
    pub table: String,
    /// What was made, changed or removed.
    pub object: Object,
    /// Whether it was removed.
    pub removed: bool,
}

/// What tables consist of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    /// The table itself.
    Table,
    /// A chain, or its policy.
    Chain,
    /// A rule.
    Rule,
    /// A set or map.
    Set,
    /// An element of a set or map.
    Element,
}

/// All tables.
pub fn tables(socket: &Socket) -> Result<Vec<TableInfo>, Error> {
    const OWNER: u32 = 2;
    let mut request = Messages::new();
    request.list(GETTABLE, &header(0, 0));
    collect(socket, &request, |body| {
        let attributes = Attributes(body.get(4..)?);
        Some(TableInfo {
            family: Family::from_number(body[0]),
            name: attributes.find(1).and_then(text)?.to_owned(),
            owned: attributes.find(2).and_then(be32).unwrap_or(0) & OWNER != 0,
        })
    })
}

/// All chains of all tables that are hooked in.
pub fn base_chains(socket: &Socket) -> Result<Vec<BaseChain>, Error> {
    let mut request = Messages::new();
    request.list(GETCHAIN, &header(0, 0));
    collect(socket, &request, |body| {
        let attributes = Attributes(body.get(4..)?);
        Some(BaseChain {
            family: Family::from_number(body[0]),
            table: attributes.find(1).and_then(text)?.to_owned(),
            name: attributes.find(3).and_then(text)?.to_owned(),
            hook: attributes.nested(4).find(1).and_then(be32)?,
            drops: attributes.find(5).and_then(be32) == Some(0),
        })
    })
}

/// The rules of a chain, in order. None if the chain or its table is not there.
pub fn rules(socket: &Socket, table: Table<'_>, chain: &str) -> Result<Vec<Rule>, Error> {
    let mut request = Messages::new();
    request.list(GETRULE, &header(table.family.number(), 0)).put_text(1, table.name).put_text(2, chain);
    let found = collect(socket, &request, |body| {
        let attributes = Attributes(body.get(4..)?);
        if attributes.find(1).and_then(text) != Some(table.name)
            || attributes.find(2).and_then(text) != Some(chain)
        {
            return None;
        }
        Some(Rule {
            handle: attributes.find(3)?.try_into().ok().map(u64::from_be_bytes)?,
            comment: comment(attributes.find(7)),
            jumps: attributes.nested(4).filter_map(|(_, expression)| jump(expression)).collect(),
        })
    });
    absent_is_empty(found)
}

/// The elements of a set or map. None if it is not there.
pub fn elements(socket: &Socket, table: Table<'_>, set: &str) -> Result<Vec<Element>, Error> {
    let mut request = Messages::new();
    request.list(GETSETELEM, &header(table.family.number(), 0)).put_text(1, table.name).put_text(2, set);
    let found = collect(socket, &request, |body| {
        let list = Attributes(body.get(4..)?).nested(3);
        Some(list.map(|(_, element)| read_element(Attributes(element))).collect::<Vec<_>>())
    });
    Ok(absent_is_empty(found)?.into_iter().flatten().collect())
}

/// Reads a message of the group [`super::CHANGES`]. `None` for what is no change of a table.
pub fn change(kind: u16, body: &[u8]) -> Option<Change> {
    if kind & 0xff00 != SUBSYSTEM {
        return None;
    }
    let (object, removed) = match kind & 0xff {
        number @ (0 | 2) => (Object::Table, number == 2),
        number @ (3 | 5) => (Object::Chain, number == 5),
        number @ (6 | 8) => (Object::Rule, number == 8),
        number @ (9 | 11) => (Object::Set, number == 11),
        number @ (12 | 14) => (Object::Element, number == 14),
        _ => return None,
    };
    let table = Attributes(body.get(4..)?).find(1).and_then(text)?.to_owned();
    Some(Change { family: Family::from_number(body[0]), table, object, removed })
}

fn collect<T>(
    socket: &Socket,
    request: &Messages,
    read: impl Fn(&[u8]) -> Option<T>,
) -> Result<Vec<T>, Error> {
    let mut found = Vec::new();
    socket.dump(request, |message| match message {
        None => found.clear(),
        Some((_, body)) => found.extend(read(body)),
    })?;
    Ok(found)
}

fn absent_is_empty<T>(found: Result<Vec<T>, Error>) -> Result<Vec<T>, Error> {
    match found {
        Err(error) if error.errno() == Some(rustix::io::Errno::NOENT) => Ok(Vec::new()),
        other => other,
    }
}

fn read_element(attributes: Attributes<'_>) -> Element {
    let value = |kind| attributes.nested(kind).find(1).unwrap_or_default().to_vec();
    Element {
        key: value(1),
        value: value(2),
        comment: comment(attributes.find(6)),
        range_end: attributes.find(3).and_then(be32).unwrap_or(0) & 1 != 0,
    }
}

/// The text of user data of type 0 (see `comment_data`).
fn comment(data: Option<&[u8]>) -> String {
    let mut data = data.unwrap_or_default();
    while let [kind, length, rest @ ..] = data {
        let Some(value) = rest.get(..usize::from(*length)) else { break };
        if *kind == 0 {
            return text(value).unwrap_or_default().to_owned();
        }
        data = &rest[value.len()..];
    }
    String::new()
}

/// The chain that an `immediate` expression leads to.
fn jump(expression: &[u8]) -> Option<String> {
    let expression = Attributes(expression);
    if expression.find(1).and_then(text) != Some("immediate") {
        return None;
    }
    expression.nested(2).nested(2).nested(2).find(2).and_then(text).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn foreign_bytes_never_panic(kind: u16, bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            let _ = (change(kind, &bytes), comment(Some(&bytes)), jump(&bytes), read_element(Attributes(&bytes)));
        }
    }

    #[test]
    fn comments_are_read_as_they_are_written() {
        assert_eq!(comment(Some(&crate::nft::set::comment_data("abc"))), "abc");
        assert_eq!(comment(Some(&[7, 1, 9, 0, 2, b'x', 0])), "x");
        assert_eq!(comment(Some(&[0, 9, 1])), "");
    }
}
