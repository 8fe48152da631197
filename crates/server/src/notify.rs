//! Telling the service manager how it goes (sd_notify(3)).

use std::env;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The daemon answers requests.
pub(crate) const READY: &str = "READY=1";
/// The daemon is about to end.
pub(crate) const STOPPING: &str = "STOPPING=1";

/// Sends a state to the service manager, if there is one that wants to know.
pub(crate) fn notify(state: &str) {
    let Some(name) = env::var("NOTIFY_SOCKET").ok().filter(|name| !name.is_empty()) else { return };
    let address = match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&name),
    };
    let sent = address.and_then(|address| UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address));
    if let Err(error) = sent {
        tracing::warn!("cannot tell the service manager ({name}) {state}: {error}");
    }
}
