//! The daemon from its first to its last moment.

use crate::error::with_sources;
use crate::listen::{ListenError, Listener};
use crate::lock::{LockError, PidFile, RootLock};
use crate::notify::{READY, STOPPING, notify};
use crate::options::{ConfigError, DaemonOptions, Level};
use crate::{connection, route};
use sampan_engine::Engine;
use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tracing_subscriber::filter::LevelFilter;

/// How long requests under way may take when the daemon is told to stop.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait when no client can be accepted (no descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Blocking work (disk, network configuration) runs on at most so many threads, which are there only while they are
/// needed. A client that is slow to send an archive holds one.
const BLOCKING_THREADS: usize = 128;
/// A blocking thread without work ends after this.
const BLOCKING_IDLE: Duration = Duration::from_secs(2);
/// The runtime program's name, and the variable that says where it is.
const RUNTIME: &str = "sampan-runtime";
const RUNTIME_VARIABLE: &str = "SAMPAN_RUNTIME";

/// What every request can reach.
pub(crate) struct Daemon {
    pub(crate) engine: Engine,
    pub(crate) options: DaemonOptions,
    /// A name for this engine, made once and kept in the data-root.
    pub(crate) id: String,
}

/// The daemon could not start, or not go on.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The options are not right.
    #[error(transparent)]
    Config(ConfigError),
    /// Another daemon is in the way.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// It cannot listen.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The program that runs containers is missing.
    #[error(
        "the program {0} is missing: it must lie beside `sampan`, or SAMPAN_RUNTIME must say where it is"
    )]
    NoRuntime(PathBuf),
    /// The engine could not be opened.
    #[error("cannot open the engine")]
    Engine(#[from] sampan_engine::Error),
    /// What was made on the host could not be removed.
    #[error("cannot clean up")]
    CleanUp(#[source] sampan_engine::Error),
    /// The system refused something.
    #[error("{what}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What came of it.
        source: io::Error,
    },
}

impl DaemonError {
    fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { what, source }
    }
}

/// Runs the daemon until it is told to stop (SIGTERM, SIGINT). Containers go on after it.
///
/// # Errors
/// When it cannot start.
pub fn daemon(options: DaemonOptions) -> Result<(), DaemonError> {
    sampan_sys::heap::give_back_early();
    start_log(options.level);
    sampan_sys::process::raise_open_files().map_err(DaemonError::system("raise the limit of open files"))?;
    let _lock = RootLock::take(&options.data_root)?;
    let _pidfile = options.pidfile.as_deref().map(PidFile::write).transpose()?;
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().max_blocking_threads(BLOCKING_THREADS).thread_keep_alive(BLOCKING_IDLE);
    let runtime = runtime.build().map_err(DaemonError::system("start the asynchronous runtime"))?;
    let result = runtime.block_on(run(options));
    // Blocking work that is still going on must not hold up the end.
    runtime.shutdown_background();
    result
}

/// Removes what a daemon with these options has made on the host. Its images and containers stay.
///
/// # Errors
/// When a daemon or a container still runs, or something cannot be removed.
pub fn clean_up(options: &DaemonOptions) -> Result<(), DaemonError> {
    start_log(options.level);
    // A data-root that is gone is nobody's, and is not made again for this.
    let _lock = options.data_root.is_dir().then(|| RootLock::take(&options.data_root)).transpose()?;
    sampan_engine::clean_up(&options.bridge).map_err(DaemonError::CleanUp)
}

async fn run(options: DaemonOptions) -> Result<(), DaemonError> {
    // Before anything that takes time: a signal in between must end the daemon in an orderly way, too.
    let mut terminate = signal(SignalKind::terminate()).map_err(DaemonError::system("listen for SIGTERM"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(DaemonError::system("listen for SIGINT"))?;
    let _ignored = signal(SignalKind::hangup()).map_err(DaemonError::system("listen for SIGHUP"))?;
    let listeners = listen(&options)?;
    let engine = Engine::open(engine_options(&options)?).await?;
    let id = engine_id(&options.data_root).map_err(DaemonError::system("write the engine's id"))?;
    let hosts = options.hosts.join(" ");
    let daemon = Arc::new(Daemon { engine: engine.clone(), options, id });
    let (stop, stopping) = watch::channel(false);
    // Every connection holds a sender: when the last is gone, so are the connections.
    let (alive, mut connections) = mpsc::channel::<()>(1);
    let accepting: Vec<_> = listeners
        .into_iter()
        .map(|listener| tokio::spawn(accept(listener, daemon.clone(), stopping.clone(), alive.clone())))
        .collect();
    drop(alive);
    notify(READY);
    tracing::info!("listening on {hosts}");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping; containers go on");
    notify(STOPPING);
    accepting.iter().for_each(tokio::task::JoinHandle::abort);
    // Nobody listens if there is no connection.
    let _ = stop.send(true);
    if tokio::time::timeout(PATIENCE, connections.recv()).await.is_err() {
        tracing::warn!("some requests were still under way");
    }
    sampan_engine::event::flush(&engine).await;
    Ok(())
}

fn listen(options: &DaemonOptions) -> Result<Vec<Listener>, ListenError> {
    let mut all = Vec::new();
    for host in &options.hosts {
        all.extend(Listener::open(host, options.group.as_deref())?);
    }
    Ok(all)
}

async fn accept(
    listener: Listener,
    daemon: Arc<Daemon>,
    stopping: watch::Receiver<bool>,
    alive: mpsc::Sender<()>,
) {
    loop {
        match listener.accept().await {
            Ok(socket) => {
                let (daemon, stopping, alive) = (daemon.clone(), stopping.clone(), alive.clone());
                tokio::spawn(async move {
                    let _alive = alive;
                    connection::serve(socket, |request| route::answer(daemon.clone(), request), stopping)
                        .await;
                });
            }
            Err(error) => {
                tracing::warn!("cannot accept a client: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn engine_options(options: &DaemonOptions) -> Result<sampan_engine::Options, DaemonError> {
    Ok(sampan_engine::Options {
        data_root: options.data_root.clone(),
        exec_root: options.exec_root.clone(),
        bridge: options.bridge.clone(),
        bip: options.bip.clone(),
        dns: options.dns.clone(),
        host_gateways: options.host_gateways.clone(),
        registries: options.registries.clone(),
        log: options.log.clone(),
        runtime: runtime_program()?,
    })
}

fn runtime_program() -> Result<PathBuf, DaemonError> {
    let path = match env::var_os(RUNTIME_VARIABLE) {
        Some(path) => PathBuf::from(path),
        None => env::current_exe()
            .map_err(DaemonError::system("find this program's file"))?
            .with_file_name(RUNTIME),
    };
    if path.is_file() { Ok(path) } else { Err(DaemonError::NoRuntime(path)) }
}

fn engine_id(data_root: &Path) -> io::Result<String> {
    let path = data_root.join("engine-id");
    if let Ok(id) = std::fs::read_to_string(&path)
        && !id.trim().is_empty()
    {
        return Ok(id.trim().to_owned());
    }
    let id = std::fs::read_to_string("/proc/sys/kernel/random/uuid")?;
    std::fs::write(path, &id)?;
    Ok(id.trim().to_owned())
}

fn start_log(level: Level) {
    let filter = match level {
        Level::Debug => LevelFilter::DEBUG,
        Level::Info => LevelFilter::INFO,
        Level::Warn => LevelFilter::WARN,
        Level::Error => LevelFilter::ERROR,
    };
    let started = tracing_subscriber::fmt()
        .with_max_level(filter)
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_target(false)
        .try_init();
    if let Err(error) = started {
        tracing::warn!("the log was set up before: {}", with_sources(&*error));
    }
}
