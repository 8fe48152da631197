//! What to wait for in poll(2), and whom an event is for. The set is made anew each time: what is not wanted now, like the
//! output of a process whose client is behind, is not in it.

use crate::client::Client;
use crate::monitor::{Monitor, MonitorError, State};
use crate::process::Process;
use crate::streams::Key;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sampan_spec::stream::Stream;
use std::os::fd::AsFd;
use std::time::Instant;

/// What an event is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Token {
    Listener,
    Signal,
    Connection(u64),
    Client(u64),
    Output(Key, Stream),
    Input(Key),
    Process(Key),
    Memory,
    Packer,
    /// Something for a published port that nobody takes yet.
    Arrival,
    Relay,
}

impl Monitor {
    /// When to look without an event.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let restart = if let State::Restarting { due, .. } = self.state { Some(due) } else { None };
        // Once it is over it stays over: without an event it decides nothing any more.
        let patience = Some(self.life.patience_ends())
            .filter(|at| matches!(self.state, State::Created) && *at > Instant::now());
        let again = [self.listen_again, self.ports.silent_until];
        [self.stopping.kill_at, self.memory.look_at, restart, patience]
            .into_iter()
            .chain(again)
            .flatten()
            .chain(self.probing.deadline())
            .chain(self.streams_held_until())
            .chain(self.processes.values().filter_map(Process::look_again))
            .chain(self.clients.values().filter_map(Client::deadline))
            .min()
    }

    pub(crate) fn wait_for_events(
        &self,
        deadline: Option<Instant>,
    ) -> Result<Vec<(Token, PollFlags)>, MonitorError> {
        let (mut fds, tokens) = self.interests();
        let timeout = deadline.map(|at| {
            let left = at.saturating_duration_since(Instant::now());
            Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() }
        });
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(MonitorError::Poll(error.into())),
        }
        let ready = fds.iter().map(PollFd::revents).zip(tokens).filter(|(flags, _)| !flags.is_empty());
        Ok(ready.map(|(flags, token)| (token, flags)).collect())
    }

    fn interests(&self) -> (Vec<PollFd<'_>>, Vec<Token>) {
        let mut fds = Vec::new();
        let mut tokens = Vec::new();
        let mut add = |token, fd, flags| {
            fds.push(PollFd::from_borrowed_fd(fd, flags));
            tokens.push(token);
        };
        if self.listen_again.is_none() {
            add(Token::Listener, self.listener.as_fd(), PollFlags::IN);
        }
        add(Token::Signal, self.signals.as_fd(), PollFlags::IN);
        for (number, connection) in &self.connections {
            add(Token::Connection(*number), connection.socket.as_fd(), connection.interest());
        }
        for (key, process) in &self.processes {
            if !self.is_stalled(*key) {
                for (stream, fd) in process.outputs() {
                    add(Token::Output(*key, stream), fd, PollFlags::IN);
                }
            }
            if let Some((fd, flags)) = process.blocked_input() {
                add(Token::Input(*key), fd, flags);
            }
            if let Some(pidfd) = &process.pidfd {
                add(Token::Process(*key), pidfd.as_fd(), PollFlags::IN);
            }
        }
        for (id, client) in &self.clients {
            if let Some(flags) = client.interest(self.wants_input(client)) {
                add(Token::Client(*id), client.socket.as_fd(), flags);
            }
        }
        if let Some(events) = &self.memory.events {
            add(Token::Memory, events.as_fd(), PollFlags::IN);
        }
        if let Some(packer) = self.output.packer() {
            add(Token::Packer, packer.pidfd().as_fd(), PollFlags::IN);
        }
        if let Some(relay) = self.ports.relay() {
            add(Token::Relay, relay, PollFlags::IN);
        } else if let Some(bell) = self.ports.bell().filter(|_| self.is_active()) {
            add(Token::Arrival, bell, PollFlags::IN);
        }
        (fds, tokens)
    }

    pub(crate) fn event(&mut self, token: Token, flags: PollFlags) {
        match token {
            Token::Listener => self.accept(),
            Token::Signal => self.take_signals(),
            Token::Connection(number) => self.connection_event(number, flags),
            Token::Client(id) => self.client_event(id, flags),
            Token::Output(key, stream) => self.read_output(key, stream),
            Token::Input(key) => {
                if let Some(process) = self.processes.get_mut(&key) {
                    process.flush_input();
                }
            }
            Token::Process(key) => self.reap(key),
            Token::Memory => self.memory_event(),
            Token::Arrival => self.ports.start_relay(&self.bundle.supervise.id),
            Token::Relay => self.ports.relay_ended(),
            Token::Packer => self.output.look_at_packer(),
        }
    }

    fn connection_event(&mut self, number: u64, flags: PollFlags) {
        self.life.last_event = Instant::now();
        if let Some(connection) = self.connections.get_mut(&number)
            && flags.intersects(PollFlags::OUT | PollFlags::ERR)
        {
            connection.flush();
        }
        self.serve(number);
    }

    fn client_event(&mut self, id: u64, flags: PollFlags) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        if flags.contains(PollFlags::OUT) {
            client.flush();
        }
        if flags.intersects(PollFlags::HUP | PollFlags::ERR) {
            client.hang_up();
        } else if flags.contains(PollFlags::IN) {
            if client.is_open() {
                self.read_input(id);
            } else {
                client.drain(&mut self.buffer, Instant::now());
            }
        }
    }
}
