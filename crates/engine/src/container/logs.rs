//! `logs`: what a container said. Followed by its monitor, otherwise read here.

use super::driver::Command;
use crate::engine::Engine;
use crate::monitor::Handover;
use crate::{Error, Result};
use sampan_spec::monitor::{LogQuery, Request};
use std::path::PathBuf;

/// Where a log comes from.
pub enum Logs {
    /// The monitor sends it to the client as it grows.
    Handover(Handover),
    /// Read this file with `sampan_logs` and the query.
    File {
        /// The json-file log. It may not exist (nothing was said yet).
        path: PathBuf,
        /// What to show.
        query: LogQuery,
    },
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
    let config = &handle.container().config;
    if config.host.log.driver == "none" {
        return Err(Error::NotSupported("configured logging driver does not support reading".into()));
    }
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
        None => Logs::File { path: snapshot.log, query },
    };
    Ok((logs, config.tty))
}
