//! What daemons ask for, one function per request.

use crate::clients::{Attach, Handed};
use crate::connection::{Connection, Frame, Received};
use crate::monitor::{Monitor, State};
use crate::streams::MAIN;
use sampan_spec::ExecId;
use sampan_spec::bundle::Restart;
use sampan_spec::journal::{Event, Failure};
use sampan_spec::monitor::{Answer, Call, Client, Message, Refusal, Request, VERSION};
use sampan_spec::oci::LinuxResources;
use serde::Deserialize;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// How long nobody is accepted when there was no descriptor for one.
const NO_ROOM_PAUSE: Duration = Duration::from_millis(100);

/// Where an answer goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker {
    pub(crate) connection: u64,
    pub(crate) call: u64,
}

/// All that can be understood of a request of another version.
#[derive(Deserialize)]
struct Numbered {
    call: u64,
}

/// A request's answer now, or `None` if it comes later or was given already.
type Reply = Result<Option<Answer>, Refusal>;

const DONE: Reply = Ok(Some(Answer::Done));

impl Monitor {
    /// Takes the next daemon's connection. Only the owner of this process, or root, is one.
    pub(crate) fn accept(&mut self) {
        let socket = match sampan_sys::socket::accept(&self.listener) {
            Ok(socket) => socket,
            // It has left again.
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionAborted) => return,
            // No descriptor or memory is free. It goes on waiting, and poll(2) would tell of it without end.
            Err(_) => {
                self.listen_again = Some(Instant::now() + NO_ROOM_PAUSE);
                return;
            }
        };
        let own = rustix::process::geteuid().as_raw();
        let trusted =
            sampan_sys::socket::peer_cred(&socket).is_ok_and(|peer| peer.uid == 0 || peer.uid == own);
        if trusted && rustix::io::ioctl_fionbio(&socket, true).is_ok() {
            let number = self.next_number();
            self.connections.insert(number, Connection::new(socket));
            self.life.met_daemon = true;
        }
    }

    /// Serves what a connection has sent.
    pub(crate) fn serve(&mut self, number: u64) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut frames = Vec::new();
        let mut broken = None;
        while let Some(connection) = self.connections.get_mut(&number) {
            match connection.receive(&mut buffer) {
                Received::Frame(frame) => frames.push(frame),
                Received::NotNow => break,
                Received::Broken(reason) => {
                    broken = Some(reason);
                    break;
                }
            }
        }
        self.buffer = buffer;
        for frame in frames {
            self.serve_frame(number, frame);
        }
        if let Some(reason) = broken {
            self.refuse_and_end(number, reason);
        }
    }

    fn serve_frame(&mut self, connection: u64, frame: Frame) {
        match serde_json::from_slice::<Call>(&frame.json) {
            Ok(Call { call, request }) => {
                let asker = Asker { connection, call };
                match self.handle(asker, request, frame) {
                    Ok(None) => {}
                    Ok(Some(answer)) => self.answer(asker, Ok(answer), Vec::new()),
                    Err(refusal) => self.answer(asker, Err(refusal), Vec::new()),
                }
            }
            Err(error) => match serde_json::from_slice::<Numbered>(&frame.json) {
                Ok(Numbered { call }) => {
                    let refusal = Refusal::BadRequest { reason: error.to_string() };
                    self.answer(Asker { connection, call }, Err(refusal), Vec::new());
                }
                Err(_) => self.refuse_and_end(connection, error.to_string()),
            },
        }
    }

    /// For a request without a number.
    fn refuse_and_end(&mut self, connection: u64, reason: String) {
        let asker = Asker { connection, call: 0 };
        self.answer(asker, Err(Refusal::BadRequest { reason }), Vec::new());
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.end();
        }
    }

    /// Sends an answer, if there is somebody to get it.
    pub(crate) fn answer(&mut self, asker: Asker, result: Result<Answer, Refusal>, fds: Vec<OwnedFd>) {
        if let Some(connection) = self.connections.get_mut(&asker.connection) {
            connection.send(&Message::Answer { call: asker.call, result }, fds);
        }
    }

    fn handle(&mut self, asker: Asker, request: Request, frame: Frame) -> Reply {
        match request {
            Request::Hello { version } => self.hello(version).map(Some),
            Request::Subscribe { after } => self.subscribe(asker, after),
            Request::HoldPorts { relay } => self.hold_ports(&relay, frame.fds).map(Some),
            Request::Prepare => self.prepare_for(asker),
            Request::Root => self.root(asker),
            Request::Start => self.start().map(|pid| Some(Answer::Started { pid })),
            Request::Abandon => {
                self.abandon();
                DONE
            }
            Request::Signal { signal } => self.send_signal(signal).map(|()| Some(Answer::Done)),
            Request::Shutdown => self.shut_down(asker).map(|()| None),
            Request::Stop { signal, timeout } => self.stop(asker, signal, timeout).map(|()| None),
            Request::Restart { signal, timeout } => {
                self.restart_at_a_wish(asker, signal, timeout).map(|()| None)
            }
            Request::Update { revision, resources, restart } => {
                self.update(revision, &resources, restart).map(Some)
            }
            Request::Pause => self.pause().map(|()| Some(Answer::Done)),
            Request::Resume => self.resume().map(|()| Some(Answer::Done)),
            Request::Resize { exec, rows, columns } => self.resize(exec, rows, columns).map(Some),
            Request::ExecCreate { exec, process } => self.exec_create(exec, *process).map(Some),
            Request::ExecStart { exec, client, size } => {
                let handed = client.map(|client| handed(client, frame)).transpose()?;
                self.exec_start(exec, handed, size).map(|pid| Some(Answer::Started { pid }))
            }
            Request::Attach { client, streams, logs, follow, detach_keys } => {
                let attach = Attach { streams, logs, follow, detach_keys };
                self.attach(handed(client, frame)?, attach).map(Some)
            }
            Request::Logs { client, query } => self.follow_log(handed(client, frame)?, query).map(Some),
            Request::Wait { client, condition } => self.wait(handed(client, frame)?, condition).map(Some),
            Request::Drop { client } => {
                self.drop_client(client);
                DONE
            }
            Request::Removed => {
                self.removed();
                DONE
            }
            Request::Quit => self.quit(),
        }
    }

    fn hello(&self, version: u32) -> Result<Answer, Refusal> {
        if version != VERSION {
            let reason = format!("this monitor speaks version {VERSION} of the protocol, not {version}");
            return Err(Refusal::BadRequest { reason });
        }
        let summary = Box::new(self.record.summary().clone());
        let prepared = self.start_has_begun();
        Ok(Answer::Hello { version: VERSION, pid: std::process::id() as i32, summary, prepared })
    }

    fn subscribe(&mut self, asker: Asker, after: u64) -> Reply {
        let entries = self.record.entries(after);
        let entries = entries.map_err(|error| Refusal::System { message: error.to_string() })?;
        if let Some(connection) = self.connections.get_mut(&asker.connection) {
            for entry in entries {
                connection.send(&Message::Entry(Box::new(entry)), Vec::new());
            }
            connection.subscribed = true;
        }
        DONE
    }

    fn update(
        &mut self,
        revision: u32,
        resources: &LinuxResources,
        restart: Restart,
    ) -> Result<Answer, Refusal> {
        if let State::Running { sandbox, .. } | State::Restarting { sandbox, .. } = &self.state {
            sampan_runtime::update(&sandbox.cgroup, resources).map_err(Failed)?;
        } else if let Some(linux) = &mut self.bundle.config.linux {
            let devices = linux.resources.take().and_then(|own| own.devices);
            linux.resources = Some(LinuxResources { devices, ..resources.clone() });
        }
        self.bundle.supervise.restart = restart;
        self.report(Event::Updated { revision });
        Ok(Answer::Done)
    }

    fn root(&mut self, asker: Asker) -> Reply {
        if !matches!(self.state, State::Created) {
            return Err(Refusal::AlreadyStarted);
        }
        let root = sampan_runtime::root(&self.bundle.supervise.rootfs).map_err(Failed)?;
        self.answer(asker, Ok(Answer::Done), vec![root]);
        Ok(None)
    }

    /// Answers first and mounts then, while the daemon configures the network.
    fn prepare_for(&mut self, asker: Asker) -> Reply {
        let (pid, fds) = self.prepare()?;
        self.answer(asker, Ok(Answer::Prepared { pid }), fds);
        self.mount();
        Ok(None)
    }

    fn resize(&mut self, exec: Option<ExecId>, rows: u16, columns: u16) -> Result<Answer, Refusal> {
        let key = match &exec {
            None => {
                self.size = Some((rows, columns));
                if matches!(self.state, State::Created | State::Prepared(_) | State::Restarting { .. }) {
                    return Ok(Answer::Done);
                }
                MAIN
            }
            Some(exec) => self.exec_key(exec)?,
        };
        let process = self.processes.get(&key).ok_or(Refusal::NotRunning)?;
        match process.resize(rows, columns) {
            Ok(true) => Ok(Answer::Done),
            Ok(false) => Err(Refusal::NoTerminal),
            Err(error) => Err(Refusal::System { message: format!("set the terminal's size: {error}") }),
        }
    }

    /// Writes an event into the journal and tells it to those who follow.
    pub(crate) fn report(&mut self, event: Event) {
        for entry in self.record.append(event) {
            let message = Message::Entry(Box::new(entry));
            for connection in self.connections.values_mut().filter(|connection| connection.subscribed) {
                connection.send(&message, Vec::new());
            }
        }
    }
}

/// The client that a request brings: exactly one descriptor, of a socket.
fn handed(client: Client, mut frame: Frame) -> Result<Handed, Refusal> {
    let refuse = |reason: &str| Refusal::BadRequest { reason: reason.into() };
    let (Some(socket), true) = (frame.fds.pop(), frame.fds.is_empty()) else {
        return Err(refuse("a client's request comes with one descriptor"));
    };
    rustix::net::sockopt::socket_type(&socket).map_err(|_| refuse("a client's descriptor is a socket"))?;
    Ok(Handed { client, socket, early: frame.bytes })
}

impl From<Failed> for Refusal {
    fn from(Failed(failure): Failed) -> Self {
        Self::Failed { failure }
    }
}

/// A start that failed, as a refusal.
pub(crate) struct Failed(pub(crate) Failure);
