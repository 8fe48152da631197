//! What a container may use up.

use serde::{Deserialize, Serialize};

/// Limits; `None`, an empty text and an empty list are no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// Memory and swap together in bytes; -1 is no limit.
    pub memory_swap: Option<i64>,
    /// Memory in bytes to which it is shrunk when there is little of it.
    pub memory_reservation: Option<u64>,
    /// How readily memory is swapped out, 0 to 100.
    pub memory_swappiness: Option<u64>,
    /// Processes wait instead of being killed for want of memory.
    pub oom_kill_disable: bool,
    /// CPU time in billionths of one processor.
    pub nano_cpus: Option<u64>,
    /// A weight among containers, 1024 if not given.
    pub cpu_shares: Option<u64>,
    /// Microseconds in which the quota holds.
    pub cpu_period: Option<u64>,
    /// Microseconds of CPU time in a period; negative is no limit.
    pub cpu_quota: Option<i64>,
    /// The same for real-time scheduling.
    pub cpu_realtime_period: Option<u64>,
    /// Microseconds of real-time scheduling in that period.
    pub cpu_realtime_runtime: Option<i64>,
    /// A list of processors: `0-2,4`.
    pub cpuset_cpus: String,
    /// A list of memory nodes.
    pub cpuset_mems: String,
    /// Processes and threads.
    pub pids: Option<u64>,
    /// A weight of disk access among containers, 10 to 1000.
    pub blkio_weight: Option<u16>,
    /// Such weights for single disks.
    pub blkio_weights: Vec<DiskWeight>,
    /// Rates of single disks.
    pub throttles: Vec<Throttle>,
}

/// A weight for a disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskWeight {
    /// The disk's node on the host.
    pub path: String,
    /// 10 to 1000.
    pub weight: u16,
}

/// The rate limit of a disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Throttle {
    /// Of what.
    pub kind: ThrottleKind,
    /// The disk's node on the host.
    pub path: String,
    /// Bytes or operations in a second.
    pub rate: u64,
}

/// What a rate limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ThrottleKind {
    /// Bytes read.
    ReadBytes,
    /// Bytes written.
    WriteBytes,
    /// Reads.
    ReadOperations,
    /// Writes.
    WriteOperations,
}

/// A limit of each process (getrlimit(2)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// `nofile`, ...
    pub name: String,
    /// -1 is no limit.
    pub soft: i64,
    /// -1 is no limit.
    pub hard: i64,
}
