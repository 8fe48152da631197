//! Containers: what they are asked to be, and what they are.

use super::{Endpoint, HostConfig, NetworkSettings, NetworkingConfig, Set, no_time, words};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a container is, apart from the host it runs on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerConfig {
    /// Empty: the short id.
    pub hostname: String,
    /// Its domain.
    pub domainname: String,
    /// `user[:group]`.
    pub user: String,
    /// Whether the creating client attaches to standard input.
    pub attach_stdin: bool,
    /// Or to standard output.
    pub attach_stdout: bool,
    /// Or to standard error.
    pub attach_stderr: bool,
    /// `80/tcp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exposed_ports: Option<Set>,
    /// Whether its streams are a terminal.
    pub tty: bool,
    /// Whether standard input stays open without a client.
    pub open_stdin: bool,
    /// Whether it ends with the first client's.
    pub stdin_once: bool,
    /// `NAME=value`.
    pub env: Option<Vec<String>>,
    /// Arguments, or the whole command.
    #[serde(deserialize_with = "words")]
    pub cmd: Option<Vec<String>>,
    /// How its health is probed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
    /// The image as the user named it.
    pub image: String,
    /// Folders that become volumes.
    pub volumes: Option<Set>,
    /// The first process's directory.
    pub working_dir: String,
    /// The program and its first arguments.
    #[serde(deserialize_with = "words")]
    pub entrypoint: Option<Vec<String>>,
    /// Its hardware address in its network, as old clients say it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub mac_address: String,
    /// Old clients: no network.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub network_disabled: bool,
    /// Instructions for builds on the image.
    pub on_build: Option<Vec<String>>,
    /// For people and programs.
    pub labels: Option<BTreeMap<String, String>>,
    /// The signal that asks it to end.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stop_signal: String,
    /// Seconds until SIGKILL follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_timeout: Option<i64>,
    /// The shell of the image's builds.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "words")]
    pub shell: Option<Vec<String>>,
}

/// A health probe. Times are in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Healthcheck {
    /// `["CMD", ...]`, `["CMD-SHELL", ...]` or `["NONE"]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<Vec<String>>,
    /// Between probes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<i64>,
    /// Until a probe has failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<i64>,
    /// Before failures count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_period: Option<i64>,
    /// Between probes before failures count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_interval: Option<i64>,
    /// Failures in a row that make it unhealthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<i64>,
}

/// `POST /containers/create`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContainerCreate {
    /// What it is.
    #[serde(flatten)]
    pub config: ContainerConfig,
    /// What it gets of the host.
    #[serde(rename = "HostConfig")]
    pub host_config: HostConfig,
    /// Its networks.
    #[serde(rename = "NetworkingConfig", skip_serializing_if = "Option::is_none")]
    pub networking_config: Option<NetworkingConfig>,
}

/// The answer to `POST /containers/create`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerCreated {
    /// Its id.
    pub id: String,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// `GET /containers/{name}/json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerInspect {
    /// Its id.
    pub id: String,
    /// RFC 3339.
    pub created: String,
    /// The program.
    pub path: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// What is so of it.
    pub state: ContainerState,
    /// The image's id.
    pub image: String,
    /// A file on the host.
    pub resolv_conf_path: String,
    /// A file on the host.
    pub hostname_path: String,
    /// A file on the host.
    pub hosts_path: String,
    /// A file on the host.
    pub log_path: String,
    /// With a slash.
    pub name: String,
    /// How often its restart policy started it again.
    pub restart_count: u32,
    /// The storage driver.
    pub driver: String,
    /// `linux`.
    pub platform: String,
    /// SELinux.
    pub mount_label: String,
    /// SELinux.
    pub process_label: String,
    /// AppArmor.
    pub app_armor_profile: String,
    /// Exec processes that run.
    #[serde(rename = "ExecIDs")]
    pub exec_ids: Option<Vec<String>>,
    /// What it gets of the host.
    pub host_config: HostConfig,
    /// Its root file system's parts.
    pub graph_driver: GraphDriver,
    /// Bytes of its writable layer, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_rw: Option<i64>,
    /// Bytes of all its layers, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_root_fs: Option<i64>,
    /// What is mounted in it.
    pub mounts: Vec<MountPoint>,
    /// What it is.
    pub config: ContainerConfig,
    /// Where it is in networks.
    pub network_settings: NetworkSettings,
}

/// What is so of a container: Docker's overlapping truths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerState {
    /// `created`, `running`, `paused`, `restarting`, `removing`, `exited`, `dead`.
    pub status: String,
    /// A process exists, or will again; a paused container runs too.
    pub running: bool,
    /// Frozen.
    pub paused: bool,
    /// Waiting to be started again.
    pub restarting: bool,
    /// The kernel killed one of its processes for want of memory.
    #[serde(rename = "OOMKilled")]
    pub oom_killed: bool,
    /// Its removal failed halfway.
    pub dead: bool,
    /// On the host; 0: none.
    pub pid: i32,
    /// Of its last end.
    pub exit_code: i32,
    /// Why it could not be started.
    pub error: String,
    /// RFC 3339.
    pub started_at: String,
    /// RFC 3339.
    pub finished_at: String,
    /// Where that is probed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
}

/// A container's health.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Health {
    /// `starting`, `healthy`, `unhealthy`.
    pub status: String,
    /// How many probes failed in a row.
    pub failing_streak: u32,
    /// The last probes, oldest first.
    pub log: Vec<HealthcheckResult>,
}

/// A probe that is over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HealthcheckResult {
    /// RFC 3339.
    pub start: String,
    /// RFC 3339.
    pub end: String,
    /// 0 is well; -1: it took too long, or could not be made.
    pub exit_code: i32,
    /// What it said.
    pub output: String,
}

impl Default for ContainerState {
    fn default() -> Self {
        Self {
            status: "created".into(),
            running: false,
            paused: false,
            restarting: false,
            oom_killed: false,
            dead: false,
            pid: 0,
            exit_code: 0,
            error: String::new(),
            started_at: no_time(),
            finished_at: no_time(),
            health: None,
        }
    }
}

/// The parts of a root file system.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct GraphDriver {
    /// Folders by role.
    pub data: Option<BTreeMap<String, String>>,
    /// The driver.
    pub name: String,
}

/// What is mounted in a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct MountPoint {
    /// `bind`, `volume`, `tmpfs`.
    pub r#type: String,
    /// The volume's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// On the host.
    pub source: String,
    /// In the container.
    pub destination: String,
    /// The volume's driver.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub driver: String,
    /// The options as given.
    pub mode: String,
    /// Whether it is writable.
    #[serde(rename = "RW")]
    pub rw: bool,
    /// `rprivate`, ...
    pub propagation: String,
}

/// A line of `GET /containers/json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerSummary {
    /// Its id.
    pub id: String,
    /// With slashes.
    pub names: Vec<String>,
    /// As the user named it.
    pub image: String,
    /// The image's id.
    #[serde(rename = "ImageID")]
    pub image_id: String,
    /// Quoted for a shell.
    pub command: String,
    /// Seconds since 1970.
    pub created: i64,
    /// Its ports.
    pub ports: Vec<PortSummary>,
    /// Bytes of its writable layer, if asked for and not 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_rw: Option<i64>,
    /// Bytes of all its layers, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_root_fs: Option<i64>,
    /// For people and programs.
    pub labels: BTreeMap<String, String>,
    /// `running`, ...
    pub state: String,
    /// For people: `Up 3 seconds`.
    pub status: String,
    /// Only its network mode.
    pub host_config: SummaryHostConfig,
    /// Where it is in networks.
    pub network_settings: SummaryNetworkSettings,
    /// What is mounted in it.
    pub mounts: Vec<MountPoint>,
}

/// A summary's part of the host configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SummaryHostConfig {
    /// `bridge`, `host`, `none`.
    pub network_mode: String,
}

/// A summary's part of the network settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SummaryNetworkSettings {
    /// By network.
    pub networks: BTreeMap<String, Endpoint>,
}

/// A port in a summary.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PortSummary {
    /// The host's address, if published.
    #[serde(rename = "IP", skip_serializing_if = "String::is_empty")]
    pub ip: String,
    /// The container's port.
    pub private_port: u16,
    /// The host's port, if published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_port: Option<u16>,
    /// `tcp` or `udp`.
    pub r#type: String,
}

/// The answer to `POST /containers/{name}/wait`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct WaitAnswer {
    /// The exit code.
    pub status_code: i64,
    /// Why it could not be started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<WaitError>,
}

/// Why a container that was waited for did not run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct WaitError {
    /// The text.
    pub message: String,
}
