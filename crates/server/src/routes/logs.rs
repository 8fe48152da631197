//! A container's log: followed by its monitor, otherwise read here.

use super::stream::{content_type, log_stream};
use crate::answer::{Outcome, pieces};
use crate::error::{Error, with_sources};
use crate::request::Call;
use bytes::{Bytes, BytesMut};
use sampan_api::query::Query;
use sampan_engine::container::{self, LogFile, Logs};
use sampan_spec::Timestamp;
use sampan_spec::monitor::LogQuery;
use sampan_spec::stream::{Stream, frame_header};
use std::{io, thread};
use tokio::sync::mpsc;

/// Pieces of this size in bytes go out at once.
const PIECE: usize = 32 << 10;
/// How many of them may wait for the client.
const AHEAD: usize = 4;
/// The stack of a thread that reads a log, in bytes.
const STACK: usize = 256 << 10;

/// `GET /containers/{name}/logs`.
pub(crate) async fn logs(call: &Call) -> Result<Outcome, Error> {
    let query = log_query(&call.query)?;
    let (logs, tty) = container::logs(call.engine(), &call.name, query).await?;
    match logs {
        Logs::Handover(handover) => Ok(log_stream(call, handover, tty)),
        Logs::File(file) => {
            let (sender, receiver) = mpsc::channel(AHEAD);
            let mut writer = Writer { buffer: BytesMut::new(), multiplexed: !tty, sender };
            // A thread of its own: a client that does not read must not use up those that others need.
            let reading = thread::Builder::new().name("log".into()).stack_size(STACK);
            reading.spawn(move || writer.send(file)).map_err(Error::Thread)?;
            Ok(pieces(content_type(call.version, tty), receiver))
        }
    }
}

/// Frames lines and sends them in large pieces.
struct Writer {
    buffer: BytesMut,
    multiplexed: bool,
    sender: mpsc::Sender<Bytes>,
}

impl Writer {
    fn send(&mut self, file: LogFile) {
        let result = file.read(|stream, text| self.line(stream, text));
        if let Err(error) = result {
            tracing::debug!("a log was not sent to its end: {}", with_sources(&error));
        }
        // A client that is gone needs no rest.
        let _ = self.flush();
    }

    fn line(&mut self, stream: Stream, text: &[u8]) -> io::Result<()> {
        if self.multiplexed {
            let length = u32::try_from(text.len()).map_err(io::Error::other)?;
            self.buffer.extend_from_slice(&frame_header(stream, length));
        }
        self.buffer.extend_from_slice(text);
        if self.buffer.len() < PIECE { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> io::Result<()> {
        let piece = self.buffer.split().freeze();
        if piece.is_empty() {
            return Ok(());
        }
        self.sender.blocking_send(piece).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

fn log_query(query: &Query) -> Result<LogQuery, Error> {
    Ok(LogQuery {
        stdout: query.flag("stdout"),
        stderr: query.flag("stderr"),
        since: time(query, "since")?,
        // Clients that want no end say 0.
        until: time(query, "until")?.filter(|until| !until.is_zero()),
        // Docker takes anything that is no number for `all`.
        tail: query.text("tail").parse().ok(),
        timestamps: query.flag("timestamps"),
        details: query.flag("details"),
        follow: query.flag("follow"),
    })
}

/// Seconds since 1970, with up to nine decimals; clients convert other forms.
pub(super) fn time(query: &Query, name: &str) -> Result<Option<Timestamp>, Error> {
    let text = query.text(name);
    if text.is_empty() {
        return Ok(None);
    }
    let (seconds, decimals) = text.split_once('.').unwrap_or((text, ""));
    let wrong = || Error::Invalid(format!("invalid value for \"{name}\": {text:?} is not a time in seconds"));
    let digits = decimals.len() <= 9 && decimals.bytes().all(|b| b.is_ascii_digit());
    let nanoseconds = format!("{decimals:0<9}").parse().ok().filter(|_| digits);
    let parsed = seconds.parse().ok().zip(nanoseconds);
    let time = parsed.and_then(|(seconds, nanoseconds)| Timestamp::new(seconds, nanoseconds).ok());
    time.map(Some).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds() {
        for (text, want) in [
            ("", Some(None)),
            ("0", Some(Some((0, 0)))),
            ("1", Some(Some((1, 0)))),
            ("1136073600.000000001", Some(Some((1_136_073_600, 1)))),
            ("1.5", Some(Some((1, 500_000_000)))),
            ("1.0000000001", None),
            ("x", None),
            ("1.x", None),
            ("99999999999999", None),
        ] {
            let got = time(&Query::default().with("since", text), "since").ok();
            let got = got.map(|time| time.map(|time| (time.as_second(), time.subsec_nanosecond())));
            assert_eq!(got, want, "{text}");
        }
    }

    #[test]
    fn lines_are_framed() {
        let (sender, mut receiver) = mpsc::channel(1);
        let mut writer = Writer { buffer: BytesMut::new(), multiplexed: true, sender };
        writer.line(Stream::Stderr, b"x\n").unwrap();
        writer.flush().unwrap();
        let bytes = receiver.try_recv().unwrap();
        assert_eq!(&bytes[..], b"\x02\0\0\0\0\0\0\x02x\n");
    }

    #[test]
    fn anything_but_a_number_is_the_whole_log() {
        for (text, want) in [("all", None), ("", None), ("-1", None), ("5", Some(5)), ("0", Some(0))] {
            assert_eq!(log_query(&Query::default().with("tail", text)).unwrap().tail, want, "{text}");
        }
    }
}
