//! What a container gets of its host.

use super::{Port, PortBinding};
use crate::container::{Bind, Mount, VolumesFrom};
use sampan_spec::bundle::Restart;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a container gets of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostConfig {
    /// Mounts: `-v`.
    pub binds: Vec<Bind>,
    /// Mounts: `--mount`.
    pub mounts: Vec<Mount>,
    /// Mounts: `--tmpfs`, options by path.
    pub tmpfs: BTreeMap<String, String>,
    /// Mounts: `--volumes-from`.
    pub volumes_from: Vec<VolumesFrom>,
    /// The driver of volumes that are made for `-v`; empty is `local`.
    pub volume_driver: String,
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
