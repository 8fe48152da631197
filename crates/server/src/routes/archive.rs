//! A container's files as a tar, and a tar into them.

use crate::answer::{Outcome, empty, pieces};
use crate::error::{Error, with_sources};
use crate::request::Call;
use crate::upload::upload;
use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, StatusCode};
use sampan_api::body::{PATH_STAT, PathStat, go_mode};
use sampan_engine::container::{self, CopyIn};
use sampan_spec::Timestamp;
use std::io::{self, Write};
use std::thread;
use tokio::sync::mpsc;

/// Pieces of this size in bytes go out at once.
const PIECE: usize = 64 << 10;
/// How many of them may wait for the client.
const AHEAD: usize = 4;
/// The stack of a thread that reads files, in bytes.
const STACK: usize = 256 << 10;
const TAR: &str = "application/x-tar";

/// `HEAD /containers/{name}/archive`.
pub(crate) async fn stat(call: &Call) -> Result<Outcome, Error> {
    let stat = container::path_stat(call.engine(), &call.name, path(call)?).await?;
    Ok(described(empty(StatusCode::OK), &stat))
}

/// `GET /containers/{name}/archive`.
pub(crate) async fn read(call: &Call) -> Result<Outcome, Error> {
    let (stat, packed) = container::copy_out(call.engine(), &call.name, path(call)?).await?;
    let (sender, receiver) = mpsc::channel(AHEAD);
    // A thread of its own: a client that does not read must not use up those that others need.
    let reading = thread::Builder::new().name("archive".into()).stack_size(STACK);
    let work = move || {
        if let Err(error) = packed.write(&mut Pieces { buffer: BytesMut::new(), sender }) {
            tracing::warn!("an archive was not sent to its end: {}", with_sources(&error));
        }
    };
    reading.spawn(work).map_err(Error::Thread)?;
    Ok(described(pieces(TAR, receiver), &stat))
}

/// `PUT /containers/{name}/archive`.
pub(crate) async fn write(call: Call) -> Result<Outcome, Error> {
    let flag = |name| call.query.flag(name);
    let how = CopyIn { keep_kinds: flag("noOverwriteDirNonDir"), for_user: flag("copyUIDGID") };
    let path = path(&call)?.to_owned();
    container::copy_in(&call.daemon.engine, &call.name, &path, upload(call.body), how).await?;
    Ok(empty(StatusCode::OK))
}

fn path(call: &Call) -> Result<&str, Error> {
    let path = call.query.text("path");
    // Docker's words, to the letter.
    if path.is_empty() { Err(Error::Invalid("bad parameter: pathcannot be empty".into())) } else { Ok(path) }
}

/// Says in a header what is at the path.
fn described(mut outcome: Outcome, stat: &container::PathStat) -> Outcome {
    let (seconds, nanos) = stat.mtime;
    let body = PathStat {
        name: stat.name.clone(),
        size: stat.size,
        mode: go_mode(stat.mode),
        mtime: Timestamp::new(seconds, nanos.cast_signed()).unwrap_or_default().to_string(),
        link_target: stat.link_target.clone(),
    };
    if let Outcome::Answer(response) = &mut outcome
        && let Ok(value) = HeaderValue::from_str(&body.to_header())
        && let Ok(name) = PATH_STAT.parse::<HeaderName>()
    {
        response.headers_mut().insert(name, value);
    }
    outcome
}

/// Collects what is written, and sends it in large pieces.
struct Pieces {
    buffer: BytesMut,
    sender: mpsc::Sender<Bytes>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.reserve(PIECE - self.buffer.len());
        let count = bytes.len().min(PIECE - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..count]);
        if self.buffer.len() == PIECE {
            self.flush()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        let piece = self.buffer.split().freeze();
        if piece.is_empty() {
            return Ok(());
        }
        self.sender.blocking_send(piece).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
