//! At the daemon's start: what is there, and what was cut short.
//!
//! Whatever carries an id that no record claims is removed: folders, control groups, links, firewall elements. A container
//! that runs is found again through its monitor's socket; one whose monitor died is ended; one with `--rm` that ended
//! meanwhile is removed.

use crate::blocking::blocking;
use crate::boot;
use crate::container::{self, Container, Driver, MountPoint};
use crate::engine::Engine;
use crate::event::{self, Attributes};
use crate::volume::{self, Orphans};
use crate::{Error, Result, sandbox};
use sampan_logs::journal;
use sampan_spec::{ContainerId, with_sources};
use sampan_store::gc;
use sampan_store::records::Scan;
use std::collections::HashSet;
use std::path::Path;

/// What the record folders held.
pub(crate) struct Found {
    pub(crate) on_disk: Scan<Container>,
    pub(crate) in_memory: Scan<Container>,
}

/// Brings all containers back, and sweeps. Gives those that are to be started, as this is another boot.
pub(crate) async fn all(engine: &Engine, found: Found) -> Result<Vec<ContainerId>> {
    for damaged in found.on_disk.damaged.iter().chain(&found.in_memory.damaged) {
        tracing::warn!("set aside {}: {}", damaged.path.display(), damaged.reason);
    }
    let containers: Vec<Container> = found
        .on_disk
        .records
        .into_iter()
        .chain(found.in_memory.records)
        .map(|(_, container)| container)
        .collect();
    let known: HashSet<ContainerId> = containers.iter().map(|container| container.id.clone()).collect();
    let kept: HashSet<String> = found.on_disk.aside.into_iter().chain(found.in_memory.aside).collect();
    event::tell_what_is_gone(engine, &known, &kept).await?;
    sweep(engine, known.clone(), kept).await?;
    reunite(engine, &containers, known).await?;
    let (boot, mut returning) = (boot::id(), Vec::new());
    for container in containers {
        let id = container.id.clone();
        if bring_back(engine, container, &boot).await {
            returning.push(id);
        }
    }
    tell_addresses(engine).await;
    let volumes_of = engine.clone();
    blocking(move || volume::unmount_unused(volumes_of.volumes())).await?;
    collect(engine).await?;
    Ok(returning)
}

/// Volumes are used by the containers that name them; those that were made for a container which is no more go.
async fn reunite(engine: &Engine, containers: &[Container], known: HashSet<ContainerId>) -> Result<()> {
    for container in containers {
        for name in container.mounts.iter().filter_map(MountPoint::volume) {
            if engine.volumes().claim(name, &container.id).is_none() {
                tracing::warn!(container = container.id.short(), "its volume {name} is not there");
            }
        }
    }
    let engine = engine.clone();
    blocking(move || {
        let orphans = Orphans { volumes: engine.volumes(), store: engine.store() };
        // One whose record is damaged is there, too.
        orphans.remove(|id| known.contains(id) || engine.paths().homes().join(id.as_str()).exists());
        Ok::<_, Error>(())
    })
    .await
}

/// A daemon that was killed between a start and what follows from it has not told those that are linked to the container.
async fn tell_addresses(engine: &Engine) {
    for handle in engine.containers().all() {
        let snapshot = handle.snapshot();
        if let Some(place) = &snapshot.state.endpoint {
            container::tell_of_address(engine, &snapshot.container.id, place).await;
        }
    }
}

/// Removes layers and blobs that a daemon killed at work left, and that nothing needs.
async fn collect(engine: &Engine) -> Result<()> {
    let all = container::list(engine).await;
    let (store, in_use) = (engine.store().clone(), crate::image::in_use(engine, &all).await);
    let collected = blocking(move || {
        crate::image::expire(&store)?;
        gc::collect(&store, &in_use)
    });
    let collected = collected.await?;
    if collected.bytes > 0 {
        tracing::info!("removed {} bytes of layers and blobs that nothing needs", collected.bytes);
    }
    Ok(())
}

/// Removes what no record claims. A folder whose record was damaged stays for its owner to look at.
async fn sweep(engine: &Engine, known: HashSet<ContainerId>, kept: HashSet<String>) -> Result<()> {
    let engine = engine.clone();
    blocking(move || -> Result<()> {
        for id in engine.runtime().cgroup_owners().iter().filter(|id| !known.contains(id)) {
            tracing::info!(container = id.short(), "ending what a removed container left");
            engine.runtime().kill_cgroup(id)?;
        }
        for folder in [engine.paths().homes(), engine.paths().bundles()] {
            remove_unclaimed(&folder, &known, &kept)?;
        }
        engine.network().sweep(&known)
    })
    .await
}

fn remove_unclaimed(folder: &Path, known: &HashSet<ContainerId>, kept: &HashSet<String>) -> Result<()> {
    for entry in std::fs::read_dir(folder).map_err(Error::file("read", folder))?.flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = entry.path();
        if name.parse().is_ok_and(|id| !known.contains(&id)) && !kept.contains(&name) {
            std::fs::remove_dir_all(&path).map_err(Error::file("remove", path))?;
        }
    }
    Ok(())
}

/// One container's failure is its own: it is logged, and the engine goes on. Says whether it is to be started.
async fn bring_back(engine: &Engine, container: Container, boot: &str) -> bool {
    let id = container.id.clone();
    if let Err(e) = engine.containers().take_name(&container.name, &id) {
        tracing::error!(container = id.short(), "not brought back: {}", with_sources(&e));
        return false;
    }
    let path = engine.paths().container(&id, container.config.host.auto_remove).journal();
    let entries = blocking(move || journal::read(&path, 0)).await;
    let entries = entries.unwrap_or_else(|e| {
        tracing::error!(container = id.short(), "its journal: {}", with_sources(&e));
        Vec::new()
    });
    let mut driver = Driver::new(engine, container);
    if !engine.events().told().contains_key(id.as_str()) {
        driver.tell("create", Attributes::new());
    }
    driver.recall(&entries);
    let comes_back = boot::comes_back(driver.container.config.host.restart, &driver.summary, boot);
    sandbox::restore(&mut driver).await;
    driver.reconnect().await;
    if driver.override_phase.is_some() {
        return false;
    }
    !driver.spawn().snapshot().state.phase.is_active() && comes_back
}
