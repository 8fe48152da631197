//! `rm`: nothing of a container stays. Each step is tried whatever became of the one before; what a killed daemon left is
//! finished by the next one.

use super::driver::{Command, Driver};
use super::phase::{Verdict, Wish, allow};
use super::{Phase, bundle, mounts};
use crate::blocking::blocking;
use crate::engine::Engine;
use crate::event::Attributes;
use crate::paths::ContainerPaths;
use crate::steps::fail_on_purpose;
use crate::{Error, Result, sandbox};
use sampan_spec::monitor::Request;
use sampan_spec::{Signal, with_sources};
use std::io;
use std::path::Path;

/// How a container is to be removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removal {
    /// Kill it first if it runs.
    pub force: bool,
    /// Take its volumes without a name away, too.
    pub volumes: bool,
}

/// Removes a container.
///
/// # Errors
/// When there is none, or it runs and `force` is not set.
pub async fn remove(engine: &Engine, name: &str, removal: Removal) -> Result<()> {
    let handle = engine.containers().resolve(name)?;
    let name = name.to_owned();
    handle.ask(|done| Command::Remove { removal, name, done }).await?
}

/// A user's wish: what runs is killed first if that is wished.
pub(super) async fn by_user(driver: &mut Driver, removal: Removal, name: &str) -> Result<()> {
    match allow(driver.phase(), Wish::Remove) {
        Verdict::Go => {}
        Verdict::Running if removal.force => kill(driver).await?,
        Verdict::Running => return Err(Error::RemoveRunning { name: name.to_owned() }),
        _ => return Err(Error::Removing(name.to_owned())),
    }
    // With --rm, its end has removed it.
    if driver.override_phase.is_some() { Ok(()) } else { take_away(driver, removal.volumes).await }
}

/// Kills process 1 and sees to its end.
async fn kill(driver: &mut Driver) -> Result<()> {
    let id = driver.container.id.clone();
    if let Some(monitor) = &driver.monitor {
        let signal = Some(Signal::KILL);
        let killed = monitor.connection.call(Request::Stop { signal, timeout: Some(0) }).await;
        if let Err(error) = killed
            && !error.is_gone()
        {
            tracing::warn!(container = id.short(), "its monitor would not kill it: {:?}", error);
            let (engine, container) = (driver.engine.clone(), driver.container.clone());
            blocking(move || engine.runtime().kill_cgroup_of(&container)).await?;
        }
    }
    while driver.phase().is_active() && driver.override_phase.is_none() {
        let Some(monitor) = &mut driver.monitor else {
            bundle::catch_up(driver).await;
            break;
        };
        match monitor.entries.recv().await {
            Some(entry) => driver.take_in(&entry).await,
            None => {
                driver.monitor = None;
                bundle::catch_up(driver).await;
            }
        }
    }
    Ok(())
}

/// `--rm`: it has ended, or could not be started.
pub(super) async fn when_over(driver: &mut Driver) -> Result<()> {
    take_away(driver, true).await
}

async fn take_away(driver: &mut Driver, and_volumes: bool) -> Result<()> {
    if !and_volumes {
        disown_volumes(driver).await?;
    }
    let id = driver.container.id.clone();
    driver.override_phase = Some(Phase::Removing);
    driver.publish();
    let paths = driver.paths.clone();
    // From here on there is no such container, also for the next daemon.
    let record = paths.record();
    blocking(move || ignore_missing(std::fs::remove_file(&record)).map_err(Error::file("remove", record)))
        .await?;
    fail_on_purpose("remove", "record")?;
    sandbox::release(driver).await;
    let discarded = release_volumes(driver, and_volumes).await?;
    fail_on_purpose("remove", "volumes")?;
    driver.engine.containers().free_name(&driver.container.name);
    driver.engine.containers().remove(&id);
    driver.tell("destroy", Attributes::new());
    fail_on_purpose("remove", "name")?;
    let monitor = driver.monitor.take();
    if let Some(monitor) = &monitor {
        let _it_may_be_gone_already = monitor.connection.call(Request::Removed).await;
    }
    fail_on_purpose("remove", "answer")?;
    let leaving = driver.leaving.take();
    tokio::spawn(async move {
        // The monitor unmounts the root file system that lies in these files.
        if let Some(leaving) = leaving {
            let _it_only_logs = leaving.await;
        }
        if let Some(mut monitor) = monitor {
            while monitor.entries.recv().await.is_some() {}
        }
        remove_files(paths).await;
        let deleted = blocking(move || {
            drop(discarded);
            Ok::<_, Error>(())
        });
        if let Err(e) = deleted.await {
            tracing::error!("a removed container's volumes: {}", with_sources(&e));
        }
    });
    Ok(())
}

/// Gives the volumes back. What is in those that go is deleted when the value is dropped.
async fn release_volumes(driver: &Driver, and_remove: bool) -> Result<Option<impl Send + 'static>> {
    if driver.container.mounts.is_empty() {
        return Ok(None);
    }
    let (engine, container) = (driver.engine.clone(), driver.container.clone());
    blocking(move || Ok::<_, Error>(Some(mounts::release(&engine, &container, and_remove)))).await
}

/// The volumes stay when the container goes.
async fn disown_volumes(driver: &Driver) -> Result<()> {
    if driver.container.mounts.is_empty() {
        return Ok(());
    }
    let (engine, container) = (driver.engine.clone(), driver.container.clone());
    blocking(move || mounts::disown(&engine, &container)).await
}

/// Deletes a container's files on disk and in memory.
pub(crate) async fn remove_files(paths: ContainerPaths) {
    let removed = blocking(move || {
        sampan_store::rw::remove(&paths.home)?;
        [&paths.home, &paths.bundle].into_iter().try_for_each(|folder| remove_tree(folder))
    });
    if let Err(e) = removed.await {
        tracing::error!("a removed container's files: {}", with_sources(&e));
    }
}

fn remove_tree(folder: &Path) -> Result<()> {
    ignore_missing(std::fs::remove_dir_all(folder)).map_err(Error::file("remove", folder))
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    result.or_else(|e| if e.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(e) })
}
