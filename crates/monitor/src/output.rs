//! Where process 1's output is kept.

use crate::packer::Packer;
use sampan_logs::log::{LogError, Reader, Writer};
use sampan_spec::Timestamp;
use sampan_spec::bundle::Log;
use sampan_spec::journal::{Event, Failure};
use sampan_spec::monitor::LogQuery;
use sampan_spec::stream::Stream;

/// A container's log, and what is missing in it.
#[derive(Debug, Default)]
pub(crate) struct Output {
    kept: Option<Kept>,
    gap: Option<(u64, String)>,
    /// Counts up whenever the log may have grown.
    pub(crate) version: u64,
}

#[derive(Debug)]
struct Kept {
    log: Log,
    writer: Writer,
    packer: Option<Packer>,
}

impl Output {
    /// Opens the log where there is to be one.
    pub(crate) fn open(log: Option<&Log>) -> Result<Self, Failure> {
        let Some(log) = log else { return Ok(Self::default()) };
        let writer = Writer::open(log).map_err(|error| Failure {
            stage: "log".into(),
            errno: error.raw_os_error().unwrap_or(0),
            message: format!(
                "failed to create task for container: failed to initialize logging driver: open {}: {error}",
                log.path.display()
            ),
        })?;
        Ok(Self { kept: Some(Kept { log: log.clone(), writer, packer: None }), gap: None, version: 0 })
    }

    /// Keeps some output; gives an event when writing works again after output was lost.
    pub(crate) fn write(&mut self, stream: Stream, bytes: &[u8]) -> Option<Event> {
        let kept = self.kept.as_mut()?;
        let result = kept.writer.write(stream, bytes, Timestamp::now());
        kept.pack();
        self.version += 1;
        self.account(result)
    }

    /// Writes lines without an end; gives an event if output was lost and not told yet.
    pub(crate) fn finish(&mut self) -> Option<Event> {
        let result = self.kept.as_mut()?.writer.finish(Timestamp::now());
        self.version += 1;
        self.account(result).or_else(|| self.take_gap())
    }

    fn account(&mut self, result: std::io::Result<()>) -> Option<Event> {
        let lost = self.kept.as_mut().map_or(0, |kept| kept.writer.take_lost());
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

    /// Who compresses an older file just now.
    pub(crate) fn packer(&self) -> Option<&Packer> {
        self.kept.as_ref().and_then(|kept| kept.packer.as_ref())
    }

    /// Looks whether that is done.
    pub(crate) fn look_at_packer(&mut self) {
        let Some(kept) = &mut self.kept else { return };
        let Some(well) = kept.packer.as_ref().and_then(Packer::ended) else { return };
        kept.packer = None;
        // Where its name cannot be changed, the file stays as it is.
        let _ = kept.writer.packed(well);
        kept.pack();
    }

    /// Reads the log; `None` if none is kept.
    pub(crate) fn reader(&self, query: LogQuery) -> Option<Result<Reader, LogError>> {
        self.kept.as_ref().map(|kept| Reader::open(&kept.log.path, kept.log.format, query))
    }

    /// What a stream's present line has so far.
    pub(crate) fn pending(&self, stream: Stream) -> &[u8] {
        self.kept.as_ref().map_or(&[], |kept| kept.writer.pending(stream))
    }
}

impl Kept {
    /// Has an older file compressed, if there is one that is to be. What cannot be now may be after the next rotation.
    fn pack(&mut self) {
        if self.packer.is_none()
            && let Ok(Some((source, target))) = self.writer.next_to_pack()
        {
            match Packer::start(source, target) {
                Ok(packer) => self.packer = Some(packer),
                Err(_) => drop(self.writer.packed(false)),
            }
        }
    }
}
