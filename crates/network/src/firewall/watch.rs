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
/// What did not succeed is tried again after this, and each time after twice as long, up to [`RETRY_MAX`]; or when
/// something changes.
const RETRY: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(64);

/// Looks after the firewall until `stop` is readable or closed at its other end. A new chain of others that drops gets
/// our rule, a new bridge of others is let through the guard; when our own table was removed (a reload of the host's
/// firewall) or a bridge of ours, `lost` is called, which brings it back with [`crate::ensure_bridge`],
/// [`super::ensure`] and [`super::publish`]. What fails is tried again until it succeeds.
///
/// Blocks: give it a thread. Stop it before [`super::remove`], whose work it would undo.
pub fn watch(
    firewall: &Firewall,
    stop: BorrowedFd<'_>,
    mut lost: impl FnMut() -> Result<(), Error>,
) -> Result<(), Error> {
    let failed = |source| Error::Watch { source };
    let tables = Socket::open(netlink::Family::Netfilter).map_err(failed)?;
    tables.join(nft::CHANGES).map_err(failed)?;
    let links = Socket::open(netlink::Family::Route).map_err(failed)?;
    links.join(netlink::link_changes()).map_err(failed)?;
    let mut neighbours = Neighbours::default();
    // What happened before is not told.
    let mut seen = Seen::EVERYTHING;
    let mut due = Some(Instant::now());
    let mut retry = None;
    loop {
        let mut news = Seen::default();
        match wait(&tables, &links, stop, due).map_err(failed)? {
            Event::Stop => return Ok(()),
            Event::Tables => read_tables(&tables, firewall, &mut news).map_err(failed)?,
            Event::Links => read_links(&links, &mut news).map_err(failed)?,
            Event::Quiet => match react(firewall, &mut neighbours, &mut seen, retry.is_some(), &mut lost) {
                Ok(()) => (seen, due, retry) = (Seen::default(), None, None),
                Err(error) => {
                    // Others may still be at it, and tables vanish between two looks.
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(error, "cannot follow a change of bridge or firewall yet");
                    let pause = pause_after(retry);
                    (due, retry) = (Some(Instant::now() + pause), Some(pause));
                }
            },
        }
        due = news.due(due, retry.is_some());
        seen.add(&news);
    }
}

fn pause_after(last: Option<Duration>) -> Duration {
    last.map_or(RETRY, |last| (last * 2).min(RETRY_MAX))
}

/// What has happened since the last reaction.
#[derive(Default)]
struct Seen {
    /// Our table or bridge was removed.
    lost: bool,
    /// Another table changed.
    others: bool,
    /// A bridge came or went.
    links: bool,
}

impl Seen {
    const EVERYTHING: Self = Self { lost: true, others: true, links: true };

    /// When to react to this, if that was to be at `due` otherwise. Without our table, nothing that we publish can be
    /// reached. What fails again and again does so once in [`RETRY`] at most, however busy others are.
    fn due(&self, due: Option<Instant>, is_retry: bool) -> Option<Instant> {
        let soon = match self {
            _ if is_retry => RETRY,
            Self { lost: true, .. } => Duration::ZERO,
            _ => BURST,
        };
        let own = (self.lost || self.others || self.links).then(|| Instant::now() + soon);
        due.into_iter().chain(own).min()
    }

    fn add(&mut self, news: &Self) {
        self.lost |= news.lost;
        self.others |= news.others;
        self.links |= news.links;
    }
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
        None => *seen = Seen::EVERYTHING,
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

fn react(
    firewall: &Firewall,
    neighbours: &mut Neighbours,
    seen: &mut Seen,
    is_retry: bool,
    lost: &mut impl FnMut() -> Result<(), Error>,
) -> Result<(), Error> {
    let socket = open().map_err(|source| Error::Watch { source })?;
    let no_bridge = seen.links && !host::has_bridges(firewall)?;
    seen.lost |= no_bridge;
    // What failed may have brought table and bridge back, and not all that belongs to them.
    if seen.lost && (is_retry || no_bridge || !host::has_table(&socket, firewall)?) {
        lost()?;
    }
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
