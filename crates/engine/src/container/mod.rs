//! Containers: a record each, which only `rename` and `update` replace, and one task that owns what changes.

mod attach;
mod bundle;
mod capability;
mod config;
mod copy;
mod create;
mod devices;
mod diff;
mod driver;
mod exec;
mod health;
mod inspect;
mod kill;
mod links;
mod logging;
mod logs;
mod mounts;
mod name;
mod oci;
mod pause;
mod peers;
mod phase;
mod prune;
mod record;
mod registry;
mod remove;
mod rename;
mod resize;
mod restart;
mod seccomp;
mod security;
mod start;
mod stats;
mod stop;
mod top;
mod update;
mod usage;
mod user;
mod validate;
mod wait;

pub use attach::{AttachRequest, attach};
pub use config::{
    Attach, Config, Device, DiskWeight, Dns, Exposed, ExtraHost, HostAddress, HostConfig, IpcMode, Link,
    LogConfig, NetworkMode, ParseExtraHostError, ParseLinkError, ParsePortError, Peer, PidMode, Port,
    PortBinding, Resources, Throttle, ThrottleKind, Ulimit,
};
pub use copy::{CopyIn, Packed, PathStat, Returned, copy_in, copy_out, path_stat};
pub use create::{Created, create};
pub use diff::{Change, ChangeKind, Sizes, diff, sizes};
pub use exec::{
    ExecRequest, ExecSnapshot, ExecStart, ExecStarted, exec_create, exec_inspect, exec_resize, exec_start,
};
pub use inspect::{inspect, list};
pub use kill::kill;
pub use links::{names as link_names, shown as links_shown, unlink};
pub use logging::{LOG_DRIVERS, check_logging};
pub use logs::{LogFile, Logs, logs};
pub use mounts::{
    Bind, BindOptions, DriverOptions, Mount, MountKind, MountPoint, MountSource, Propagation, ReadOnly,
    TmpfsOptions, VolumeOptions, VolumesFrom,
};
pub use oci::{masked_paths, readonly_paths};
pub use pause::{pause, unpause};
pub use phase::{Phase, State};
pub use prune::{Pruned, prune};
pub use remove::{Removal, remove};
pub use rename::rename;
pub use resize::resize;
pub use restart::restart;
pub use start::start;
pub use stats::{
    Counters, CpuUsage, IoEntry, IoUsage, LinkCounters, MemoryUsage, PidsUsage, Sample, Stats, Usage, stats,
};
pub use stop::stop;
pub use top::{Processes, top};
pub use update::{Update, update};
pub use usage::{Measured, measured};
pub use wait::{Waiting, wait};

pub(crate) use driver::{Driver, Handle};
pub(crate) use health::command as health_command;
pub(crate) use links::{Linked, of as linked, tell as tell_of_address};
pub(crate) use registry::Registry;
pub(crate) use seccomp::{Host as SeccompHost, parse_kernel};

pub use sampan_image::Healthcheck;
use sampan_image::sha256;
pub use sampan_network::{Ipv4Net, Mac, ParseMacError, PortMapping, Protocol};
use sampan_spec::{ContainerId, Digest, Timestamp};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use std::path::PathBuf;

/// A container's record. Only `rename` and `update` change it. Format break.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Its id.
    pub id: ContainerId,
    /// Its name, without a slash.
    pub name: String,
    /// When it was made.
    pub created: Timestamp,
    /// The image it was made from.
    pub image: Digest,
    /// What it is.
    pub config: Config,
    /// What is mounted in it: made of what `config` asks for.
    pub mounts: Vec<MountPoint>,
    /// How often it was updated.
    #[serde(default)]
    pub revision: u32,
}

impl Container {
    /// Its host name: what the user said, else the host's where it shares that or the network, else the short id.
    pub fn hostname(&self) -> String {
        let host = &self.config.host;
        let shares = host.shares_uts || host.network == NetworkMode::Host;
        match self.config.hostname.as_str() {
            "" if shares => rustix::system::uname().nodename().to_string_lossy().into_owned(),
            "" => self.id.short().to_owned(),
            name => name.to_owned(),
        }
    }
}

/// A container's place in a network while it runs. Written to the exec-root: format break.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its id, 64 hexadecimal digits.
    pub id: String,
    /// The bridge's name.
    pub bridge: String,
    /// Its address with the subnet's prefix length.
    pub address: Ipv4Net,
    /// The bridge's address.
    pub gateway: Ipv4Addr,
    /// The hardware address that the user wants.
    #[serde(default)]
    pub mac: Option<Mac>,
    /// Its ports on the host.
    pub ports: Vec<PortMapping>,
}

/// A container at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Its record.
    pub container: std::sync::Arc<Container>,
    /// What is so of it.
    pub state: State,
    /// Its log file.
    pub log: PathBuf,
    /// Its hosts, hostname and resolv.conf are here.
    pub bundle: PathBuf,
    /// All volumes are here, each in a folder of its name.
    pub volumes: PathBuf,
    /// The id of the network that it joins by itself; empty where it has none.
    pub network: String,
}

impl Snapshot {
    /// The id of its place in its network, 64 hexadecimal digits: made of its own where there is no link that has one.
    pub fn endpoint_id(&self) -> String {
        let made = || sha256(format!("endpoint of {}", self.container.id).as_bytes()).hex().to_owned();
        self.state.endpoint.as_ref().map_or_else(made, |place| place.id.clone())
    }
}
