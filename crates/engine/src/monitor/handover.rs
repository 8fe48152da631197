//! A long-lived request that was authorised and now waits for its client's socket.

use super::Connection;
use crate::{Error, Result};
use sampan_spec::ClientId;
use sampan_spec::monitor::{Client, Framing, Request};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};

/// The right to hand one client's connection to a container's monitor.
///
/// The monitor writes the response's head itself, and only once the request has succeeded; so nothing may have been
/// written to the client before.
pub struct Handover {
    connection: Connection,
    name: String,
    request: Box<dyn FnOnce(Client) -> Request + Send>,
}

impl Handover {
    pub(crate) fn new(
        connection: Connection,
        name: &str,
        request: impl FnOnce(Client) -> Request + Send + 'static,
    ) -> Self {
        Self { connection, name: name.to_owned(), request: Box::new(request) }
    }

    /// Gives the client's socket and what it had sent beyond its request to the monitor. `head` is the response's
    /// status line and headers with the empty line.
    ///
    /// # Errors
    /// When the monitor refuses or is gone: the caller still owns the client through its own duplicate of the socket
    /// and writes the error.
    pub async fn give(self, socket: OwnedFd, early: Vec<u8>, head: String, framing: Framing) -> Result<()> {
        let client = Client { id: next_id(), head, framing };
        let request = (self.request)(client);
        let answer = self.connection.hand_over(request, early, socket).await;
        answer.map(|_| ()).map_err(|e| match e.failure() {
            Some(failure) => Error::ExecStart(failure.clone()),
            None => e.about(self.connection.id(), &self.name),
        })
    }
}

/// Unique over daemons too, as far as a monitor can meet them: pid and time of start do not repeat soon.
fn next_id() -> ClientId {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let count = NEXT.fetch_add(1, Ordering::Relaxed) & u64::from(u32::MAX);
    ClientId(u64::from(std::process::id()) << 32 | count)
}
