//! `sampan system install`, `uninstall`, `stop-containers`, and how this program starts a daemon's keeper.

use crate::context::Context;
use crate::error::Error;
use crate::flags::Count;
use crate::print;
use crate::system::{install, on_demand, stop_containers, uninstall, units};
use crate::verb::Verb;
use std::path::PathBuf;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Install {
    /// Listen on /var/run/docker.sock, too, for members of the group docker
    #[arg(long)]
    docker_socket: bool,
}

impl Verb for Install {
    const NAME: &'static str = "install";
    const ABOUT: &'static str = "Install the programs and systemd units, and start the engine";
    const USAGE: &'static str = "[OPTIONS]";
    const COUNT: Count = Count::None;

    fn run(self, _: &Context) -> Result<u8, Error> {
        install::install(self.docker_socket)?;
        print::line(&format!(
            "Installed in {}; the engine listens on {}",
            install::PROGRAMS,
            units::SOCKET_PATH
        ));
        if self.docker_socket {
            print::line(&format!(
                "and on {} for members of the group {}",
                units::DOCKER_SOCKET,
                units::DOCKER_GROUP
            ));
        }
        Ok(0)
    }
}

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Uninstall {}

/// The units' data-root.
const DATA_ROOT: &str = "/var/lib/sampan";

impl Verb for Uninstall {
    const NAME: &'static str = "uninstall";
    const ABOUT: &'static str = "Stop the engine and its containers, and remove programs and units";
    const USAGE: &'static str = "";
    const COUNT: Count = Count::None;

    fn run(self, _: &Context) -> Result<u8, Error> {
        uninstall::uninstall()?;
        print::line(&format!(
            "Uninstalled. Images and containers are kept in {DATA_ROOT}: 'rm -r' removes them"
        ));
        Ok(0)
    }
}

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct StopContainers {
    /// Where the engine keeps its sockets
    #[arg(long, value_name = "string", default_value = "/run/sampan")]
    exec_root: PathBuf,
}

impl Verb for StopContainers {
    const NAME: &'static str = "stop-containers";
    const ABOUT: &'static str = "Stop all containers, without a daemon";
    const USAGE: &'static str = "[OPTIONS]";
    const COUNT: Count = Count::None;

    fn run(self, _: &Context) -> Result<u8, Error> {
        let errors = stop_containers::stop_all(&self.exec_root);
        errors.iter().for_each(|error| print::error(&error.to_string()));
        Ok(u8::from(!errors.is_empty()))
    }
}

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Keep {}

impl Verb for Keep {
    const NAME: &'static str = "keep";
    const ABOUT: &'static str = "Hold the engine's socket, and start the daemon whenever it has ended";
    const USAGE: &'static str = "";
    const COUNT: Count = Count::None;

    fn run(self, _: &Context) -> Result<u8, Error> {
        Err(on_demand::become_keeper().into())
    }
}
