//! Where process 1's output is kept.

use sampan_logs::json_file::{LogError, Reader, Writer};
use sampan_spec::Timestamp;
use sampan_spec::bundle::Log;
use sampan_spec::journal::{Event, Failure};
use sampan_spec::monitor::LogQuery;
use sampan_spec::stream::Stream;
use std::path::PathBuf;

/// A container's log, and what is missing in it.
#[derive(Debug, Default)]
pub(crate) struct Output {
    path: Option<PathBuf>,
    writer: Option<Writer>,
    gap: Option<(u64, String)>,
    /// Counts up whenever the log may have grown.
    pub(crate) version: u64,
}

impl Output {
    /// Opens the log where there is to be one.
    pub(crate) fn open(log: &Log) -> Result<Self, Failure> {
        let Log::JsonFile { path, max_size, max_files } = log else { return Ok(Self::default()) };
        let writer = Writer::open(path, *max_size, *max_files).map_err(|error| Failure {
            stage: "log".into(),
            errno: error.raw_os_error().unwrap_or(0),
            message: format!("failed to initialize logging driver: open {}: {error}", path.display()),
        })?;
        Ok(Self { path: Some(path.clone()), writer: Some(writer), gap: None, version: 0 })
    }

    /// Keeps some output; gives an event when writing works again after output was lost.
    pub(crate) fn write(&mut self, stream: Stream, bytes: &[u8]) -> Option<Event> {
        let writer = self.writer.as_mut()?;
        let result = writer.write(stream, bytes, Timestamp::now());
        self.version += 1;
        self.account(result)
    }

    /// Writes lines without an end; gives an event if output was lost and not told yet.
    pub(crate) fn finish(&mut self) -> Option<Event> {
        let result = self.writer.as_mut()?.finish(Timestamp::now());
        self.version += 1;
        self.account(result).or_else(|| self.take_gap())
    }

    fn account(&mut self, result: std::io::Result<()>) -> Option<Event> {
        let lost = self.writer.as_mut().map_or(0, Writer::take_lost);
        match result {
            Ok(()) => self.take_gap(),
            Err(error) => {
                let gap = self.gap.get_or_insert_with(|| (0, error.to_string()));
                gap.0 += lost;
                None
            }
        }
    }

    fn take_gap(&mut self) -> Option<Event> {
        self.gap.take().map(|(bytes, reason)| Event::LogGap { bytes, reason })
    }

    /// Reads the log; `None` if none is kept.
    pub(crate) fn reader(&self, query: LogQuery) -> Option<Result<Reader, LogError>> {
        self.path.as_ref().map(|path| Reader::open(path, query))
    }

    /// What a stream's present line has so far.
    pub(crate) fn pending(&self, stream: Stream) -> &[u8] {
        self.writer.as_ref().map_or(&[], |writer| writer.pending(stream))
    }
}
