//! `resize`: the size of a terminal.

use super::driver::{Command, Handle};
use crate::engine::Engine;
use crate::event::{self, attributes};
use crate::{Error, Result};
use sampan_spec::ExecId;
use sampan_spec::monitor::Request;

/// Sets the size of a container's terminal.
///
/// # Errors
/// When there is no such container, it does not run, or it has no terminal.
pub async fn resize(engine: &Engine, name: &str, rows: u16, columns: u16) -> Result<()> {
    let handle = engine.containers().resolve(name)?;
    send(&handle, None, rows, columns).await?;
    let about = attributes([("height", rows.to_string()), ("width", columns.to_string())]);
    event::container(engine, &handle.container(), "resize", about);
    Ok(())
}

pub(super) async fn send(handle: &Handle, exec: Option<ExecId>, rows: u16, columns: u16) -> Result<()> {
    let not_running = || Error::NotRunning(handle.id().to_string());
    let connection = handle.ask(Command::Running).await?.ok_or_else(not_running)?;
    let name = handle.container().name.clone();
    let call = connection.call(Request::Resize { exec, rows, columns }).await;
    call.map(|_| ()).map_err(|e| e.about(handle.id(), &name))
}
