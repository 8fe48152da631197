//! `stop`: the stop signal, patience, then SIGKILL. The monitor does it; this waits.

use super::driver::Command;
use super::phase::{Verdict, Wish, allow};
use crate::engine::Engine;
use crate::{Error, Result};
use sampan_spec::Signal;
use sampan_spec::monitor::Request;

/// Stops a container. `signal` and `timeout` (seconds; negative waits for ever) replace the container's own.
///
/// # Errors
/// When there is none, it does not run (kind `NotModified`), or its monitor fails.
pub async fn stop(engine: &Engine, name: &str, signal: Option<Signal>, timeout: Option<i64>) -> Result<()> {
    let handle = engine.containers().resolve(name)?;
    match allow(handle.snapshot().state.phase, Wish::Stop) {
        Verdict::Go => {}
        Verdict::Already => return Err(Error::AlreadyStopped(handle.id().to_string())),
        _ => return Err(Error::Removing(name.to_owned())),
    }
    let Some(connection) = handle.ask(Command::Running).await? else {
        return Err(Error::AlreadyStopped(handle.id().to_string()));
    };
    match connection.call_and_wait(Request::Stop { signal, timeout }).await {
        // A monitor that ends on the way has stopped its container, or was killed: the driver finds out.
        Err(error) if error.is_gone() => {}
        other => drop(other.map_err(|e| e.about(handle.id(), name))?),
    }
    // A container with --rm may be gone by now, which is as good.
    handle.wait_until(|snapshot| !snapshot.state.phase.is_active()).await;
    Ok(())
}
