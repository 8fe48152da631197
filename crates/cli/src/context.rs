//! What every verb works with: where the daemon is, and how to talk to it.

use crate::error::Error;
use crate::system::on_demand;
use crate::system::units::SOCKET_PATH;
use sampan_api::{Client, DEFAULT_HOST};
use std::cell::OnceCell;
use std::future::Future;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

/// The program's own flags.
#[derive(clap::Args, Debug, Default)]
pub(crate) struct Globals {
    /// Enable debug mode
    #[arg(short = 'D', long)]
    pub debug: bool,
    /// Daemon socket to connect to
    #[arg(short = 'H', long, value_name = "string")]
    pub host: Option<String>,
    /// Print version information and quit
    #[arg(short, long)]
    pub version: bool,
}

/// Made once per run of the program.
pub(crate) struct Context {
    globals: Globals,
    client: OnceCell<Arc<Client>>,
}

impl Context {
    pub(crate) fn new(globals: Globals) -> Self {
        Self { globals, client: OnceCell::new() }
    }

    pub(crate) fn debug(&self) -> bool {
        self.globals.debug
    }

    /// The way to the daemon; one is started if none was named and none is there.
    pub(crate) fn client(&self) -> Result<&Arc<Client>, Error> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let address = match self.named_host() {
            Some(host) => host.parse()?,
            None => {
                start_if_needed()?;
                DEFAULT_HOST.parse()?
            }
        };
        Ok(self.client.get_or_init(|| Arc::new(Client::new(address))))
    }

    /// Runs requests to the daemon.
    pub(crate) fn block_on<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
    }

    /// The flag, else `SAMPAN_HOST`, else `DOCKER_HOST`.
    fn named_host(&self) -> Option<String> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        self.globals.host.clone().or_else(|| variable("SAMPAN_HOST")).or_else(|| variable("DOCKER_HOST"))
    }
}

/// Starts a daemon if nobody listens on the default socket and this user may. Everybody else gets the error of the
/// first request.
fn start_if_needed() -> Result<(), Error> {
    use std::io::ErrorKind::{ConnectionRefused, NotFound};
    let missing = match UnixStream::connect(SOCKET_PATH) {
        Ok(_) => false,
        Err(error) => matches!(error.kind(), ConnectionRefused | NotFound),
    };
    if missing && on_demand::is_allowed() {
        crate::print::error(&format!(
            "sampan: no daemon is running: starting one in the background ({})",
            on_demand::place()
        ));
        on_demand::start()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sampan_api::Address;

    #[test]
    fn the_default_is_the_units_socket() {
        assert_eq!(DEFAULT_HOST.parse::<Address>().unwrap(), Address::Unix(SOCKET_PATH.into()));
    }
}
