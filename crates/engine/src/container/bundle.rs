//! A container's bundle and monitor: made together, ended together.

use super::driver::{Driver, Monitor};
use super::user::User;
use super::{Container, NetworkMode, devices, links, logging, oci, peers, user};
use crate::blocking::blocking;
use crate::engine::Engine;
use crate::monitor::{CallError, Connection};
use crate::paths::is_runtime_file;
use crate::steps::{Doing, Step, run, step};
use crate::{Error, Result, sandbox};
use sampan_logs::journal::{self, JournalError};
use sampan_spec::bundle::{CONFIG, RootFs, SUPERVISE, Sandbox, Stdin, Stop, Supervise, VERSION};
use sampan_spec::journal::Event;
use sampan_spec::monitor::Request;
use sampan_spec::with_sources;
use sampan_store::{images, snapshots};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a journal may still be held after its monitor has gone, and how often to look.
const JOURNAL_HELD: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

struct Launch<'d> {
    driver: &'d mut Driver,
    monitor: Option<Monitor>,
}

impl Launch<'_> {
    const STEPS: [Step<Self>; 2] =
        [step("bundle", write_bundle, remove_bundle), step("launch", launch_monitor, dismiss_monitor)];
}

/// Writes the bundle, and launches a monitor that waits.
pub(super) async fn launch(driver: &mut Driver) -> Result<Monitor> {
    let mut launch = Launch { driver, monitor: None };
    run("monitor", &Launch::STEPS, &mut launch).await?;
    launch.monitor.ok_or(Error::Stopping)
}

fn write_bundle<'a>(launch: &'a mut Launch<'_>) -> Doing<'a, Result<()>> {
    Box::pin(async {
        let mut supervise = supervise(launch.driver).await?;
        match logging::plan(&launch.driver.container, &launch.driver.paths) {
            Ok(log) => supervise.log = log,
            // As below.
            Err(error) => launch.driver.unready = Some(error),
        }
        let found = look_up(launch.driver, &supervise.rootfs).await;
        let config = match found {
            Ok(found) => {
                supervise.health = oci::health(&launch.driver.container, &found);
                oci::config(launch.driver, &found)
            }
            // Clients attach before the start, and it is the start that fails. No runtime starts this.
            Err(error) => {
                launch.driver.unready = Some(error);
                let mut config = oci::config(launch.driver, &oci::Found::default());
                config.linux = None;
                config
            }
        };
        let driver = &*launch.driver;
        let files = sandbox::names_files(&driver.engine, &driver.container);
        let bundle = driver.paths.bundle.clone();
        let rw = driver.paths.home.clone();
        blocking(move || {
            make_dir(&bundle)?;
            sampan_store::rw::reset_volatile(&rw)?;
            for (name, text) in files {
                write(&bundle.join(name), text.as_bytes())?;
            }
            write(&bundle.join(CONFIG), &json(&config))?;
            write(&bundle.join(SUPERVISE), &json(&supervise))
        })
        .await
    })
}

/// What the configuration names, as it is now.
async fn look_up(driver: &Driver, root: &RootFs) -> Result<oci::Found> {
    let peers = peers::find(&driver.engine, &driver.container.config)?;
    let links = links::variables(&driver.engine, &driver.container)?;
    let (container, root) = (driver.container.clone(), root.clone());
    let owner = peers::network_owner(&driver.engine, &container);
    let (hostname, names) = match owner.map(|owner| owner.snapshot()) {
        Some(owner) => (owner.container.hostname(), owner.bundle),
        None => (container.hostname(), driver.paths.bundle.clone()),
    };
    blocking(move || -> Result<_> {
        let host = &container.config.host;
        let user = user::resolve(&root, &container.config.user)?.with_groups(&root, &host.group_add)?;
        Ok(oci::Found { user, devices: devices::find(&container.config)?, peers, links, hostname, names })
    })
    .await
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

fn make_dir(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(Error::file("create", path))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).map_err(Error::file("write", path))
}

fn remove_bundle<'a>(launch: &'a mut Launch<'_>) -> Doing<'a, ()> {
    Box::pin(async { remove_files(&launch.driver.paths.bundle).await })
}

fn launch_monitor<'a>(launch: &'a mut Launch<'_>) -> Doing<'a, Result<()>> {
    Box::pin(async {
        let driver = &*launch.driver;
        let (engine, paths) = (driver.engine.clone(), driver.paths.clone());
        blocking(move || engine.runtime().launch_monitor(&paths)).await?;
        launch.monitor =
            Some(connect(driver).await.map_err(|e| e.about(&driver.container.id, &driver.container.name))?);
        Ok(())
    })
}

fn dismiss_monitor<'a>(launch: &'a mut Launch<'_>) -> Doing<'a, ()> {
    Box::pin(async {
        if let Some(monitor) = launch.monitor.take() {
            let _it_may_be_gone_already = monitor.connection.call_and_wait(Request::Quit).await;
        }
    })
}

/// Connects to the monitor that the bundle has.
pub(crate) async fn connect(driver: &Driver) -> std::result::Result<Monitor, CallError> {
    let id = &driver.container.id;
    let (connection, known, entries) =
        Connection::open(id, &driver.paths.socket(), driver.summary.seq).await?;
    Ok(Monitor { connection, entries, prepared: known.prepared })
}

/// Everything the monitor needs that is not in the OCI configuration.
async fn supervise(driver: &Driver) -> Result<Supervise> {
    let (container, paths) = (&driver.container, &driver.paths);
    let config = &container.config;
    Ok(Supervise {
        version: VERSION,
        id: container.id.clone(),
        rootfs: rootfs(&driver.engine, container).await?,
        journal: paths.journal(),
        log: None,
        stdin: match (config.open_stdin, config.stdin_once) {
            (false, _) => Stdin::Null,
            (true, false) => Stdin::Open,
            (true, true) => Stdin::Once,
        },
        sandbox: match config.host.network {
            NetworkMode::Bridge => Sandbox::Configured,
            NetworkMode::None | NetworkMode::Named(_) => Sandbox::Isolated,
            NetworkMode::Host | NetworkMode::Container(_) => Sandbox::Shared,
        },
        restart: config.host.restart,
        stop: Stop { signal: config.stop_signal(), timeout: config.stop_timeout() },
        // Its process has a user, who is looked up.
        health: None,
        remove: config.host.auto_remove,
    })
}

/// Looks a user up in a container's files.
pub(super) async fn resolve_user(root: &RootFs, typed: &str) -> Result<User> {
    let (root, typed) = (root.clone(), typed.to_owned());
    blocking(move || user::resolve(&root, &typed)).await
}

/// A container's root file system, as its monitor is to make it.
pub(super) async fn rootfs(engine: &Engine, container: &Container) -> Result<RootFs> {
    let volatile = container.config.host.auto_remove;
    let home = engine.paths().container(&container.id, volatile).home;
    let (store, image) = (engine.store().clone(), container.image.clone());
    blocking(move || {
        let image = images::get(&store, &image)?;
        snapshots::rootfs(&store, image.chain.as_ref(), &home, volatile)
    })
    .await
}

/// Has the monitor give back everything it made and leave the journal to others, and takes in what it wrote last. It stays for
/// its clients: who waits for the removal is answered after that.
pub(super) async fn end_monitor(driver: &mut Driver) {
    if let Some(monitor) = &driver.monitor {
        let _it_may_be_gone_already = monitor.connection.call_and_wait(Request::Quit).await;
    }
    read_journal(driver).await;
}

/// A daemon died between a start's first step and its last: the monitor forgets what it prepared, and goes on to wait with
/// the clients it has.
pub(super) async fn undo_half_a_start(driver: &mut Driver) {
    if let Some(monitor) = driver.monitor.as_ref().filter(|monitor| monitor.prepared)
        && let Err(e) = monitor.connection.call(Request::Abandon).await
    {
        tracing::warn!(container = driver.container.id.short(), "half a start is not undone: {e:?}");
    }
    sandbox::release(driver).await;
}

/// The monitor has ended while a daemon was there, or before: takes in what it wrote. If it did not write an end, it was
/// killed: then its processes are too.
pub(crate) async fn catch_up(driver: &mut Driver) {
    for entry in journal_entries(driver).await {
        driver.take_in(&entry).await;
    }
    if driver.override_phase.is_none() && driver.phase().is_active() {
        let (engine, container) = (driver.engine.clone(), driver.container.clone());
        let killed = blocking(move || engine.runtime().kill_cgroup_of(&container)).await;
        if let Err(e) = killed {
            tracing::error!(
                container = driver.container.id.short(),
                "its processes could not be killed: {}",
                with_sources(&e)
            );
        }
        write_entry(driver, Event::MonitorLost).await;
        driver.over().await;
    }
    if driver.override_phase.is_none() {
        remove_files(&driver.paths.bundle).await;
    }
}

async fn read_journal(driver: &mut Driver) {
    for entry in journal_entries(driver).await {
        driver.fold(&entry);
    }
}

async fn journal_entries(driver: &Driver) -> Vec<sampan_spec::journal::Entry> {
    let (path, after) = (driver.paths.journal(), driver.summary.seq);
    let entries = blocking(move || journal::read(&path, after)).await;
    entries.unwrap_or_else(|e| {
        tracing::error!(container = driver.container.id.short(), "its journal: {}", with_sources(&e));
        Vec::new()
    })
}

/// Writes to the journal of a container that has no monitor, and folds the entry in.
pub(super) async fn write_entry(driver: &mut Driver, event: Event) {
    let path = driver.paths.journal();
    match blocking(move || open_journal(&path)?.append(event)).await {
        Ok(entry) => driver.fold(&entry),
        Err(e) => {
            tracing::error!(container = driver.container.id.short(), "its journal: {}", with_sources(&e))
        }
    }
}

/// Opens a journal to write it. A process that a monitor was just making when it was killed may hold it for a moment more.
fn open_journal(path: &Path) -> std::result::Result<journal::Writer, JournalError> {
    let until = Instant::now() + JOURNAL_HELD;
    loop {
        match journal::Writer::open(path) {
            Err(JournalError::Locked { .. }) if Instant::now() < until => std::thread::sleep(LOOK_AGAIN),
            other => return other,
        }
    }
}

/// Removes what a launch made; record and journal of a container that is kept in the exec-root stay.
pub(crate) async fn remove_files(bundle: &Path) {
    let bundle = bundle.to_owned();
    let removed = blocking(move || remove_runtime_files(&bundle)).await;
    if let Err(e) = removed {
        tracing::warn!("{}", with_sources(&e));
    }
}

fn remove_runtime_files(bundle: &Path) -> Result<()> {
    let entries = match std::fs::read_dir(bundle) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(Error::file("read", bundle))?,
    };
    let paths = entries.filter_map(|e| e.ok().map(|e| e.path()));
    let (files, kept): (Vec<PathBuf>, Vec<PathBuf>) = paths.partition(|path| is_runtime_file(path));
    for file in files {
        std::fs::remove_file(&file).map_err(Error::file("remove", file))?;
    }
    if kept.is_empty() {
        std::fs::remove_dir(bundle).map_err(Error::file("remove", bundle))?;
    }
    Ok(())
}
