//! The protocol between the daemon and a container's monitor.
//!
//! A stream socket (`monitor.sock` of the bundle, bound and listened on by the daemon, inherited by the monitor as
//! descriptor [`LISTENER_FD`]). Each message is a frame: two little-endian `u32`, the length of a JSON document and the
//! length of raw bytes, then both. Descriptors travel with the frame's first byte (SCM_RIGHTS).
//!
//! The daemon sends [`Call`]s and gets one [`Message::Answer`] for each, not always in order; after
//! [`Request::Subscribe`] it also gets [`Message::Entry`] for every line the journal grows by. A monitor serves any
//! number of connections, keeps nothing of one that ends, and goes on without any.
//!
//! # A container's life, as a script
//! 1. The daemon writes the bundle, binds the socket, launches the monitor, sends `Hello` and `Subscribe`.
//! 2. `HoldPorts`, where ports are published: the monitor keeps the sockets that occupy them.
//! 3. `Prepare`: the monitor makes the cgroup and clones process 1 into new name spaces, answers with its pid, the network
//!    name space and a netlink socket opened there, and goes on to build the mounts.
//! 4. The daemon configures the network meanwhile, then sends `Start`.
//! 5. The monitor lets process 1 run and answers; or answers with the [`Failure`], with all undone.
//! 6. At the end the monitor closes the ports, writes `Exited`, ends the clients' streams, and releases mounts, cgroup and name spaces.
//! 7. It ends itself after `Quit`, or when no daemon is connected; with `remove` only after `Removed`.

use crate::journal::{Entry, ExecProcess, Failure, Summary};
use crate::stream::Stream;
use crate::{ClientId, ExecId, Signal};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::ffi::CStr;
use std::net::SocketAddr;

/// The protocol's version, in `Hello` from both sides.
pub const VERSION: u32 = 1;
/// The listening socket's descriptor in a monitor.
pub const LISTENER_FD: i32 = 3;
/// The environment a monitor is started with: the C library is to keep no freed memory aside for each size of object, which
/// would be half of what a monitor holds.
pub const ENVIRONMENT: &CStr = c"GLIBC_TUNABLES=glibc.malloc.tcache_count=0";
/// A frame's JSON document is at most this long: an exec's arguments and environment can reach a few megabytes.
pub const JSON_MAX: u32 = 16 << 20;
/// A frame's raw bytes are at most this long: what a client had sent before its connection was handed over.
pub const BYTES_MAX: u32 = 64 << 20;
/// At most this many descriptors travel with a frame: as many as the kernel takes in one message.
pub const FDS_MAX: usize = 253;
/// The length of the two numbers before a frame's content.
pub const FRAME_HEADER: usize = 8;

/// A frame is longer than [`JSON_MAX`] or [`BYTES_MAX`] allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {json} and {bytes} bytes is too long")]
pub struct FrameTooLong {
    /// The length of its JSON document.
    pub json: usize,
    /// The length of its raw bytes.
    pub bytes: usize,
}

/// A whole frame.
///
/// # Errors
/// [`FrameTooLong`].
pub fn encode_frame(json: &[u8], bytes: &[u8]) -> Result<Vec<u8>, FrameTooLong> {
    check_frame(json.len(), bytes.len())?;
    let length = |part: &[u8]| (part.len() as u32).to_le_bytes();
    Ok([&length(json)[..], &length(bytes), json, bytes].concat())
}

/// The lengths of a frame's JSON document and raw bytes.
///
/// # Errors
/// [`FrameTooLong`].
pub const fn parse_header(header: [u8; FRAME_HEADER]) -> Result<(usize, usize), FrameTooLong> {
    let [a, b, c, d, e, f, g, h] = header;
    let json = u32::from_le_bytes([a, b, c, d]) as usize;
    check_frame(json, u32::from_le_bytes([e, f, g, h]) as usize)
}

const fn check_frame(json: usize, bytes: usize) -> Result<(usize, usize), FrameTooLong> {
    if json > JSON_MAX as usize || bytes > BYTES_MAX as usize {
        return Err(FrameTooLong { json, bytes });
    }
    Ok((json, bytes))
}

/// A request with its number, which the answer repeats.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Chosen by the caller.
    pub call: u64,
    /// What to do.
    #[serde(flatten)]
    pub request: Request,
}

/// From monitor to daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Message {
    /// The answer to a call.
    Answer {
        /// The call's number.
        call: u64,
        /// What came of it.
        result: Result<Answer, Refusal>,
    },
    /// A new line in the journal.
    Entry(Box<Entry>),
}

/// What a daemon asks of a monitor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum Request {
    /// Who is there? Answered with `Hello`.
    Hello {
        /// The daemon's [`VERSION`].
        version: u32,
    },
    /// Send the journal's lines from now on, and first those behind `after`. Answered with `Done`.
    Subscribe {
        /// The last sequence number that is known.
        after: u64,
    },
    /// Keep sockets that occupy published ports, one a descriptor and at most [`FDS_MAX`] at a time, from before the start to the
    /// container's end, over restarts. They are closed before the end is told. Answered with `Done`.
    HoldPorts {
        /// For each socket, where what arrives there is relayed to: a connection that a listening one takes, or a datagram.
        /// `None`: nothing arrives, it only occupies the port.
        relay: Vec<Option<SocketAddr>>,
    },
    /// Make the sandbox and process 1, which waits. Answered with `Prepared` and, when the sandbox is `configured`, two
    /// descriptors: the network name space and a NETLINK_ROUTE socket that was opened in it.
    Prepare,
    /// Let process 1 run. Prepares first if nobody did. Answered with `Started`.
    Start,
    /// Build the root file system for whoever copies from it or into it while no process uses it. Answered with `Done` and one
    /// descriptor, a detached mount. Who has that sees to it that it is gone before the next `Prepare`.
    Root,
    /// Undo `HoldPorts` and `Prepare`, or end the monitor where neither was asked for. Answered with `Done`.
    Abandon,
    /// Send a signal to process 1.
    Signal {
        /// Which.
        signal: Signal,
    },
    /// Send the stop signal, wait, then kill. Answered with `Done` when process 1 has ended.
    Stop {
        /// Instead of the bundle's signal.
        signal: Option<Signal>,
        /// Instead of the bundle's time-out, in seconds; negative: no time-out.
        timeout: Option<i64>,
    },
    /// As `Stop`, but process 1 is then let run again in the same sandbox, whatever the restart policy says. Answered with
    /// `Started`; with `NotRunning` if a stop came in between.
    Restart {
        /// Instead of the bundle's signal.
        signal: Option<Signal>,
        /// Instead of the bundle's time-out, in seconds; negative: no time-out.
        timeout: Option<i64>,
    },
    /// As `Stop` without a signal and a time-out of its own, because the host goes down: the container comes back by its
    /// restart policy.
    Shutdown,
    /// Set other limits, and keep another restart policy. Answered with `Done`.
    Update {
        /// The record's number, for the journal.
        revision: u32,
        /// The limits; what is not in them stays.
        resources: Box<crate::oci::LinuxResources>,
        /// The restart policy from now on.
        restart: crate::bundle::Restart,
    },
    /// Freeze all processes. Answered when all are frozen.
    Pause,
    /// Let them run again.
    Resume,
    /// Set a terminal's size.
    Resize {
        /// The exec process, or process 1.
        exec: Option<ExecId>,
        /// Rows.
        rows: u16,
        /// Columns.
        columns: u16,
    },
    /// Remember a process to execute. Answered with `Done`.
    ExecCreate {
        /// Its id.
        exec: ExecId,
        /// What it is.
        process: Box<ExecProcess>,
    },
    /// Start it. With a client, its socket is the one descriptor and its early input the frame's raw bytes.
    /// Answered with `Started`; the client's head is written only then.
    ExecStart {
        /// Its id.
        exec: ExecId,
        /// Who gets its streams; `None` runs it detached.
        client: Option<Client>,
        /// Rows and columns of its terminal.
        size: Option<(u16, u16)>,
    },
    /// Hand a client's connection over for process 1's streams. Descriptor and raw bytes as for `ExecStart`. Answered with `Done`.
    Attach {
        /// Who.
        client: Client,
        /// Which streams: any of stdin, stdout, stderr.
        streams: Vec<Stream>,
        /// First replay what was logged.
        logs: bool,
        /// Go on with what comes; else end after the replay.
        follow: bool,
        /// The bytes that detach a client from a terminal; empty: none.
        detach_keys: Vec<u8>,
    },
    /// Hand over a client that follows the log.
    Logs {
        /// Who.
        client: Client,
        /// What it wants to see.
        query: LogQuery,
    },
    /// Hand over a client that waits for the end.
    Wait {
        /// Who.
        client: Client,
        /// For what.
        condition: WaitCondition,
    },
    /// Close a client's connection.
    Drop {
        /// Which.
        client: ClientId,
    },
    /// The daemon has removed the container: answer those who wait for that, then end.
    Removed,
    /// The daemon knows all there is to know: end as soon as the clients' streams have. Answered with `Done` once mounts,
    /// cgroup and name spaces are released, which the next start of the container waits for.
    Quit,
}

/// What a monitor answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    /// It is there.
    Hello {
        /// The monitor's [`VERSION`].
        version: u32,
        /// Its pid.
        pid: i32,
        /// What it knows of the container.
        summary: Box<Summary>,
        /// Ports are held or process 1 exists, and waits: somebody began a start, and did not let it run.
        #[serde(default)]
        prepared: bool,
    },
    /// Process 1 exists and waits.
    Prepared {
        /// Its pid on the host.
        pid: i32,
    },
    /// The process runs.
    Started {
        /// Its pid on the host.
        pid: i32,
    },
    /// It is done.
    Done,
}

/// Why a monitor did not do as asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "refusal", rename_all = "kebab-case")]
pub enum Refusal {
    /// A process could not be started.
    Failed {
        /// Where and why.
        failure: Failure,
    },
    /// The container or exec process does not run (any more, or yet).
    NotRunning,
    /// It is prepared or started already.
    AlreadyStarted,
    /// It is paused.
    Paused,
    /// No such exec process.
    NoSuchExec,
    /// The process has no terminal.
    NoTerminal,
    /// The request makes no sense or has the wrong descriptors.
    BadRequest {
        /// Why.
        reason: String,
    },
    /// A system call failed.
    System {
        /// What was tried and what came of it.
        message: String,
    },
}

/// A client's connection. The monitor writes the head, then the stream; it knows no HTTP beyond chunks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Names it in `Drop`.
    pub id: ClientId,
    /// Written first, once the request has succeeded: the response's status line and headers, empty line included.
    pub head: String,
    /// How the body is framed.
    pub framing: Framing,
}

/// How bytes to a client are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Framing {
    /// Precede each piece with its stream and length ([`crate::stream`]); otherwise raw.
    pub multiplexed: bool,
    /// Wrap all in HTTP chunks and end with the last chunk (RFC 9112 section 7.1).
    pub chunked: bool,
}

/// Which of the log's lines a client sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogQuery {
    /// Lines of standard output.
    pub stdout: bool,
    /// Lines of standard error.
    pub stderr: bool,
    /// None before this time.
    pub since: Option<Timestamp>,
    /// None after this time.
    pub until: Option<Timestamp>,
    /// Only so many of the last lines.
    pub tail: Option<u64>,
    /// Precede each line with its time.
    pub timestamps: bool,
    /// Precede each line with its attributes.
    #[serde(default)]
    pub details: bool,
    /// Go on with what comes until the container ends.
    pub follow: bool,
}

/// What a client waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitCondition {
    /// That it does not run: answered at once if so.
    NotRunning,
    /// Its next end.
    NextExit,
    /// Its removal.
    Removed,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn frames_tell_their_lengths() {
        let frame = encode_frame(b"{}", b"abc").unwrap();
        assert_eq!(frame, b"\x02\0\0\0\x03\0\0\0{}abc");
        assert_eq!(parse_header([2, 0, 0, 0, 3, 1, 0, 0]), Ok((2, 259)));
    }

    #[test]
    fn frames_that_are_too_long() {
        let (json, bytes) = (JSON_MAX as usize, BYTES_MAX as usize);
        for (json, bytes, fits) in
            [(json, bytes, true), (json + 1, 0, false), (0, bytes + 1, false), (u32::MAX as usize, 0, false)]
        {
            let header = [(json as u32).to_le_bytes(), (bytes as u32).to_le_bytes()].concat();
            let header = header.try_into().unwrap();
            assert_eq!(
                parse_header(header),
                if fits { Ok((json, bytes)) } else { Err(FrameTooLong { json, bytes }) }
            );
        }
        assert!(encode_frame(&vec![b' '; json + 1], b"").is_err());
        assert!(encode_frame(b"", &vec![0; bytes + 1]).is_err());
    }

    proptest! {
        #[test]
        fn any_header_is_lengths_or_an_error(header in any::<[u8; FRAME_HEADER]>()) {
            if let Ok((json, bytes)) = parse_header(header) {
                prop_assert!(json <= JSON_MAX as usize && bytes <= BYTES_MAX as usize);
            }
        }

        #[test]
        fn any_document_is_a_message_or_an_error(text in "[\\[\\]{}:,\"a-z0-9-]{0,80}", damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
            let _ = serde_json::from_str::<Call>(&text);
            let client = Client { id: ClientId(3), head: "H".into(), framing: Framing { multiplexed: true, chunked: false } };
            let mut call = serde_json::to_vec(&Call { call: 1, request: Request::Wait { client, condition: WaitCondition::Removed } }).unwrap();
            for (at, byte) in damage {
                let at = at.index(call.len());
                call[at] = byte;
            }
            if let Ok(call) = serde_json::from_slice::<Call>(&call) {
                prop_assert_eq!(serde_json::from_slice::<Call>(&serde_json::to_vec(&call).unwrap()).unwrap(), call);
            }
        }
    }

    #[test]
    fn requests_read_back() {
        let client = Client {
            id: ClientId(3),
            head: "HTTP/1.1 200 OK\r\n\r\n".into(),
            framing: Framing { multiplexed: true, chunked: false },
        };
        for request in [
            Request::Prepare,
            Request::HoldPorts { relay: vec![None, Some(([172, 17, 0, 2], 80).into())] },
            Request::Stop { signal: None, timeout: Some(-1) },
            Request::Wait { client: client.clone(), condition: WaitCondition::Removed },
            Request::ExecStart {
                exec: ExecId::from_bytes([1; 32]),
                client: Some(client),
                size: Some((24, 80)),
            },
        ] {
            let call = Call { call: 1, request };
            assert_eq!(serde_json::from_str::<Call>(&serde_json::to_string(&call).unwrap()).unwrap(), call);
        }
        let refused = Message::Answer { call: 1, result: Err(Refusal::NotRunning) };
        assert_eq!(
            serde_json::from_str::<Message>(&serde_json::to_string(&refused).unwrap()).unwrap(),
            refused
        );
    }
}
