//! All volumes by name, and who uses them.

use super::hold::{Held, Holds};
use super::{RECORD, Snapshot, Volume, VolumeError};
use crate::Result;
use sampan_spec::ContainerId;
use sampan_store::records::{Directory, Scan};
use sampan_store::volumes::DATA;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The volumes of an engine. What is said here of a volume's files holds while its name is held.
pub(crate) struct Volumes {
    folder: PathBuf,
    pub(super) records: Directory<Volume>,
    pub(super) pruning: AtomicBool,
    holds: Holds,
    table: Mutex<BTreeMap<String, Entry>>,
}

struct Entry {
    volume: Arc<Volume>,
    users: BTreeSet<ContainerId>,
    /// Those of them that need what the volume's options have mounted.
    mounted_by: BTreeSet<ContainerId>,
}

impl Volumes {
    /// Reads all records.
    pub(crate) fn open(folder: PathBuf) -> Result<(Self, Scan<Volume>)> {
        let (records, scan) = Directory::nested(&folder, RECORD)?;
        let new = Self {
            folder,
            records,
            pruning: AtomicBool::default(),
            holds: Holds::default(),
            table: Mutex::default(),
        };
        Ok((new, scan))
    }

    /// Holds a name. Blocks.
    pub(super) fn hold(&self, name: &str) -> Held<'_> {
        self.holds.hold(name)
    }

    /// A volume's folder.
    pub(super) fn folder(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The folder of a volume's content.
    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.folder.join(name).join(DATA)
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<Volume>> {
        self.table().get(name).map(|entry| entry.volume.clone())
    }

    pub(super) fn snapshot(&self, name: &str) -> Option<Snapshot> {
        self.table().get(name).map(|entry| self.shown(entry))
    }

    pub(super) fn all(&self) -> Vec<Snapshot> {
        self.table().values().map(|entry| self.shown(entry)).collect()
    }

    fn shown(&self, entry: &Entry) -> Snapshot {
        let mountpoint = self.data(&entry.volume.name);
        Snapshot { volume: entry.volume.clone(), mountpoint, users: entry.users.iter().cloned().collect() }
    }

    /// Makes a volume known, or replaces its record.
    pub(super) fn insert(&self, volume: Volume) -> Arc<Volume> {
        let volume = Arc::new(volume);
        let mut table = self.table();
        match table.get_mut(&volume.name) {
            Some(entry) => entry.volume = volume.clone(),
            None => {
                let entry =
                    Entry { volume: volume.clone(), users: BTreeSet::new(), mounted_by: BTreeSet::new() };
                table.insert(volume.name.clone(), entry);
            }
        }
        volume
    }

    /// Forgets a volume that nobody uses.
    pub(super) fn forget(&self, name: &str) -> Result<Arc<Volume>> {
        let mut table = self.table();
        let entry = table.get(name).ok_or_else(|| VolumeError::NotFound(name.to_owned()))?;
        if !entry.users.is_empty() {
            let users = entry.users.iter().cloned().collect();
            return Err(VolumeError::InUse { name: name.to_owned(), users }.into());
        }
        let volume = entry.volume.clone();
        table.remove(name);
        Ok(volume)
    }

    /// Notes that a container uses a volume; `None` if there is none of this name.
    pub(crate) fn claim(&self, name: &str, user: &ContainerId) -> Option<Arc<Volume>> {
        let mut table = self.table();
        let entry = table.get_mut(name)?;
        entry.users.insert(user.clone());
        Some(entry.volume.clone())
    }

    /// A container uses a volume no more.
    pub(crate) fn release(&self, name: &str, user: &ContainerId) {
        if let Some(entry) = self.table().get_mut(name) {
            entry.users.remove(user);
        }
    }

    /// Notes that a container needs a volume's mount. `true` if it is the first.
    pub(super) fn mounted(&self, name: &str, user: &ContainerId) -> bool {
        let mut table = self.table();
        let Some(entry) = table.get_mut(name) else { return false };
        let first = entry.mounted_by.is_empty();
        entry.mounted_by.insert(user.clone());
        first
    }

    /// A volume that was made for a container is not to go with it. The volume's record is written at once.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn disown(&self, name: &str, owner: &ContainerId) -> Result<()> {
        let _held = self.hold(name);
        let Some(volume) = self.get(name).filter(|volume| volume.owner.as_ref() == Some(owner)) else {
            return Ok(());
        };
        let free = Volume { owner: None, ..(*volume).clone() };
        self.records.put(name, &free)?;
        self.insert(free);
        Ok(())
    }

    /// Notes that a container which runs needs what a volume's options have mounted.
    pub(crate) fn needs_mount(&self, name: &str, user: &ContainerId) {
        self.mounted(name, user);
    }

    /// A container needs a volume's mount no more. `true` if it was the last one.
    pub(super) fn unmounted(&self, name: &str, user: &ContainerId) -> bool {
        let mut table = self.table();
        table.get_mut(name).is_some_and(|e| e.mounted_by.remove(user) && e.mounted_by.is_empty())
    }

    /// Whether some container needs a volume's mount.
    pub(super) fn is_mounted(&self, name: &str) -> bool {
        self.table().get(name).is_some_and(|entry| !entry.mounted_by.is_empty())
    }

    fn table(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
