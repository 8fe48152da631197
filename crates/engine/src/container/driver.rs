//! The task that owns one container's phase.
//!
//! It folds the journal's entries into the state, takes requests one at a time, and publishes what is so. Whoever looks
//! reads the published snapshot and waits for nobody. What takes long (a stop, a client's stream) is not done here: the
//! verb asks for the monitor's connection and waits itself.

use super::copy::Lent;
use super::start::Start;
use super::{Container, Endpoint, Phase, Removal, Snapshot, State, links, mounts, remove, rename};
use crate::blocking::blocking;
use crate::engine::Engine;
use crate::event::{self, Story};
use crate::monitor::{Connection, Entries};
use crate::network::Which;
use crate::paths::ContainerPaths;
use crate::{Error, Result, sandbox};
use sampan_spec::journal::{Entry, Event, Summary};
use sampan_spec::monitor::Request;
use sampan_spec::{ContainerId, with_sources};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// How many requests may queue before a caller waits.
const QUEUE: usize = 16;
/// How long a monitor may take to say what it knows before the answer does without.
const PATIENCE: Duration = Duration::from_millis(500);

/// What a verb asks of a container's task.
pub(crate) enum Command {
    /// A connection to its monitor, launched if there is none.
    Monitor(oneshot::Sender<Result<Connection>>),
    /// A connection to the monitor of a container that runs; `None` if it does not.
    Running(oneshot::Sender<Option<Connection>>),
    /// Have the published snapshot say all that the monitor knows by now.
    CatchUp(oneshot::Sender<()>),
    /// Let it run.
    Start(oneshot::Sender<Result<()>>),
    /// Lend its root file system, which no process uses.
    Root(oneshot::Sender<Result<Arc<Lent>>>),
    /// Give it another name.
    Rename { to: String, done: oneshot::Sender<Result<()>> },
    /// Take its link to another container away.
    Unlink { alias: String, done: oneshot::Sender<Result<()>> },
    /// Change its limits and its restart policy.
    Update { update: Box<super::Update>, done: oneshot::Sender<Result<Vec<String>>> },
    /// Take it away. It does not run, or is killed first.
    Remove { removal: Removal, name: String, done: oneshot::Sender<Result<()>> },
}

/// A container as the registry and the verbs hold it.
#[derive(Clone)]
pub(crate) struct Handle {
    id: ContainerId,
    commands: mpsc::Sender<Command>,
    state: watch::Receiver<Snapshot>,
    told: Arc<AtomicBool>,
}

impl Handle {
    pub(crate) fn id(&self) -> &ContainerId {
        &self.id
    }

    /// Its record as it is now.
    pub(crate) fn container(&self) -> Arc<Container> {
        self.state.borrow().container.clone()
    }

    /// What is so now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.state.borrow().clone()
    }

    /// Waits until the published snapshot is as wanted, or the container is gone.
    pub(crate) async fn wait_until(&self, wanted: impl FnMut(&Snapshot) -> bool) -> bool {
        self.state.clone().wait_for(wanted).await.is_ok()
    }

    /// What is so now, also for a client that has just heard of an end from the monitor itself. A monitor that does not answer
    /// delays this by a moment only.
    pub(crate) async fn current(&self) -> Snapshot {
        if self.snapshot().state.phase.is_active() {
            let _what_is_known_must_do = tokio::time::timeout(PATIENCE, self.ask(Command::CatchUp)).await;
        }
        self.snapshot()
    }

    /// What is so now, with [`Handle::current`] where a client could know more than this daemon.
    pub(crate) async fn at_least_as_told(&self) -> Snapshot {
        if self.told.load(Ordering::Relaxed) { self.current().await } else { self.snapshot() }
    }

    /// Sends a request and waits for what comes of it.
    pub(crate) async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T> {
        let gone = || Error::NoSuchContainer(self.container().name.clone());
        let (sender, receiver) = oneshot::channel();
        self.commands.send(command(sender)).await.map_err(|_| gone())?;
        receiver.await.map_err(|_| gone())
    }
}

/// The task's state.
pub(crate) struct Driver {
    pub(crate) engine: Engine,
    pub(crate) container: Arc<Container>,
    pub(crate) paths: ContainerPaths,
    pub(crate) summary: Summary,
    /// What its events depend on beside that.
    pub(super) story: Story,
    pub(crate) endpoint: Option<Endpoint>,
    pub(crate) monitor: Option<Monitor>,
    /// Why the monitor's bundle cannot be started: something that it names was not found.
    pub(super) unready: Option<Error>,
    /// The last monitor as it goes: the next must not meet its mounts and cgroup.
    pub(super) leaving: Option<JoinHandle<()>>,
    /// Its root file system, as long as somebody copies from it or into it.
    lent: Weak<Lent>,
    /// Set while and after its removal.
    pub(crate) override_phase: Option<Phase>,
    /// Whether clients may hear from the monitor itself how its container ends.
    told: Arc<AtomicBool>,
    state: watch::Sender<Snapshot>,
}

/// A monitor that this daemon is connected to.
pub(crate) struct Monitor {
    pub(crate) connection: Connection,
    pub(crate) entries: Entries,
    /// When it was connected to, process 1 waited for a start that another daemon did not finish.
    pub(crate) prepared: bool,
}

impl Driver {
    /// The task of a container that has not run yet. Not yet running itself.
    pub(crate) fn new(engine: &Engine, container: Container) -> Self {
        let summary = Summary::default();
        let container = Arc::new(container);
        let paths = engine.paths().container(&container.id, container.config.host.auto_remove);
        let state = State { phase: Phase::of(&summary), summary: summary.clone(), endpoint: None };
        let snapshot = Snapshot {
            container: container.clone(),
            state,
            log: super::logging::path(&container.config.host.log, &paths),
            bundle: paths.bundle.clone(),
            volumes: engine.paths().volumes(),
            network: Which::of(&container.config.host.network)
                .map(|which| which.id(engine))
                .unwrap_or_default(),
        };
        let told = Arc::new(AtomicBool::new(false));
        let (state, _) = watch::channel(snapshot);
        Self {
            engine: engine.clone(),
            container,
            paths,
            summary,
            story: Story::default(),
            endpoint: None,
            monitor: None,
            leaving: None,
            lent: Weak::new(),
            unready: None,
            override_phase: None,
            told,
            state,
        }
    }

    /// Starts the task and makes the container known.
    pub(crate) fn spawn(self) -> Handle {
        let (commands, receiver) = mpsc::channel(QUEUE);
        let (id, told) = (self.container.id.clone(), self.told.clone());
        let handle = Handle { id, commands, state: self.state.subscribe(), told };
        self.publish();
        self.engine.containers().insert(handle.clone());
        tokio::spawn(self.live(receiver));
        handle
    }

    async fn live(mut self, mut commands: mpsc::Receiver<Command>) {
        loop {
            tokio::select! {
                biased;
                entry = next_entry(&mut self.monitor) => match entry {
                    Some(entry) => self.take_in(&entry).await,
                    None => self.monitor_ended().await,
                },
                command = commands.recv() => match command {
                    Some(command) => self.obey(command).await,
                    None => return,
                },
            }
            if self.override_phase == Some(Phase::Removing) {
                return;
            }
        }
    }

    async fn obey(&mut self, command: Command) {
        // To execute something the monitor is asked anyway.
        if !matches!(command, Command::Running(_)) {
            self.catch_up().await;
        }
        match command {
            Command::CatchUp(reply) => answer(reply, ()),
            Command::Monitor(reply) => {
                self.told.store(true, Ordering::Relaxed);
                answer(reply, self.monitor().await);
            }
            Command::Running(reply) => {
                let connection = self.monitor.as_ref().filter(|_| self.phase().is_active());
                answer(reply, connection.map(|m| m.connection.clone()));
            }
            Command::Start(reply) => {
                let result = self.start().await;
                answer(reply, result);
            }
            Command::Root(reply) => {
                let lent = self.lend().await;
                answer(reply, lent);
            }
            Command::Rename { to, done } => {
                let result = rename::in_turn(self, to).await;
                answer(done, result);
            }
            Command::Unlink { alias, done } => {
                let result = links::unlink_in_turn(self, alias).await;
                answer(done, result);
            }
            Command::Update { update, done } => {
                let result = super::update::in_turn(self, *update).await;
                answer(done, result);
            }
            Command::Remove { removal, name, done } => {
                let result = remove::by_user(self, removal, &name).await;
                answer(done, result);
            }
        }
    }

    /// Takes in all that the monitor knows by now: whoever asks may have heard of it before us.
    async fn catch_up(&mut self) {
        let Some(monitor) = self.monitor.as_ref().filter(|_| self.phase().is_active()) else { return };
        let Ok(Ok(known)) = tokio::time::timeout(PATIENCE, monitor.connection.hello()).await else { return };
        while self.summary.seq < known.summary.seq
            && let Some(monitor) = &mut self.monitor
            && let Some(entry) = monitor.entries.recv().await
        {
            self.take_in(&entry).await;
        }
    }

    /// The connection to the monitor; launches one where there is none.
    pub(crate) async fn monitor(&mut self) -> Result<Connection> {
        if let Some(monitor) = &self.monitor {
            return Ok(monitor.connection.clone());
        }
        if let Some(leaving) = self.leaving.take() {
            let _it_only_logs = leaving.await;
        }
        let monitor = super::bundle::launch(self).await?;
        let connection = monitor.connection.clone();
        self.monitor = Some(monitor);
        Ok(connection)
    }

    /// Lends the root file system of a container without processes. Who asks while it is lent gets the same mount: one
    /// writable layer cannot be mounted twice.
    async fn lend(&mut self) -> Result<Arc<Lent>> {
        if let Some(lent) = self.lent.upgrade() {
            return Ok(lent);
        }
        let name = self.container.name.clone();
        match self.phase() {
            Phase::Created | Phase::Exited(_) => {}
            Phase::Removing | Phase::Dead => return Err(Error::Removing(name)),
            _ => return Err(Error::AlreadyStarted(name)),
        }
        let connection = self.monitor().await?;
        let root = connection.root().await.map_err(|e| e.about(&self.container.id, &name))?;
        let lent = Arc::new(Lent::new(root));
        self.lent = Arc::downgrade(&lent);
        Ok(lent)
    }

    async fn start(&mut self) -> Result<()> {
        use super::phase::{Verdict, Wish, allow};
        let name = self.container.name.clone();
        match allow(self.phase(), Wish::Start) {
            Verdict::Go => match self.lent.upgrade() {
                Some(lent) => Err(Error::RootLent(lent.returned())),
                None => Start::run(self).await,
            },
            Verdict::Already => Err(Error::AlreadyStarted(name)),
            Verdict::Paused => Err(Error::StartPaused),
            _ => Err(Error::Removing(name)),
        }
    }

    /// Folds an entry in, and does what its event asks for.
    pub(crate) async fn take_in(&mut self, entry: &Entry) {
        if entry.seq <= self.summary.seq {
            return;
        }
        self.fold(entry);
        if matches!(entry.event, Event::Exited(_) | Event::StartFailed { .. } | Event::MonitorLost) {
            self.over().await;
        } else {
            self.publish();
        }
    }

    /// Folds an entry in, and tells of it.
    pub(crate) fn fold(&mut self, entry: &Entry) {
        event::entry(&self.engine, &self.container, &mut self.story, &self.summary, entry);
        self.summary.apply(entry);
    }

    /// Folds in what the journal of a container that was there before has to say.
    pub(crate) fn recall(&mut self, entries: &[Entry]) {
        entries.iter().for_each(|entry| self.fold(entry));
        // Clients of a former daemon, too.
        self.told.store(self.phase().is_active(), Ordering::Relaxed);
        self.publish();
    }

    /// Something happened that its journal does not say.
    pub(crate) fn tell(&self, action: &str, more: event::Attributes) {
        event::container(&self.engine, &self.container, action, more);
    }

    /// Process 1 has ended for good, or never came to be: what was lent is given back, first of all.
    pub(crate) async fn over(&mut self) {
        sandbox::release(self).await;
        self.release_mounts().await;
        self.publish();
        self.after_the_end().await;
    }

    /// What its volumes' options had mounted is not needed any more.
    pub(super) async fn release_mounts(&self) {
        if self.container.mounts.is_empty() {
            return;
        }
        let (engine, container) = (self.engine.clone(), self.container.clone());
        let unmounted = blocking(move || {
            mounts::unmount(&engine, &container);
            Ok::<_, Error>(())
        });
        if let Err(e) = unmounted.await {
            tracing::error!(container = self.container.id.short(), "its volumes: {}", with_sources(&e));
        }
    }

    /// `--rm`, or let the monitor go.
    async fn after_the_end(&mut self) {
        if self.container.config.host.auto_remove {
            if let Err(e) = remove::when_over(self).await {
                tracing::error!(
                    container = self.container.id.short(),
                    "removal after the end failed: {}",
                    with_sources(&e)
                );
            }
        } else if let Some(monitor) = self.monitor.take() {
            self.leaving = Some(tokio::spawn(let_go(monitor, self.paths.bundle.clone())));
        }
    }

    /// The monitor is gone. Did it say why?
    async fn monitor_ended(&mut self) {
        self.monitor = None;
        super::bundle::catch_up(self).await;
    }

    /// After a daemon's start: connects to the monitor if there is one, or sees to what became of the container.
    pub(crate) async fn reconnect(&mut self) {
        match super::bundle::connect(self).await {
            Ok(monitor) => {
                self.monitor = Some(monitor);
                if self.phase().is_active() {
                    mounts::still_mounted(&self.engine, &self.container);
                    super::update::catch_up(self).await;
                } else {
                    super::bundle::undo_half_a_start(self).await;
                }
            }
            Err(e) => {
                tracing::debug!(container = self.container.id.short(), "it has no monitor: {e:?}");
                super::bundle::catch_up(self).await;
            }
        }
        // It may have ended while there was no daemon that gave back what was lent to it.
        if self.summary.exit.is_some() && !self.phase().is_active() && self.override_phase.is_none() {
            self.over().await;
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.override_phase.unwrap_or_else(|| Phase::of(&self.summary))
    }

    /// Shows the state to those who look.
    pub(crate) fn publish(&self) {
        let state =
            State { phase: self.phase(), summary: self.summary.clone(), endpoint: self.endpoint.clone() };
        self.state.send_modify(|snapshot| {
            snapshot.container.clone_from(&self.container);
            snapshot.state = state;
        });
    }
}

async fn next_entry(monitor: &mut Option<Monitor>) -> Option<Entry> {
    match monitor {
        Some(monitor) => monitor.entries.recv().await,
        None => std::future::pending().await,
    }
}

/// Tells a monitor that it is not needed any more, and waits until it has released what it had. It may go on to serve its
/// last clients, for which it needs no files.
async fn let_go(monitor: Monitor, bundle: PathBuf) {
    let _it_may_be_gone_already = monitor.connection.call_and_wait(Request::Quit).await;
    super::bundle::remove_files(&bundle).await;
}

fn answer<T>(reply: oneshot::Sender<T>, value: T) {
    let _the_caller_went_away = reply.send(value);
}
