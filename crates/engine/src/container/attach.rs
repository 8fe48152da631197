//! `attach`: a client to process 1's streams.

use super::driver::Command;
use super::phase::{Verdict, Wish, allow};
use crate::engine::Engine;
use crate::event::{self, Attributes};
use crate::monitor::Handover;
use crate::{Error, Result};
use sampan_spec::monitor::Request;
use sampan_spec::stream::Stream;

/// What an attaching client wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttachRequest {
    /// Which streams: any of stdin, stdout and stderr.
    pub streams: Vec<Stream>,
    /// First replay what was logged.
    pub logs: bool,
    /// Go on with what comes.
    pub follow: bool,
    /// The bytes that detach from a terminal; empty: none.
    pub detach_keys: Vec<u8>,
}

/// Attaches to a container, started or not. The second value says whether its streams are a terminal.
///
/// # Errors
/// When there is none, it is paused or restarting, or no monitor can be launched.
pub async fn attach(engine: &Engine, name: &str, request: AttachRequest) -> Result<(Handover, bool)> {
    let handle = engine.containers().resolve(name)?;
    match allow(handle.snapshot().state.phase, Wish::Attach) {
        Verdict::Paused => {
            return Err(Error::Paused(name.to_owned()));
        }
        Verdict::Restarting => return Err(Error::Restarting(name.to_owned())),
        Verdict::Removing => return Err(Error::Removing(name.to_owned())),
        _ => {}
    }
    let container = handle.container();
    let config = &container.config;
    let (tty, open_stdin) = (config.tty, config.open_stdin);
    let connection = handle.ask(Command::Monitor).await??;
    event::container(engine, &container, "attach", Attributes::new());
    let AttachRequest { mut streams, logs, follow, detach_keys } = request;
    // Input for a container without one is read and dropped by nobody: say so by not attaching it.
    streams.retain(|stream| *stream != Stream::Stdin || open_stdin);
    let request = move |client| Request::Attach { client, streams, logs, follow, detach_keys };
    Ok((Handover::new(connection, name, request), tty))
}
