//! Taking clients over from the daemon, and letting them go.

use crate::client::{Attached, Client, Follower, Role};
use crate::detach::DetachKeys;
use crate::monitor::{Monitor, State};
use crate::streams::{Key, MAIN};
use sampan_logs::log::Renderer;
use sampan_spec::ClientId;
use sampan_spec::bundle::Stdin;
use sampan_spec::monitor::{self, Answer, LogQuery, Refusal, WaitCondition};
use sampan_spec::stream::Stream;
use std::os::fd::OwnedFd;

/// A connection that comes with a request.
pub(crate) struct Handed {
    pub(crate) client: monitor::Client,
    pub(crate) socket: OwnedFd,
    pub(crate) early: Vec<u8>,
}

/// How a client wants to be attached to process 1.
pub(crate) struct Attach {
    pub(crate) streams: Vec<Stream>,
    pub(crate) logs: bool,
    pub(crate) follow: bool,
    pub(crate) detach_keys: Vec<u8>,
}

impl Monitor {
    /// Takes a client in: from now on it is this monitor's.
    pub(crate) fn adopt(&mut self, handed: Handed, role: Role) {
        let mut client = Client::new(handed.client, handed.socket, handed.early, role);
        if !matches!(&client.role, Role::Streams(attached) if attached.stdin) {
            client.early.clear();
        }
        let id = self.next_number();
        self.clients.insert(id, client);
        self.life.had_clients = true;
    }

    pub(crate) fn attach(&mut self, handed: Handed, attach: Attach) -> Result<Answer, Refusal> {
        if attach.follow && matches!(self.state, State::Ended) {
            return Err(Refusal::NotRunning);
        }
        let wants = |stream| attach.streams.contains(&stream);
        let query = LogQuery {
            stdout: wants(Stream::Stdout),
            stderr: wants(Stream::Stderr),
            since: None,
            until: None,
            tail: None,
            timestamps: false,
            details: false,
            follow: attach.follow,
        };
        let replay = if attach.logs { self.follower(query)? } else { None };
        if !attach.follow && replay.is_none() {
            self.adopt(handed, Role::Over);
            self.end_clients(|client| matches!(client.role, Role::Over));
            return Ok(Answer::Done);
        }
        let attached = Attached {
            process: MAIN,
            stdin: wants(Stream::Stdin) && self.bundle.supervise.stdin != Stdin::Null,
            stdout: wants(Stream::Stdout),
            stderr: wants(Stream::Stderr),
            keys: DetachKeys::new(attach.detach_keys),
            replay,
            follow: attach.follow,
        };
        self.adopt(handed, Role::Streams(attached));
        Ok(Answer::Done)
    }

    pub(crate) fn follow_log(&mut self, handed: Handed, query: LogQuery) -> Result<Answer, Refusal> {
        let follower = self.follower(query)?;
        let reason = || "configured logging driver does not support reading".into();
        let follower = follower.ok_or_else(|| Refusal::BadRequest { reason: reason() })?;
        self.adopt(handed, Role::Logs(follower));
        Ok(Answer::Done)
    }

    fn follower(&mut self, query: LogQuery) -> Result<Option<Follower>, Refusal> {
        self.open_output().map_err(|failure| Refusal::System { message: failure.message })?;
        let renderer = Renderer::new(&query);
        let reader = self.output.reader(query).transpose();
        let reader = reader.map_err(|error| Refusal::System { message: error.to_string() })?;
        Ok(reader.map(|reader| Follower { reader, renderer, seen: None }))
    }

    pub(crate) fn wait(&mut self, handed: Handed, condition: WaitCondition) -> Result<Answer, Refusal> {
        let met = self.is_met(condition);
        self.adopt(handed, Role::Wait(condition));
        if met {
            self.answer_waiters(&[condition]);
        }
        Ok(Answer::Done)
    }

    /// Closes a client's connection.
    pub(crate) fn drop_client(&mut self, id: ClientId) {
        self.clients.values_mut().filter(|client| client.id == id).for_each(Client::drop_now);
    }

    /// Ends the streams of some clients.
    pub(crate) fn end_clients(&mut self, which: impl Fn(&Client) -> bool) {
        self.clients.values_mut().filter(|client| which(client)).for_each(Client::end);
    }

    /// Ends what a process's clients get. One that still sees what was logged gets that first.
    pub(crate) fn end_streams_of(&mut self, process: Key) {
        for client in self.clients.values_mut() {
            match &mut client.role {
                Role::Streams(attached) if attached.process == process => {
                    attached.follow = false;
                    attached.stdin = false;
                    if attached.replay.is_none() {
                        client.end();
                    }
                }
                _ => {}
            }
        }
    }
}
