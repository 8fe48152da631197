//! What a user asked a container to be: the immutable half of it.

mod host;
mod isolation;
mod link;
mod names;
mod ports;
mod resources;

pub use host::{HostConfig, LogConfig, NetworkMode};
pub use isolation::{Device, IpcMode, Peer, PidMode};
pub use link::{Link, ParseLinkError};
pub use names::{Dns, ExtraHost, HostAddress, ParseExtraHostError};
pub use ports::{Exposed, ParsePortError, Port, PortBinding};
pub use resources::{DiskWeight, Resources, Throttle, ThrottleKind, Ulimit};

use sampan_image::Healthcheck;
use sampan_spec::Signal;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A container's configuration, after the image's own was merged in. Stored in its record: format break.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// The image as the user named it.
    pub image: String,
    /// The program, and the arguments that come before `cmd`. `None`: `cmd` is the whole command.
    pub entrypoint: Option<Vec<String>>,
    /// The command or further arguments.
    pub cmd: Option<Vec<String>>,
    /// `NAME=value`; a name alone takes that variable away.
    pub env: Vec<String>,
    /// The first process's directory; empty is `/`.
    pub working_dir: String,
    /// `user[:group]`, by name or number; empty is root.
    pub user: String,
    /// Empty: the short id.
    pub hostname: String,
    /// Empty: none.
    pub domainname: String,
    /// Whether its standard streams are a terminal.
    pub tty: bool,
    /// Whether its standard input stays open without a client.
    pub open_stdin: bool,
    /// Whether standard input ends with the first client's.
    pub stdin_once: bool,
    /// Which streams the creating client said it would attach to.
    pub attach: Attach,
    /// For people and programs.
    pub labels: BTreeMap<String, String>,
    /// Ports that the program listens on.
    pub exposed_ports: BTreeSet<Exposed>,
    /// Folders that the image or the user declares as volumes.
    pub volumes: BTreeSet<String>,
    /// The signal that asks it to end; empty is SIGTERM.
    pub stop_signal: String,
    /// Seconds until SIGKILL follows; `None` is 10, negative is never.
    pub stop_timeout: Option<i64>,
    /// How to see whether it is well.
    #[serde(default)]
    pub health: Option<Healthcheck>,
    /// What runs a check that is a line for a shell; `None` is `/bin/sh -c`.
    #[serde(default)]
    pub shell: Option<Vec<String>>,
    /// What it gets of the host.
    pub host: HostConfig,
}

/// Which standard streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attach {
    /// Standard input.
    pub stdin: bool,
    /// Standard output.
    pub stdout: bool,
    /// Standard error.
    pub stderr: bool,
}

/// Docker's time between stop signal and SIGKILL.
const STOP_TIMEOUT: i64 = 10;

impl Config {
    /// Program and arguments of the first process.
    pub fn command(&self) -> Vec<String> {
        let entrypoint = self.entrypoint.iter().flatten();
        entrypoint.chain(self.cmd.iter().flatten()).cloned().collect()
    }

    /// The signal that asks it to end.
    pub fn stop_signal(&self) -> Signal {
        self.stop_signal.parse().unwrap_or(Signal::TERM)
    }

    /// Seconds until SIGKILL follows the stop signal; `None` is never.
    pub fn stop_timeout(&self) -> Option<u32> {
        u32::try_from(self.stop_timeout.unwrap_or(STOP_TIMEOUT)).ok()
    }
}
