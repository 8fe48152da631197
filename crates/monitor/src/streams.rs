//! Bytes on their way: from processes to log and clients, and from clients to processes.

use crate::client::{Client, QUEUE_MAX, Role};
use crate::monitor::Monitor;
use crate::process::Read;
use sampan_logs::log::Reading;
use sampan_spec::bundle::Stdin;
use sampan_spec::stream::Stream;
use std::collections::VecDeque;
use std::io::Read as _;

/// Names a process within this monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(pub(crate) u64);

/// Process 1.
pub(crate) const MAIN: Key = Key(0);
/// So much is read from a stream at a time, in bytes.
pub(crate) const BLOCK: usize = 64 << 10;
/// How many blocks are moved before others get their turn.
const TURN: usize = 4;

impl Monitor {
    /// Whether a client that takes too little keeps a process's output from being read.
    pub(crate) fn is_stalled(&self, process: Key) -> bool {
        self.clients.values().any(|client| {
            matches!(&client.role, Role::Streams(attached) if attached.process == process && attached.replay.is_none())
                && client.queued() > QUEUE_MAX
        })
    }

    /// Reads a stream that has something.
    pub(crate) fn read_output(&mut self, key: Key, stream: Stream) {
        for _ in 0..TURN {
            if self.is_stalled(key) || !self.read_block(key, stream) {
                return;
            }
        }
    }

    /// Reads what an ended process left in its pipes, which is not much, whether clients keep up or not.
    pub(crate) fn read_rest(&mut self, key: Key) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            for _ in 0..(1 << 20) / BLOCK {
                if !self.read_block(key, stream) {
                    break;
                }
            }
        }
    }

    /// Moves one block; false if there is none now.
    fn read_block(&mut self, key: Key, stream: Stream) -> bool {
        let Some(process) = self.processes.get_mut(&key) else { return false };
        let mut buffer = std::mem::take(&mut self.buffer);
        let read = process.read(stream, &mut buffer);
        if let Read::Bytes(count) = read {
            self.distribute(key, stream, &buffer[..count]);
        }
        self.buffer = buffer;
        matches!(read, Read::Bytes(_))
    }

    fn distribute(&mut self, key: Key, stream: Stream, bytes: &[u8]) {
        let event = if key == MAIN { self.output.write(stream, bytes) } else { None };
        if let Some(event) = event {
            self.report(event);
        }
        self.probe_said(key, bytes);
        for client in self.clients.values_mut() {
            if let Role::Streams(attached) = &client.role
                && attached.process == key
                && attached.replay.is_none()
                && (if stream == Stream::Stderr { attached.stderr } else { attached.stdout })
            {
                client.push(stream, bytes);
            }
        }
    }

    /// Whether a client's input can be used now.
    pub(crate) fn wants_input(&self, client: &Client) -> bool {
        match &client.role {
            Role::Streams(attached) if attached.stdin => {
                self.processes.get(&attached.process).is_some_and(|process| process.has_room())
            }
            _ => true,
        }
    }

    /// Takes what a client sends, as far as its process has room.
    pub(crate) fn read_input(&mut self, id: u64) {
        for _ in 0..TURN {
            let Some(client) = self.clients.get(&id) else { return };
            if client.is_gone() || !self.wants_input(client) || !self.read_input_block(id) {
                return;
            }
        }
    }

    /// Clients with input that poll(2) does not tell about: what they had sent early, and what is left in the sockets of
    /// those that are gone. Says whether there is more that can be taken at once.
    pub(crate) fn read_silent_inputs(&mut self) -> bool {
        let silent = |client: &Client| client.hung_up || !client.early.is_empty();
        let ids: Vec<u64> = self.clients.iter().filter(|(_, c)| silent(c)).map(|(id, _)| *id).collect();
        let mut more = false;
        for id in ids {
            self.read_input(id);
            let Some(client) = self.clients.get_mut(&id) else { continue };
            let listens = !client.input_ended
                && matches!(&client.role, Role::Streams(a) if a.stdin && self.processes.contains_key(&a.process));
            if client.hung_up && !listens {
                client.drop_now();
            }
            let Some(client) = self.clients.get(&id).filter(|client| silent(client) && !client.is_gone())
            else {
                continue;
            };
            more |= self.wants_input(client);
        }
        more
    }

    /// Takes one block; false if there is none now, or never again.
    fn read_input_block(&mut self, id: u64) -> bool {
        let mut buffer = std::mem::take(&mut self.buffer);
        let count = self.clients.get_mut(&id).and_then(|client| next_input(client, &mut buffer));
        match count {
            Some(0) => self.input_ended(id),
            Some(count) => self.give_input(id, &buffer[..count]),
            None => {}
        }
        self.buffer = buffer;
        count.is_some_and(|count| count > 0)
    }

    fn give_input(&mut self, id: u64, bytes: &[u8]) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        let Role::Streams(attached) = &mut client.role else { return };
        let Some(process) = self.processes.get_mut(&attached.process).filter(|_| attached.stdin) else {
            return;
        };
        if !process.is_terminal() {
            return process.write_input(bytes);
        }
        let mut filtered = Vec::with_capacity(bytes.len());
        let detached = attached.keys.filter(bytes, &mut filtered);
        process.write_input(&filtered);
        if detached {
            client.end();
        }
    }

    /// A client's side has ended. For one that only listens to a stream that may be on purpose; the input of a process
    /// ends with it where it is to, otherwise its output does, as with Docker.
    fn input_ended(&mut self, id: u64) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        let Role::Streams(attached) = &client.role else {
            return client.drop_now();
        };
        if attached.stdin {
            let once = attached.process != MAIN || self.bundle.supervise.stdin == Stdin::Once;
            let process = self.processes.get_mut(&attached.process);
            match process.filter(|process| once && !process.is_terminal()) {
                Some(process) => process.end_input(),
                None => client.end(),
            }
        }
        if client.hung_up {
            client.drop_now();
        }
    }

    /// Sends on from the log to those who follow it, and to those who see first what was.
    pub(crate) fn feed_followers(&mut self) {
        let version = self.output.version;
        let behind = |client: &Client| match &client.role {
            Role::Logs(follower) => follower.seen != Some(version),
            Role::Streams(attached) => attached.replay.is_some(),
            _ => false,
        };
        let ids: Vec<u64> = self
            .clients
            .iter()
            .filter(|(_, client)| behind(client) && client.queued() < QUEUE_MAX)
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            self.feed_follower(id, version);
        }
    }

    fn feed_follower(&mut self, id: u64, version: u64) {
        let goes_on = self.is_active();
        let Some(client) = self.clients.get_mut(&id) else { return };
        match feed(client) {
            Fed::Full => {}
            Fed::Ended => client.end(),
            Fed::Behind => match &mut client.role {
                Role::Logs(follower) if follower.reader.query().follow && goes_on => {
                    follower.seen = Some(version);
                }
                Role::Streams(attached) if attached.follow => {
                    attached.replay = None;
                    self.send_pending(id);
                }
                _ => client.end(),
            },
        }
    }

    /// After a replay: what is on its way into the log.
    fn send_pending(&mut self, id: u64) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        let Role::Streams(attached) = &client.role else { return };
        let (stdout, stderr) = (attached.stdout, attached.stderr);
        for (stream, wanted) in [(Stream::Stdout, stdout), (Stream::Stderr, stderr)] {
            if wanted {
                client.push(stream, self.output.pending(stream));
            }
        }
    }
}

/// Why feeding stopped.
enum Fed {
    Full,
    Behind,
    Ended,
}

/// Sends the log on until the client has enough or the log has no more.
fn feed(client: &mut Client) -> Fed {
    let mut line_out = Vec::new();
    while client.queued() < QUEUE_MAX {
        let follower = match &mut client.role {
            Role::Logs(follower) => follower,
            Role::Streams(attached) => match &mut attached.replay {
                Some(follower) => follower,
                None => return Fed::Behind,
            },
            _ => return Fed::Ended,
        };
        let stream = match follower.reader.next() {
            Ok(Reading::Line(line)) => {
                line_out.clear();
                follower.renderer.render(&line, &mut line_out);
                line.stream
            }
            Ok(Reading::Behind) => return Fed::Behind,
            Ok(Reading::Ended) | Err(_) => return Fed::Ended,
        };
        client.push(stream, &line_out);
    }
    Fed::Full
}

/// What a client had sent early, then what it sends.
fn next_input(client: &mut Client, buffer: &mut [u8]) -> Option<usize> {
    if client.early.is_empty() {
        return if client.input_ended { None } else { client.receive(buffer) };
    }
    // Reading from memory cannot fail.
    let count = client.early.read(buffer).unwrap_or(0);
    if client.early.is_empty() {
        client.early = VecDeque::new();
    }
    Some(count)
}
