//! All containers by id and by name.

use super::{Container, Handle, Peer};
use crate::{Error, Result};
use sampan_spec::ContainerId;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Who is there. A name is taken before its container is, and given back before its container's files are gone.
#[derive(Default)]
pub(crate) struct Registry(Mutex<Tables>);

#[derive(Default)]
struct Tables {
    containers: BTreeMap<ContainerId, Handle>,
    names: HashMap<String, ContainerId>,
    /// Who is linked to, and by whom.
    links: BTreeSet<(ContainerId, ContainerId)>,
}

impl Tables {
    fn set_links(&mut self, container: &Container) {
        self.links.retain(|(_, by)| *by != container.id);
        for link in &container.config.host.links {
            if let Peer::Is(id) = &link.peer {
                self.links.insert((id.clone(), container.id.clone()));
            }
        }
    }

    /// The container that `web/alias` means.
    fn by_link(&self, name: &str) -> Option<&ContainerId> {
        let (by, alias) = name.split_once('/')?;
        let by = self.containers.get(self.names.get(by)?)?.container();
        let link = by.config.host.links.iter().find(|link| link.alias == alias)?;
        self.containers.get_key_value(&link.peer.text().parse().ok()?).map(|(id, _)| id)
    }
}

impl Registry {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a name for a container.
    pub(crate) fn take_name(&self, name: &str, id: &ContainerId) -> Result<()> {
        let mut tables = self.tables();
        if let Some(owner) = tables.names.get(name) {
            return Err(Error::NameTaken { name: name.to_owned(), id: owner.to_string() });
        }
        tables.names.insert(name.to_owned(), id.clone());
        Ok(())
    }

    /// Gives a name back.
    pub(crate) fn free_name(&self, name: &str) {
        self.tables().names.remove(name);
    }

    pub(crate) fn insert(&self, handle: Handle) {
        let mut tables = self.tables();
        tables.set_links(&handle.container());
        tables.containers.insert(handle.id().clone(), handle);
    }

    pub(crate) fn remove(&self, id: &ContainerId) {
        let mut tables = self.tables();
        tables.containers.remove(id);
        tables.links.retain(|(_, by)| by != id);
    }

    /// A container's links are others now.
    pub(crate) fn set_links(&self, container: &Container) {
        self.tables().set_links(container);
    }

    /// Those that know a container by a link.
    pub(crate) fn linking(&self, id: &ContainerId) -> Vec<Handle> {
        let tables = self.tables();
        let by = tables.links.iter().filter(|(to, _)| to == id);
        by.filter_map(|(_, by)| tables.containers.get(by).cloned()).collect()
    }

    pub(crate) fn all(&self) -> Vec<Handle> {
        self.tables().containers.values().cloned().collect()
    }

    /// The container that a user means: by name, by the name of a link, whole id, or the beginning of an id that fits only one.
    pub(crate) fn resolve(&self, text: &str) -> Result<Handle> {
        let tables = self.tables();
        let name = text.strip_prefix('/').unwrap_or(text);
        let missing = || Error::NoSuchContainer(text.to_owned());
        if let Ok(id) = text.parse::<ContainerId>() {
            return tables.containers.get(&id).cloned().ok_or_else(missing);
        }
        if let Some(id) = tables.names.get(name).or_else(|| tables.by_link(name)) {
            return tables.containers.get(id).cloned().ok_or_else(missing);
        }
        if text.is_empty() {
            return Err(missing());
        }
        let mut fits = tables.containers.iter().filter(|(id, _)| id.as_str().starts_with(text));
        match (fits.next(), fits.next()) {
            (Some((_, handle)), None) => Ok(handle.clone()),
            (Some(_), Some(_)) => Err(Error::AmbiguousContainer(text.to_owned())),
            (None, _) => Err(missing()),
        }
    }
}
