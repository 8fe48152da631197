//! Following what others do to the firewall.

use super::host::{self, Neighbours};
use super::{Firewall, open};
use crate::Error;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sampan_sys::netlink::{self, Socket};
use sampan_sys::nft::{self, Change, Family, Object};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// Changes come in bursts: what happens within this time of the first is reacted to once.
const BURST: Duration = Duration::from_millis(50);

/// Looks after the firewall until `stop` is readable or closed at its other end. A new chain of others that drops gets
/// our rule, a new bridge of others is let through the guard; when our own table was removed (a reload of the host's
/// firewall), `lost` is called, which brings it back with [`super::ensure`] and [`super::publish`].
///
/// Blocks: give it a thread. Stop it before [`super::remove`], whose work it would undo.
pub fn watch(firewall: &Firewall, stop: BorrowedFd<'_>, mut lost: impl FnMut()) -> Result<(), Error> {
    let failed = |source| Error::Watch { source };
    let tables = Socket::open(netlink::Family::Netfilter).map_err(failed)?;
    tables.join(nft::CHANGES).map_err(failed)?;
    let links = Socket::open(netlink::Family::Route).map_err(failed)?;
    links.join(netlink::link_changes()).map_err(failed)?;
    let mut neighbours = Neighbours::default();
    // What happened before is not told.
    let mut seen = Seen { lost: true, others: true, links: true };
    let mut due = None;
    loop {
        if std::mem::take(&mut seen.lost) && !is_complete(firewall) {
            lost();
        }
        due = (seen.others || seen.links).then(|| due.unwrap_or_else(|| Instant::now() + BURST));
        match wait(&tables, &links, stop, due).map_err(failed)? {
            Event::Stop => return Ok(()),
            Event::Tables => read_tables(&tables, firewall, &mut seen).map_err(failed)?,
            Event::Links => read_links(&links, &mut seen).map_err(failed)?,
            Event::Quiet => {
                // Others may still be at it, and tables vanish between two looks: the next change is another try.
                if let Err(error) = react(firewall, &mut neighbours, std::mem::take(&mut seen)) {
                    tracing::warn!(%error, "cannot follow a change of the firewall");
                }
            }
        }
    }
}

/// Whether our table is there. If it cannot be read because it is changing, it is not.
fn is_complete(firewall: &Firewall) -> bool {
    open().is_ok_and(|socket| host::has_table(&socket, firewall).unwrap_or(false))
}

/// What has happened since the last reaction.
#[derive(Default)]
struct Seen {
    /// Our table was removed.
    lost: bool,
    /// Another table changed.
    others: bool,
    /// A bridge came or went.
    links: bool,
}

enum Event {
    Stop,
    Tables,
    Links,
    Quiet,
}

fn wait(
    tables: &Socket,
    links: &Socket,
    stop: BorrowedFd<'_>,
    due: Option<Instant>,
) -> Result<Event, netlink::Error> {
    let mut ready = [
        PollFd::from_borrowed_fd(stop, PollFlags::IN),
        PollFd::new(tables, PollFlags::IN),
        PollFd::new(links, PollFlags::IN),
    ];
    let timeout = due.map(|due| due.saturating_duration_since(Instant::now()));
    let timeout = timeout.and_then(|left| Timespec::try_from(left).ok());
    rustix::io::retry_on_intr(|| poll(&mut ready, timeout.as_ref()))?;
    let is_ready = |index: usize| !ready[index].revents().is_empty();
    Ok(match (is_ready(0), is_ready(1), is_ready(2)) {
        (true, _, _) => Event::Stop,
        (_, true, _) => Event::Tables,
        (_, _, true) => Event::Links,
        _ => Event::Quiet,
    })
}

fn read_tables(socket: &Socket, firewall: &Firewall, seen: &mut Seen) -> Result<(), netlink::Error> {
    socket.receive(|message| match message {
        // Messages were lost: anything may have happened.
        None => *seen = Seen { lost: true, others: true, links: true },
        Some((kind, body)) => {
            if let Some(change) = nft::change(kind, body) {
                note(firewall, &change, seen);
            }
        }
    })
}

fn note(firewall: &Firewall, change: &Change, seen: &mut Seen) {
    let ours = change.family == Family::Inet && host::is_our_name(&change.table);
    match change.object {
        Object::Table | Object::Chain | Object::Set if ours => {
            seen.lost |= change.removed && change.table == firewall.table;
        }
        // New rules cannot close what our rule opens, and elements come and go with containers.
        Object::Rule if !ours => seen.others |= change.removed,
        Object::Table | Object::Chain => seen.others = true,
        _ => {}
    }
}

fn read_links(socket: &Socket, seen: &mut Seen) -> Result<(), netlink::Error> {
    socket.receive(|message| match message {
        None => seen.links = true,
        Some((kind, body)) => {
            if let Some((link, _)) = netlink::changed_link(kind, body) {
                seen.links |= link.kind.as_deref() == Some("bridge") || link.master.is_some();
            }
        }
    })
}

fn react(firewall: &Firewall, neighbours: &mut Neighbours, seen: Seen) -> Result<(), Error> {
    let socket = open().map_err(|source| Error::Watch { source })?;
    if seen.links {
        let now = host::neighbours(firewall)?;
        if now != *neighbours && host::has_guard(&socket, firewall)? {
            host::refresh_neighbours(&socket, firewall, &now)?;
            *neighbours = now;
        }
    }
    if seen.others {
        host::open_paths(&socket)?;
    }
    Ok(())
}
