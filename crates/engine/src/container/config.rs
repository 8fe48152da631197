//! What a user asked a container to be: the immutable half of it.

use sampan_network::Protocol;
use sampan_spec::Signal;
use sampan_spec::bundle::Restart;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

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
    pub exposed_ports: BTreeSet<Port>,
    /// Folders that the image declares as volumes.
    pub volumes: BTreeSet<String>,
    /// The signal that asks it to end; empty is SIGTERM.
    pub stop_signal: String,
    /// Seconds until SIGKILL follows; `None` is 10, negative is never.
    pub stop_timeout: Option<i64>,
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

/// What a container gets of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostConfig {
    /// Folders and files of the host.
    pub binds: Vec<Bind>,
    /// Limits.
    pub resources: Resources,
    /// Whose network it uses.
    pub network: NetworkMode,
    /// Published ports.
    pub ports: BTreeMap<Port, Vec<PortBinding>>,
    /// Remove it when it has ended.
    pub auto_remove: bool,
    /// Start it again when it ends.
    pub restart: Restart,
    /// Where its output is kept.
    pub log: LogConfig,
    /// Capabilities beside the default ones, or `ALL`.
    pub cap_add: Vec<String>,
    /// Default capabilities that it does not get, or `ALL`.
    pub cap_drop: Vec<String>,
    /// Mount the root file system read-only.
    pub read_only: bool,
    /// The rows and columns of the client's terminal at creation.
    pub console_size: (u16, u16),
}

/// Limits; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// Memory and swap together in bytes; -1 is no limit.
    pub memory_swap: Option<i64>,
    /// CPU time in billionths of one processor.
    pub nano_cpus: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u64>,
}

/// A folder or file of the host in the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bind {
    /// An absolute path on the host.
    pub source: String,
    /// An absolute path in the container.
    pub destination: String,
    /// The options as the user gave them: `ro`, `rshared`, ...
    pub options: Vec<String>,
}

/// Whose network a container uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkMode {
    /// Its own, joined to the engine's bridge. `default` says the same.
    #[default]
    Bridge,
    /// The host's.
    Host,
    /// Its own, with nothing but `lo`.
    None,
}

/// A container's port: `80/tcp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Port {
    /// The number, not 0.
    pub number: u16,
    /// The protocol.
    pub protocol: Protocol,
}

/// Where on the host a container's port is to be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortBinding {
    /// An address of the host; `None` is all.
    pub address: Option<Ipv4Addr>,
    /// The first free port of this range, both ends included; `None`: any that is free.
    pub ports: Option<(u16, u16)>,
}

/// Where a container's output is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogConfig {
    /// `json-file` or `none`.
    pub driver: String,
    /// Its options.
    pub options: BTreeMap<String, String>,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { driver: "json-file".into(), options: BTreeMap::new() }
    }
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

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.protocol)
    }
}

/// A string is not a port with a protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParsePortError {
    /// The number is not in 1 to 65535.
    #[error("invalid port number: value must be 0..65535")]
    Number(String),
    /// The protocol is not known.
    #[error("invalid proto: {0}")]
    Protocol(String),
}

impl FromStr for Port {
    type Err = ParsePortError;

    fn from_str(text: &str) -> Result<Self, ParsePortError> {
        let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let protocol = match protocol.to_ascii_lowercase().as_str() {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            _ => return Err(ParsePortError::Protocol(protocol.to_owned())),
        };
        let number = number.parse().ok().filter(|n| *n != 0);
        Ok(Self { number: number.ok_or_else(|| ParsePortError::Number(text.to_owned()))?, protocol })
    }
}

impl TryFrom<String> for Port {
    type Error = ParsePortError;
    fn try_from(text: String) -> Result<Self, ParsePortError> {
        text.parse()
    }
}

impl From<Port> for String {
    fn from(port: Port) -> String {
        port.to_string()
    }
}
