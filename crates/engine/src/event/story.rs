//! From a journal's entries to events: the same from the live monitor and from the file after an absence.

use super::{Attributes, Kind, attributes};
use crate::container::{Container, MountPoint, ReadOnly, health_command};
use crate::engine::Engine;
use crate::network::Which;
use sampan_spec::health::HealthStatus;
use sampan_spec::journal::{Entry, Event, ExecProcess, Exit, Summary};
use sampan_spec::{ExecId, Signal};

/// What of the story so far the next entry's events depend on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Story {
    /// A stop was asked for, with this signal first.
    stopping: Option<Signal>,
    restarting: Option<Signal>,
}

/// An event about the container itself, or about something that it uses.
pub(super) type Told = (Kind, String, String, Attributes);

impl Story {
    /// The events that an entry tells; `before` is the fold of those before it.
    pub(super) fn events(
        &mut self,
        engine: &Engine,
        container: &Container,
        before: &Summary,
        entry: &Entry,
    ) -> Vec<Told> {
        if entry.seq <= before.seq {
            return Vec::new();
        }
        let teller = Teller { engine, container, before };
        match &entry.event {
            Event::Started { .. } => teller.start(self.begin()),
            Event::StartFailed { .. } => teller.network("disconnect"),
            Event::StopRequested { signal, kill } => {
                self.stopping = (!kill).then_some(*signal);
                vec![teller.signal(*signal)]
            }
            Event::RestartRequested { signal } => {
                self.restarting = Some(*signal);
                vec![teller.signal(*signal)]
            }
            Event::Exited(exit) | Event::Restarting { exit, .. } => {
                let asked = self.stopping.take().or(self.restarting);
                teller.end(entry, *exit, asked)
            }
            Event::MonitorLost => {
                let signal = Signal::KILL;
                let exit = Exit { code: 128 + signal.number(), signal: Some(signal), oom: false };
                teller.end(entry, exit, self.stopping.take())
            }
            Event::Paused => vec![teller.own("pause", Attributes::new())],
            Event::Resumed => vec![teller.own("unpause", Attributes::new())],
            Event::OutOfMemory => vec![teller.own("oom", Attributes::new())],
            Event::ExecCreated { exec, process } => vec![teller.exec("exec_create", exec, process)],
            Event::ExecStarted { exec, .. } => teller.exec_started(exec),
            Event::ExecEnded { exec, code } => {
                let about = [("execID", exec.to_string()), ("exitCode", code.to_string())];
                vec![teller.own("exec_die", attributes(about))]
            }
            Event::ProbeStarted { exec } => teller.probe(exec),
            Event::Probed { status, .. } => teller.health(*status),
            Event::Shutdown
            | Event::Updated { .. }
            | Event::ExecFailed { .. }
            | Event::LogGap { .. }
            | Event::Snapshot { .. } => Vec::new(),
        }
    }

    /// Whether it runs again because a user asked for that.
    fn begin(&mut self) -> bool {
        self.stopping = None;
        self.restarting.take().is_some()
    }
}

struct Teller<'a> {
    engine: &'a Engine,
    container: &'a Container,
    before: &'a Summary,
}

impl Teller<'_> {
    fn own(&self, action: &str, more: Attributes) -> Told {
        let attributes = of_container(self.container).into_iter().chain(more).collect();
        (Kind::Container, action.to_owned(), self.container.id.to_string(), attributes)
    }

    fn signal(&self, signal: Signal) -> Told {
        self.own("kill", attributes([("signal", signal.number().to_string())]))
    }

    fn start(&self, again: bool) -> Vec<Told> {
        let mut events: Vec<Told> = self.volumes().map(|(name, point)| self.mount(name, point)).collect();
        events.extend(self.network("connect"));
        events.push(self.own("start", Attributes::new()));
        if again {
            events.push(self.own("restart", Attributes::new()));
        }
        events
    }

    /// `asked`: the first signal of a stop or a restart.
    fn end(&self, entry: &Entry, exit: Exit, asked: Option<Signal>) -> Vec<Told> {
        let mut events = Vec::new();
        let patience_ended = exit.signal == Some(Signal::KILL) && !exit.oom;
        if asked.is_some_and(|signal| signal != Signal::KILL && patience_ended) {
            events.push(self.signal(Signal::KILL));
        }
        events.extend(self.network("disconnect"));
        let about = || attributes([("container", self.container.id.to_string()), driver()]);
        let gone = |name: &str| (Kind::Volume, "unmount".to_owned(), name.to_owned(), about());
        events.extend(self.volumes().map(|(name, _)| gone(name)));
        if asked.is_some() {
            events.push(self.own("stop", Attributes::new()));
        }
        let ran = self.before.started.map_or(0, |started| entry.time.as_second() - started.as_second());
        let about = [("execDuration", ran.max(0).to_string()), ("exitCode", exit.code.to_string())];
        events.push(self.own("die", attributes(about)));
        events
    }

    fn exec(&self, action: &str, id: &ExecId, process: &ExecProcess) -> Told {
        self.words(action, id, process.process.args.as_deref().unwrap_or_default())
    }

    /// Docker tells of its process as of any other.
    fn probe(&self, id: &ExecId) -> Vec<Told> {
        let words = health_command(&self.container.config).unwrap_or_default();
        ["exec_create", "exec_start"].map(|action| self.words(action, id, &words)).into()
    }

    fn health(&self, now: HealthStatus) -> Vec<Told> {
        let before = self.before.health.as_ref().map(|health| health.status);
        let told = self.own(&format!("health_status: {}", now.name()), Attributes::new());
        if before == Some(now) { Vec::new() } else { vec![told] }
    }

    /// Docker writes the program, a space, and the arguments.
    fn words(&self, action: &str, id: &ExecId, words: &[String]) -> Told {
        let (program, arguments) = words.split_first().map_or(("", &[][..]), |(p, rest)| (p.as_str(), rest));
        let action = format!("{action}: {program} {}", arguments.join(" "));
        self.own(&action, attributes([("execID", id.to_string())]))
    }

    fn exec_started(&self, id: &ExecId) -> Vec<Told> {
        let known = self.before.execs.get(id);
        known.map(|exec| self.exec("exec_start", id, &exec.process)).into_iter().collect()
    }

    fn network(&self, action: &str) -> Vec<Told> {
        let Some(network) = Which::of(&self.container.config.host.network) else { return Vec::new() };
        let about = [
            ("container", self.container.id.to_string()),
            ("name", network.name().to_owned()),
            ("type", network.driver().to_owned()),
        ];
        vec![(Kind::Network, action.to_owned(), network.id(self.engine), attributes(about))]
    }

    fn volumes(&self) -> impl Iterator<Item = (&str, &MountPoint)> {
        self.container.mounts.iter().filter_map(|point| Some((point.volume()?, point)))
    }

    fn mount(&self, name: &str, point: &MountPoint) -> Told {
        let about = attributes([
            ("container", self.container.id.to_string()),
            ("destination", point.destination.clone()),
            driver(),
            ("propagation", String::new()),
            ("read/write", (point.read_only == ReadOnly::No).to_string()),
        ]);
        (Kind::Volume, "mount".to_owned(), name.to_owned(), about)
    }
}

/// There is one driver of volumes.
pub(super) fn driver() -> (&'static str, String) {
    ("driver", "local".to_owned())
}

/// What every event about a container says: its labels, its image and its name.
pub(super) fn of_container(container: &Container) -> Attributes {
    let mut attributes = container.config.labels.clone();
    attributes.insert("image".to_owned(), container.config.image.clone());
    attributes.insert("name".to_owned(), container.name.clone());
    attributes
}
