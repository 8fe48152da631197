//! `wait`: for the end of a container, by its monitor, so that the answer comes whatever happens to this daemon.

use super::Phase;
use super::driver::Command;
use crate::engine::Engine;
use crate::monitor::Handover;
use crate::{Error, Result};
use sampan_spec::monitor::{Request, WaitCondition};

/// How a wait goes on.
pub enum Waiting {
    /// What was waited for is so already: the exit code, and why the start failed if it did.
    Over {
        /// The exit code.
        code: i32,
        /// Why it could not be started; empty if it could.
        error: String,
    },
    /// The monitor answers the client.
    Handover(Handover),
}

/// Waits for a container.
///
/// # Errors
/// When there is none, or no monitor can be launched that would wait.
pub async fn wait(engine: &Engine, name: &str, condition: WaitCondition) -> Result<Waiting> {
    let handle = engine.containers().resolve(name)?;
    let state = handle.snapshot().state;
    if condition == WaitCondition::NotRunning && !state.phase.is_active() {
        // A start that failed has a code, too.
        let code = state.summary.exit.map_or(0, |exit| exit.code);
        return Ok(Waiting::Over { code, error: state.summary.error });
    }
    if matches!(state.phase, Phase::Removing | Phase::Dead) {
        return Err(Error::Removing(name.to_owned()));
    }
    let connection = handle.ask(Command::Monitor).await??;
    let request = move |client| Request::Wait { client, condition };
    Ok(Waiting::Handover(Handover::new(connection, name, request)))
}
