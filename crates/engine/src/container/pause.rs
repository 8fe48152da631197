//! `pause` and `unpause`: all processes of a container are frozen, and let run again. The monitor does it.

use super::driver::{Command, Handle};
use super::phase::{Verdict, Wish, allow};
use crate::engine::Engine;
use crate::{Error, Result};
use sampan_spec::monitor::Request;

/// Freezes all processes of a container.
///
/// # Errors
/// When there is none, it does not run, or it is paused already.
pub async fn pause(engine: &Engine, name: &str) -> Result<()> {
    let handle = engine.containers().resolve(name)?;
    let id = handle.id().to_string();
    match allow(handle.current().await.state.phase, Wish::Pause) {
        Verdict::Go => ask(&handle, name, Request::Pause, Error::AlreadyPaused(id)).await,
        Verdict::Already => Err(Error::AlreadyPaused(id)),
        Verdict::Restarting => Err(Error::Restarting(id)),
        Verdict::Removing => Err(Error::Removing(name.to_owned())),
        _ => Err(Error::NotRunning(id)),
    }
}

/// Lets the processes of a paused container run again.
///
/// # Errors
/// When there is none, or it is not paused.
pub async fn unpause(engine: &Engine, name: &str) -> Result<()> {
    let handle = engine.containers().resolve(name)?;
    let id = handle.id().to_string();
    match allow(handle.current().await.state.phase, Wish::Unpause) {
        Verdict::Go => ask(&handle, name, Request::Resume, Error::NotPaused(id)).await,
        Verdict::Removing => Err(Error::Removing(name.to_owned())),
        _ => Err(Error::NotPaused(id)),
    }
}

/// Has the monitor do it, and the published snapshot say so. `already` is the error where somebody was faster.
async fn ask(handle: &Handle, name: &str, request: Request, already: Error) -> Result<()> {
    let not_running = || Error::NotRunning(handle.id().to_string());
    let connection = handle.ask(Command::Running).await?.ok_or_else(not_running)?;
    connection.call(request).await.map_err(|error| match error.about(handle.id(), name) {
        Error::Paused(_) => already,
        other => other,
    })?;
    handle.current().await;
    Ok(())
}
