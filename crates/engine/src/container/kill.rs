//! `kill`: a signal to process 1.

use super::driver::Command;
use super::phase::{Verdict, Wish, allow};
use crate::engine::Engine;
use crate::event::{self, attributes};
use crate::{Error, Result};
use sampan_spec::Signal;
use sampan_spec::monitor::Request;

/// Sends a signal to a container's process 1. After SIGKILL it waits until that has ended.
///
/// # Errors
/// When there is none, or it does not run.
pub async fn kill(engine: &Engine, name: &str, signal: Signal) -> Result<()> {
    let handle = engine.containers().resolve(name)?;
    let not_running = || Error::CannotKill { name: name.to_owned(), id: handle.id().to_string() };
    match allow(handle.snapshot().state.phase, Wish::Kill) {
        Verdict::Go => {}
        Verdict::Removing => return Err(Error::Removing(name.to_owned())),
        _ => return Err(not_running()),
    }
    let connection = handle.ask(Command::Running).await?.ok_or_else(not_running)?;
    connection.call(Request::Signal { signal }).await.map_err(|e| match e.about(handle.id(), name) {
        Error::NotRunning(_) => not_running(),
        other => other,
    })?;
    let container = handle.container();
    // One that is meant to end it is in the journal.
    if signal != Signal::KILL && signal != container.config.stop_signal() {
        event::container(engine, &container, "kill", attributes([("signal", signal.number().to_string())]));
    }
    if signal == Signal::KILL {
        handle.wait_until(|snapshot| !snapshot.state.phase.is_active()).await;
    }
    Ok(())
}
