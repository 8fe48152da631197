//! `restart`: process 1 is ended as by a stop and runs again. The monitor does both, so that a daemon that is killed in
//! between leaves nothing stopped; the sandbox stays, and with it address and ports.

use super::driver::{Command, Handle};
use super::phase::{Verdict, Wish, allow};
use super::start::start;
use crate::engine::Engine;
use crate::event::{self, Attributes};
use crate::{Error, Result};
use sampan_spec::Signal;
use sampan_spec::monitor::Request;

/// Restarts a container, or starts one that does not run. `signal` and `timeout` (seconds; negative waits for ever)
/// replace the container's own.
///
/// # Errors
/// When there is none, or it cannot be started again.
pub async fn restart(
    engine: &Engine,
    name: &str,
    signal: Option<Signal>,
    timeout: Option<i64>,
) -> Result<()> {
    let handle = engine.containers().resolve(name)?;
    match allow(handle.snapshot().state.phase, Wish::Restart) {
        Verdict::Go => {}
        _ => return Err(Error::Removing(name.to_owned())),
    }
    let Some(connection) = handle.ask(Command::Running).await? else {
        return begin(engine, &handle, name).await;
    };
    let restarted = connection.call_and_wait(Request::Restart { signal, timeout }).await;
    let restarted = match restarted {
        // It has ended meanwhile, with its monitor or without.
        Err(error) if error.is_gone() => Err(Error::NotRunning(handle.id().to_string())),
        other => other.map_err(|error| error.about(handle.id(), name)),
    };
    match restarted {
        Err(Error::NotRunning(_)) => {
            handle.wait_until(|snapshot| !snapshot.state.phase.is_active()).await;
            begin(engine, &handle, name).await
        }
        other => {
            handle.current().await;
            other.map(drop)
        }
    }
}

/// Starts it, unless somebody else has.
async fn begin(engine: &Engine, handle: &Handle, name: &str) -> Result<()> {
    match start(engine, name).await {
        Err(Error::AlreadyStarted(_)) => {}
        other => other?,
    }
    event::container(engine, &handle.container(), "restart", Attributes::new());
    Ok(())
}
