//! `sampan logout`. The registry is not asked: only what is kept here goes.

use crate::context::Context;
use crate::error::Error;
use crate::flags::Count;
use crate::verb::Verb;
use crate::{credentials, print};

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Logout {
    server: Option<String>,
}

impl Verb for Logout {
    const NAME: &'static str = "logout";
    const ABOUT: &'static str =
        "Log out from a registry.\nIf no server is specified, the default is defined by the daemon.";
    const USAGE: &'static str = "[SERVER]";
    const COUNT: Count = Count::AtMost(1);

    fn run(self, _: &Context) -> Result<u8, Error> {
        let server = credentials::server(self.server.as_deref());
        print::line(&format!("Removing login credentials for {server}"));
        credentials::forget(server)?;
        Ok(0)
    }
}
