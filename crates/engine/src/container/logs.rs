//! `logs`: what a container said. Followed by its monitor, otherwise read here.

use super::driver::Command;
use crate::engine::Engine;
use crate::monitor::Handover;
use crate::{Error, Result};
use sampan_logs::log::{Reader, Reading, Renderer};
use sampan_spec::bundle::LogFormat;
use sampan_spec::monitor::{LogQuery, Request};
use sampan_spec::stream::Stream;
use std::io;
use std::path::PathBuf;

/// Where a log comes from.
pub enum Logs {
    /// The monitor sends it to the client as it grows.
    Handover(Handover),
    /// Read it here.
    File(LogFile),
}

/// A container's log as it is now.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    format: LogFormat,
    query: LogQuery,
}

impl LogFile {
    /// Gives every piece that was asked for to `each`, as a client is to see it. Blocks.
    ///
    /// # Errors
    /// When the log cannot be read, or `each` fails. A log that does not exist is empty.
    pub fn read(self, mut each: impl FnMut(Stream, &[u8]) -> io::Result<()>) -> Result<()> {
        let failed = |source| Error::Host { what: "send the log".into(), source };
        let mut renderer = Renderer::new(&self.query);
        let mut reader = Reader::open(&self.path, self.format, self.query)?;
        let mut text = Vec::new();
        while let Reading::Line(line) = reader.next()? {
            text.clear();
            renderer.render(&line, &mut text);
            each(line.stream, &text).map_err(failed)?;
        }
        Ok(())
    }
}

/// Finds a container's log. The second value says whether its streams are a terminal.
///
/// # Errors
/// When there is no such container, it keeps no log, or neither stream is asked for.
pub async fn logs(engine: &Engine, name: &str, query: LogQuery) -> Result<(Logs, bool)> {
    let handle = engine.containers().resolve(name)?;
    if !(query.stdout || query.stderr) {
        return Err(Error::InvalidParameter("Bad parameters: you must choose at least one stream".into()));
    }
    let container = handle.container();
    let config = &container.config;
    let format = match config.host.log.driver.as_str() {
        "none" => {
            return Err(Error::NotSupported("configured logging driver does not support reading".into()));
        }
        "local" => LogFormat::Local,
        _ => LogFormat::JsonFile,
    };
    let snapshot = handle.snapshot();
    let running = if query.follow && snapshot.state.phase.is_active() {
        handle.ask(Command::Running).await?
    } else {
        None
    };
    let logs = match running {
        Some(connection) => {
            Logs::Handover(Handover::new(connection, name, move |client| Request::Logs { client, query }))
        }
        None => Logs::File(LogFile { path: snapshot.log, format, query }),
    };
    Ok((logs, config.tty))
}
