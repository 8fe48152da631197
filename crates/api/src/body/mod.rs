//! Bodies of requests and answers, a file per noun. Fields have Docker's names; what Docker writes as `null` is an
//! `Option` here, and what it leaves out is not written.

mod archive;
mod container;
mod event;
mod exec;
mod host;
mod image;
mod lives;
mod mount;
mod network;
mod stats;
mod system;
mod usage;
mod volume;

pub use archive::{PATH_STAT, PathStat, go_mode};
pub use container::{
    ContainerConfig, ContainerCreate, ContainerCreated, ContainerInspect, ContainerState, ContainerSummary,
    GraphDriver, Health, Healthcheck, HealthcheckResult, MountPoint, PortSummary, SummaryHostConfig,
    SummaryNetworkSettings, WaitAnswer, WaitError,
};
pub use event::{Actor, Event};
pub use exec::{ExecCreate, ExecCreated, ExecInspect, ExecProcessConfig, ExecStart};
pub use host::{
    DeviceMapping, HostConfig, LogConfig, PortBinding, PortMap, RestartPolicy, ThrottleDevice, Ulimit,
    WeightDevice,
};
pub use image::{
    ErrorDetail, ImageConfig, ImageDeleted, ImageHistory, ImageInspect, ImageMetadata, ImagePrune,
    ImageRootFs, ImageSummary, LoginAnswer, Progress, ProgressDetail, RegistryAuth,
};
pub use lives::{Change, ContainersPruned, Processes, Updated};
pub use mount::{BindOptions, Mount, TmpfsOptions, VolumeDriver, VolumeOptions};
pub use network::{
    AddressWish, ConfigFrom, Endpoint, Ipam, IpamConfig, Network, NetworkMember, NetworkSettings,
    NetworkingConfig, NetworksPruned,
};
pub use stats::{
    BlkioEntry, BlkioStats, CpuStats, CpuUsage, MemoryStats, NetworkStats, PidsStats, Stats, Throttling,
};
pub use system::{Commit, Component, Info, Platform, Plugins, Swarm, Version};
pub use usage::{BuildCache, BuildPruned, DiskUsage};
pub use volume::{Volume, VolumeCreate, VolumeList, VolumeUsage, VolumesPruned};

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

/// A set as Go writes it: `{"80/tcp": {}}`.
pub type Set = BTreeMap<String, Empty>;

/// `{}`, or anything else that a client may have put there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Empty {}

impl<'de> Deserialize<'de> for Empty {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self {})
    }
}

/// The body of every answer that is an error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ErrorBody {
    /// The whole text for the user.
    pub message: String,
}

/// The time that Docker gives where there is none.
pub const NO_TIME: &str = "0001-01-01T00:00:00Z";

fn no_time() -> String {
    NO_TIME.to_owned()
}

/// Reads a list of words, for which one word may stand (old clients).
fn words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Words {
        One(String),
        Many(Vec<String>),
    }
    Ok(Option::<Words>::deserialize(deserializer)?.map(|words| match words {
        Words::One(word) => vec![word],
        Words::Many(words) => words,
    }))
}
