//! The events at rest.
//!
//! ```text
//! <data-root>/events        the newest, one JSON object a line, appended without a sync
//!             events.1      those before, up to the size at which the file is turned over
//! line:  {"number":7,"time":"...","kind":"container","action":"die","id":"...","attributes":{...},"entry":5}
//! first line after turning over:
//!        {"number":7,"told":{"<container's id>":5}}
//! ```
//! `entry` is the last entry of the container's journal that was told, and `told` has that of each container that is there:
//! together they say where the next daemon goes on. A line is whole when its newline is there; a torn one is cut. A file
//! that is not there yet is made complete and renamed, so that a kill in between loses nothing.

use super::{Event, Kind};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The size in bytes above which the file is turned over: both together are some thousands of events.
const TURN_ABOVE: u64 = 1 << 20;
/// What ends a container's events.
pub(super) const DESTROY: &str = "destroy";
/// What begins them.
pub(super) const CREATE: &str = "create";

/// The containers that are there, and which entry of their journals was told last.
pub(crate) type Told = HashMap<String, u64>;

/// A line. Format break.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Event(Event),
    Turned { number: u64, told: Told },
}

/// The file and what it says of where to go on.
#[derive(Debug)]
pub(crate) struct EventFile {
    path: PathBuf,
    file: File,
    length: u64,
    turn_above: u64,
    told: Told,
    number: u64,
}

impl EventFile {
    /// Opens the file at `path`, or makes it; cuts a torn last line.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let (told, number) = where_to_go_on(path)?;
        let fail = || Error::file("open", path);
        if !path.exists() {
            make(path, number, &told).map_err(fail())?;
        }
        let mut file = File::options().read(true).write(true).open(path).map_err(fail())?;
        let mut content = Vec::new();
        file.read_to_end(&mut content).map_err(Error::file("read", path))?;
        let length = whole(&content).len() as u64;
        file.set_len(length).map_err(Error::file("cut", path))?;
        Ok(Self { path: path.to_owned(), file, length, turn_above: TURN_ABOVE, told, number })
    }

    /// The containers that it knows.
    pub(crate) fn told(&self) -> &Told {
        &self.told
    }

    /// The last event's number.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Appends events; all of them or none is there afterwards.
    pub(crate) fn append<'e>(&mut self, events: impl IntoIterator<Item = &'e Event>) -> Result<()> {
        let mut bytes = Vec::new();
        for event in events {
            take(&mut self.told, event);
            self.number = self.number.max(event.number);
            // String keys and no floats: it always serializes.
            bytes.extend(serde_json::to_vec(event).unwrap_or_default());
            bytes.push(b'\n');
        }
        if let Err(source) = self.file.write_all_at(&bytes, self.length) {
            // A part of a line must not stand before the next one; if this fails too, readers skip it.
            let _ = self.file.set_len(self.length);
            return Err(Error::file("write", &self.path)(source));
        }
        self.length += bytes.len() as u64;
        if self.length > self.turn_above { self.turn_over() } else { Ok(()) }
    }

    fn turn_over(&mut self) -> Result<()> {
        let turn = || -> io::Result<(File, u64)> {
            let (file, length) = prepare(&self.path, self.number, &self.told)?;
            fs::rename(&self.path, former(&self.path))?;
            fs::rename(unfinished(&self.path), &self.path)?;
            Ok((file, length))
        };
        (self.file, self.length) = turn().map_err(Error::file("turn over", &self.path))?;
        Ok(())
    }
}

/// All events of the file at `path` and of the one before it, in the order of telling.
pub(super) fn read(path: &Path) -> Result<Vec<Event>> {
    // Turned over in between, the newer file is read as the former one: the older is gone, and no harm is done.
    let newest = content(path)?;
    let older = content(&former(path))?;
    let mut events: Vec<Event> = lines(&older).chain(lines(&newest)).filter_map(event_of).collect();
    events.sort_by_key(|event| event.number);
    events.dedup_by_key(|event| event.number);
    Ok(events)
}

fn event_of(line: Line) -> Option<Event> {
    match line {
        Line::Event(event) => Some(event),
        Line::Turned { .. } => None,
    }
}

fn where_to_go_on(path: &Path) -> Result<(Told, u64)> {
    let (mut told, mut last) = (Told::new(), 0);
    for part in [former(path), path.to_owned()] {
        for line in lines(&content(&part)?) {
            match line {
                Line::Event(event) => {
                    take(&mut told, &event);
                    last = last.max(event.number);
                }
                Line::Turned { number, told: all } => (told, last) = (all, last.max(number)),
            }
        }
    }
    Ok((told, last))
}

/// Notes who is there and what was told of it.
fn take(told: &mut Told, event: &Event) {
    if event.kind != Kind::Container || event.id.is_empty() {
        return;
    }
    if event.action == DESTROY {
        told.remove(&event.id);
    } else if event.action == CREATE {
        told.entry(event.id.clone()).or_default();
    } else if let Some(entry) = event.entry {
        let known = told.entry(event.id.clone()).or_default();
        *known = entry.max(*known);
    }
}

fn content(path: &Path) -> Result<Vec<u8>> {
    match fs::read(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other.map_err(Error::file("read", path)),
    }
}

/// The lines that are whole and parse.
fn lines(content: &[u8]) -> impl Iterator<Item = Line> {
    whole(content).split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok())
}

fn whole(content: &[u8]) -> &[u8] {
    &content[..content.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)]
}

fn make(path: &Path, number: u64, told: &Told) -> io::Result<()> {
    prepare(path, number, told)?;
    fs::rename(unfinished(path), path)
}

/// A new file beside `path` that begins with what was told.
fn prepare(path: &Path, number: u64, told: &Told) -> io::Result<(File, u64)> {
    let mut bytes = serde_json::to_vec(&Line::Turned { number, told: told.clone() }).unwrap_or_default();
    bytes.push(b'\n');
    let mut options = File::options();
    let file = options.read(true).write(true).create(true).truncate(true).open(unfinished(path))?;
    file.write_all_at(&bytes, 0)?;
    Ok((file, bytes.len() as u64))
}

fn former(path: &Path) -> PathBuf {
    path.with_extension("1")
}

fn unfinished(path: &Path) -> PathBuf {
    path.with_extension("new")
}

#[cfg(test)]
mod tests {
    use super::*;
    use sampan_spec::Timestamp;

    fn event(number: u64, action: &str, id: &str, entry: Option<u64>) -> Event {
        let (time, attributes) = (Timestamp::UNIX_EPOCH, [("name".to_owned(), "x".repeat(50))].into());
        Event { number, time, kind: Kind::Container, action: action.into(), id: id.into(), attributes, entry }
    }

    fn told(pairs: &[(&str, u64)]) -> Told {
        pairs.iter().map(|(id, entry)| ((*id).to_owned(), *entry)).collect()
    }

    #[test]
    fn the_next_daemon_knows_where_to_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events");
        let mut file = EventFile::open(&path).unwrap();
        let all = [
            event(1, "create", "a", None),
            event(2, "create", "b", None),
            event(3, "start", "a", Some(1)),
            event(4, "die", "a", Some(4)),
            event(5, "destroy", "b", None),
        ];
        file.append(&all).unwrap();
        let file = EventFile::open(&path).unwrap();
        assert_eq!((file.told(), file.number()), (&told(&[("a", 4)]), 5));
        assert_eq!(read(&path).unwrap(), all);
    }

    #[test]
    fn a_torn_line_is_cut_and_a_damaged_one_skipped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events");
        let mut file = EventFile::open(&path).unwrap();
        file.append(&[event(1, "create", "a", None)]).unwrap();
        let good = fs::read(&path).unwrap();
        fs::write(&path, [&good[..], b"\0\0\0\n{\"number\":2,\"ti"].concat()).unwrap();
        let mut file = EventFile::open(&path).unwrap();
        assert_eq!(file.number(), 1);
        file.append(&[event(2, "start", "a", Some(1))]).unwrap();
        assert_eq!(read(&path).unwrap().len(), 2);
    }

    /// The files together stay small, the numbers have no gap, and what was told is never forgotten, also when a kill comes
    /// between the two renames.
    #[test]
    fn it_is_turned_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events");
        let mut file = EventFile::open(&path).unwrap();
        file.turn_above = 2000;
        file.append(&[event(1, "create", "old", None)]).unwrap();
        for number in 2..100 {
            file.append(&[event(number, "start", "a", Some(number))]).unwrap();
        }
        let size = |path: &Path| fs::metadata(path).unwrap().len();
        assert!(size(&path) + size(&former(&path)) < 5000);
        let numbers: Vec<u64> = read(&path).unwrap().iter().map(|event| event.number).collect();
        assert!(numbers.len() > 10 && numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{numbers:?}");
        assert_eq!(EventFile::open(&path).unwrap().told(), &told(&[("old", 0), ("a", 99)]));
        fs::rename(&path, former(&path)).unwrap();
        let file = EventFile::open(&path).unwrap();
        assert_eq!((file.told(), file.number()), (&told(&[("old", 0), ("a", 99)]), 99));
    }
}
