//! Links: a container of the bridge knows others by names of its own. Names and addresses of those stand in its `/etc/hosts`
//! and follow them; its first process has variables about them.

use super::driver::{Command, Driver, Handle};
use super::phase::{Verdict, Wish, allow};
use super::{Config, Container, Endpoint, Link, NetworkMode, Peer, Snapshot, record};
use crate::blocking::blocking;
use crate::engine::Engine;
use crate::{Error, Result, sandbox};
use sampan_spec::{ContainerId, with_sources};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

mod variables;

/// Replaces the names that a user gave by ids; of those with the same alias the first one holds.
///
/// # Errors
/// When there is no such container, or it has no address of its own.
pub(super) fn name(engine: &Engine, config: &mut Config) -> Result<()> {
    let mut seen = BTreeSet::new();
    config.host.links.retain(|link| seen.insert(link.alias.clone()));
    config.host.links.iter_mut().try_for_each(|link| identify(engine, link))
}

fn identify(engine: &Engine, link: &mut Link) -> Result<()> {
    let missing =
        |text: &str, e: Error| Error::InvalidParameter(format!("could not get container for {text}: {e}"));
    let mut text = link.peer.text().to_owned();
    loop {
        let found = engine.containers().resolve(&text).map_err(|e| missing(&text, e))?;
        let other = found.container();
        match &other.config.host.network {
            NetworkMode::Host => return Err(Error::InvalidParameter(ON_HOST.into())),
            // The address is that of the network's owner.
            NetworkMode::Container(owner) => owner.text().clone_into(&mut text),
            _ => {
                link.name.clone_from(&other.name);
                link.peer = Peer::Is(other.id.clone());
                return Ok(());
            }
        }
    }
}

/// What is wrong with links on the host's network.
pub(super) const ON_HOST: &str = "conflicting options: host type networking can't be used with links. This would result in undefined behavior";
/// And on another container's.
pub(super) const ON_OTHERS: &str = "conflicting options: container type network can't be used with links. This would result in undefined behavior";

/// A container that is linked to, while it runs.
pub(crate) struct Linked {
    alias: String,
    address: Ipv4Addr,
    container: Arc<Container>,
}

impl Linked {
    /// Its line in the file of hosts.
    pub(crate) fn line(&self) -> String {
        let (name, hostname) = (&self.container.name, self.container.hostname());
        let known_as = if self.alias == *name { String::new() } else { format!(" {name}") };
        format!("{}\t{} {hostname}{known_as}", self.address, self.alias)
    }
}

/// The containers that one is linked to.
///
/// # Errors
/// When one of them does not run, or is not on the bridge.
pub(crate) fn of(engine: &Engine, container: &Container) -> Result<Vec<Linked>> {
    let host = &container.config.host;
    let links = host.links.iter().filter(|_| host.network == NetworkMode::Bridge);
    links.map(|link| linked(engine, container, link)).collect()
}

fn linked(engine: &Engine, container: &Container, link: &Link) -> Result<Linked> {
    let other = engine.containers().resolve(link.peer.text()).ok().map(|handle| handle.snapshot());
    let Some(other) = other.filter(|other| other.state.phase.is_active()) else {
        let (name, of) = (current_name(engine, link), format!("/{}/{}", container.name, link.alias));
        return Err(Error::LinkDown(format!("Cannot link to a non running container: /{name} AS {of}")));
    };
    let Some(place) = &other.state.endpoint else {
        let id = &other.container.id;
        return Err(Error::LinkDown(format!("container {id} not attached to default bridge network")));
    };
    let address = place.address.address();
    Ok(Linked { alias: link.alias.clone(), address, container: other.container.clone() })
}

fn current_name(engine: &Engine, link: &Link) -> String {
    let found = engine.containers().resolve(link.peer.text());
    found.map_or_else(|_| link.name.clone(), |handle| handle.container().name.clone())
}

/// The variables about those that one is linked to, for its first process.
///
/// # Errors
/// As [`of`].
pub(crate) fn variables(engine: &Engine, container: &Container) -> Result<Vec<String>> {
    let linked = of(engine, container)?;
    Ok(linked.iter().flat_map(|linked| variables::about(&container.name, linked)).collect())
}

/// The same, without those that do not run.
pub(crate) fn variables_at_hand(engine: &Engine, container: &Container) -> Vec<String> {
    let links = container.config.host.links.iter();
    let linked = links.filter_map(|link| linked(engine, container, link).ok());
    linked.flat_map(|linked| variables::about(&container.name, &linked)).collect()
}

/// A container's links as Docker shows them: `/db:/web/alias`.
pub fn shown(engine: &Engine, container: &Container) -> Vec<String> {
    let text = |link: &Link| format!("/{}:/{}/{}", current_name(engine, link), container.name, link.alias);
    container.config.host.links.iter().map(text).collect()
}

/// The names that links give to containers: id, and `/web/alias`.
pub fn names(all: &[Snapshot]) -> Vec<(String, String)> {
    let of = |snapshot: &Snapshot| {
        let by = snapshot.container.clone();
        let links = by.config.host.links.clone();
        links
            .into_iter()
            .map(move |link| (link.peer.text().to_owned(), format!("/{}/{}", by.name, link.alias)))
    };
    all.iter().flat_map(of).collect()
}

/// A container runs, perhaps at another address than before: those that know it by a link hear of it.
pub(crate) async fn tell(engine: &Engine, id: &ContainerId, place: &Endpoint) {
    let by: Vec<Handle> = engine.containers().linking(id);
    if by.is_empty() {
        return;
    }
    let (engine, id, address) = (engine.clone(), id.clone(), place.address.address());
    let told = blocking(move || {
        by.iter().for_each(|handle| tell_one(&engine, handle, &id, address));
        Ok::<_, Error>(())
    });
    if let Err(e) = told.await {
        tracing::warn!(
            "a container's new address is not known to those that are linked to it: {}",
            with_sources(&e)
        );
    }
}

/// What goes wrong is that container's own: others are told all the same.
fn tell_one(engine: &Engine, by: &Handle, id: &ContainerId, address: Ipv4Addr) {
    let snapshot = by.snapshot();
    let links = snapshot.container.config.host.links.iter();
    let links = links.filter(|link| link.peer == Peer::Is(id.clone()));
    let aliases: Vec<String> = links.map(|link| link.alias.clone()).collect();
    if let Err(e) = sandbox::move_hosts(engine, &snapshot.bundle, &aliases, Some(address)) {
        let container = snapshot.container.id.short();
        tracing::warn!(container, "it does not know the address of {}: {}", id.short(), with_sources(&e));
    }
}

/// Takes a link away: `container` is what the linking container is called, and `/alias`.
///
/// # Errors
/// When there is no such container, or it is named by its own name.
pub async fn unlink(engine: &Engine, name: &str) -> Result<()> {
    engine.containers().resolve(name)?;
    let link = name.trim_start_matches('/').split_once('/').ok_or(Error::OwnName)?;
    let handle = engine.containers().resolve(link.0)?;
    let alias = link.1.to_owned();
    handle.ask(|done| Command::Unlink { alias, done }).await?
}

/// What the linking container's task does.
pub(super) async fn unlink_in_turn(driver: &mut Driver, alias: String) -> Result<()> {
    if allow(driver.phase(), Wish::Change) == Verdict::Removing {
        return Err(Error::Removing(driver.container.name.clone()));
    }
    let mut changed = (*driver.container).clone();
    changed.config.host.links.retain(|link| link.alias != alias);
    record::write(&driver.engine, &changed).await?;
    driver.container = Arc::new(changed);
    driver.engine.containers().set_links(&driver.container);
    driver.publish();
    if driver.phase().is_active() {
        let (engine, bundle) = (driver.engine.clone(), driver.paths.bundle.clone());
        let gone = blocking(move || sandbox::move_hosts(&engine, &bundle, &[alias], None)).await;
        // The link is gone all the same.
        gone.unwrap_or_else(|e| tracing::warn!("a name of a removed link stays: {}", with_sources(&e)));
    }
    Ok(())
}
