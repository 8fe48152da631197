//! The one way from a verb to the mechanism crates, which block.

use crate::{Error, Result};
use std::io;

/// Runs `work` on the blocking pool. A panic in it is this call's error, not the daemon's end.
pub(crate) async fn blocking<T, E, F>(work: F) -> Result<T>
where
    T: Send + 'static,
    E: Into<Error> + Send + 'static,
    F: FnOnce() -> std::result::Result<T, E> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(Into::into),
        Err(e) => Err(Error::Host { what: "run a blocking task".into(), source: io::Error::other(e) }),
    }
}
