//! What a container gets of its host.

use super::{Device, Dns, ExtraHost, IpcMode, Link, Peer, PidMode, Port, PortBinding, Resources, Ulimit};
use crate::container::{Bind, Mount, VolumesFrom};
use sampan_network::Mac;
use sampan_spec::bundle::Restart;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a container gets of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
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
    /// Its hardware address; `None`: one that follows from its address.
    pub mac: Option<Mac>,
    /// Further lines of its `/etc/hosts`.
    pub extra_hosts: Vec<ExtraHost>,
    /// Other containers of the bridge, under names of its own.
    pub links: Vec<Link>,
    /// How it looks names up.
    pub dns: Dns,
    /// Published ports.
    pub ports: BTreeMap<Port, Vec<PortBinding>>,
    /// Publish every other exposed port, too, at any port that is free.
    pub publish_all: bool,
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
    /// Groups of the process beside those of its user, by name or number.
    pub group_add: Vec<String>,
    /// All capabilities, all devices, nothing hidden or filtered.
    pub privileged: bool,
    /// Further wishes as the user said them: `no-new-privileges`, `seccomp=unconfined`, ...
    pub security_opt: Vec<String>,
    /// Paths that it sees empty, instead of the default ones.
    pub masked_paths: Option<Vec<String>>,
    /// Paths that it cannot write to, instead of the default ones.
    pub readonly_paths: Option<Vec<String>>,
    /// Devices of the host.
    pub devices: Vec<Device>,
    /// Devices that it may use if it has a node of them: `c 1:3 rwm`.
    pub device_rules: Vec<String>,
    /// Kernel parameters of its name spaces.
    pub sysctls: BTreeMap<String, String>,
    /// Whose process ids it sees.
    pub pid: PidMode,
    /// Whose shared memory it uses.
    pub ipc: IpcMode,
    /// Whether it has the host's name.
    pub shares_uts: bool,
    /// Whether it sees the host's control groups.
    pub shares_cgroups: bool,
    /// The mode of user name spaces as the user said it; `host` or nothing.
    pub userns: String,
    /// A small process 1 that waits for orphans. `None`: as the engine does it, which is without.
    pub init: Option<bool>,
    /// The size of `/dev/shm` in bytes; `None` is 64 MiB.
    pub shm_size: Option<u64>,
    /// Limits of each process.
    pub ulimits: Vec<Ulimit>,
    /// How likely it is to be killed for want of memory, -1000 to 1000.
    pub oom_score_adj: i32,
    /// The folder of its control group, from each hierarchy's root; empty: the engine's.
    pub cgroup_parent: String,
    /// Mount the root file system read-only.
    pub read_only: bool,
    /// The rows and columns of the client's terminal at creation.
    pub console_size: (u16, u16),
}

impl HostConfig {
    /// The containers that must run before it can be started.
    pub(crate) fn needs(&self) -> impl Iterator<Item = &Peer> {
        let pid = if let PidMode::Container(peer) = &self.pid { Some(peer) } else { None };
        let ipc = if let IpcMode::Container(peer) = &self.ipc { Some(peer) } else { None };
        let network = if let NetworkMode::Container(peer) = &self.network { Some(peer) } else { None };
        pid.into_iter().chain(ipc).chain(network).chain(self.links.iter().map(|link| &link.peer))
    }
}

/// Whose network a container uses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkMode {
    /// Its own, joined to the engine's bridge. `default` says the same.
    #[default]
    Bridge,
    /// The host's.
    Host,
    /// Its own, with nothing but `lo`.
    None,
    /// Another container's.
    Container(Peer),
    /// The network of this name, which there is not: a container is made for it, and not started.
    Named(String),
}

/// Where a container's output is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogConfig {
    /// `json-file`, `local` or `none`; empty in a request is the engine's own.
    pub driver: String,
    /// Its options.
    pub options: BTreeMap<String, String>,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { driver: "json-file".into(), options: BTreeMap::new() }
    }
}
