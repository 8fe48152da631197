//! What a control group has used, the same on both versions.

use super::files::{number_of, read};
use super::{Cgroup, Place};
use std::collections::BTreeMap;
use std::path::Path;

/// Nanoseconds in a tick of `cpuacct.stat` (`USER_HZ` is 100 wherever Linux has it).
const TICK_NS: u64 = 10_000_000;
/// A limit of version 1 above this is none.
const NO_LIMIT_V1: u64 = 1 << 62;

/// What its processes have used since it was made, and use now. A value that the host does not count is 0 or missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time.
    pub cpu: CpuUsage,
    /// Memory.
    pub memory: MemoryUsage,
    /// Processes and threads.
    pub pids: PidsUsage,
    /// Disks.
    pub io: IoUsage,
}

/// Processor time in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CpuUsage {
    /// All.
    pub total: u64,
    /// In the kernel.
    pub kernel: u64,
    /// In programs.
    pub user: u64,
    /// On each processor; version 1 only.
    pub per_processor: Vec<u64>,
    /// Periods with a quota.
    pub periods: u64,
    /// Periods in which it was held back.
    pub throttled_periods: u64,
    /// For how long.
    pub throttled: u64,
}

/// Memory in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryUsage {
    /// Now, page cache included.
    pub usage: u64,
    /// The most at once; version 1 only.
    pub max_usage: Option<u64>,
    /// How often the limit was hit.
    pub failures: u64,
    /// The limit.
    pub limit: Option<u64>,
    /// `memory.stat`, with the version's own names.
    pub stats: BTreeMap<String, u64>,
}

/// Processes and threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PidsUsage {
    /// Now.
    pub current: Option<u64>,
    /// At most.
    pub limit: Option<u64>,
}

/// Disks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IoUsage {
    /// Bytes.
    pub bytes: Vec<IoEntry>,
    /// Operations; version 1 only.
    pub operations: Vec<IoEntry>,
}

/// One count of one disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IoEntry {
    /// The disk's major number.
    pub major: u64,
    /// The disk's minor number.
    pub minor: u64,
    /// `read`, `write`, ...
    pub operation: String,
    /// How much.
    pub value: u64,
}

impl Cgroup {
    /// Reads what has been used. A controller that is not there gives nothing.
    pub fn usage(&self) -> Usage {
        Usage {
            cpu: self.cpu_usage(),
            memory: self.memory_usage(),
            pids: self.pids_usage(),
            io: self.io_usage(),
        }
    }

    fn cpu_usage(&self) -> CpuUsage {
        let quota = match self.place("cpu") {
            Ok(Place::V1(folder)) => text(folder, "cpu.stat"),
            _ => String::new(),
        };
        if let Ok(Place::V1(folder)) = self.place("cpuacct") {
            return cpu_usage_v1(folder, &quota);
        }
        // The time is there without the controller, too.
        let Some(folder) = &self.unified else { return CpuUsage::default() };
        cpu_usage_v2(&text(folder, "cpu.stat"))
    }

    fn memory_usage(&self) -> MemoryUsage {
        match self.place("memory") {
            Ok(Place::V1(folder)) => memory_usage_v1(folder),
            Ok(Place::V2(folder)) => memory_usage_v2(folder),
            Err(_) => MemoryUsage::default(),
        }
    }

    fn pids_usage(&self) -> PidsUsage {
        match self.place("pids") {
            Ok(Place::V1(folder) | Place::V2(folder)) => {
                PidsUsage { current: number(folder, "pids.current"), limit: number(folder, "pids.max") }
            }
            Err(_) => PidsUsage::default(),
        }
    }

    fn io_usage(&self) -> IoUsage {
        match self.place("blkio").or_else(|_| self.place("io")) {
            Ok(Place::V1(folder)) => {
                let of = |name| io_entries_v1(&text(folder, name));
                IoUsage {
                    bytes: of("blkio.throttle.io_service_bytes_recursive"),
                    operations: of("blkio.throttle.io_serviced_recursive"),
                }
            }
            Ok(Place::V2(folder)) => {
                IoUsage { bytes: io_entries_v2(&text(folder, "io.stat")), operations: Vec::new() }
            }
            Err(_) => IoUsage::default(),
        }
    }
}

fn cpu_usage_v1(folder: &Path, quota: &str) -> CpuUsage {
    let ticks = text(folder, "cpuacct.stat");
    let of = |text: &str, key| number_of(text, key).unwrap_or(0);
    let each = text(folder, "cpuacct.usage_percpu");
    CpuUsage {
        total: number(folder, "cpuacct.usage").unwrap_or(0),
        kernel: of(&ticks, "system") * TICK_NS,
        user: of(&ticks, "user") * TICK_NS,
        per_processor: each.split_ascii_whitespace().filter_map(|n| n.parse().ok()).collect(),
        periods: of(quota, "nr_periods"),
        throttled_periods: of(quota, "nr_throttled"),
        throttled: of(quota, "throttled_time"),
    }
}

fn cpu_usage_v2(stat: &str) -> CpuUsage {
    let of = |key| number_of(stat, key).unwrap_or(0);
    CpuUsage {
        total: of("usage_usec") * 1000,
        kernel: of("system_usec") * 1000,
        user: of("user_usec") * 1000,
        per_processor: Vec::new(),
        periods: of("nr_periods"),
        throttled_periods: of("nr_throttled"),
        throttled: of("throttled_usec") * 1000,
    }
}

fn memory_usage_v1(folder: &Path) -> MemoryUsage {
    MemoryUsage {
        usage: number(folder, "memory.usage_in_bytes").unwrap_or(0),
        max_usage: number(folder, "memory.max_usage_in_bytes"),
        failures: number(folder, "memory.failcnt").unwrap_or(0),
        limit: number(folder, "memory.limit_in_bytes").filter(|bytes| *bytes < NO_LIMIT_V1),
        stats: numbers(&text(folder, "memory.stat")),
    }
}

fn memory_usage_v2(folder: &Path) -> MemoryUsage {
    MemoryUsage {
        usage: number(folder, "memory.current").unwrap_or(0),
        max_usage: None,
        failures: number_of(&text(folder, "memory.events"), "oom").unwrap_or(0),
        limit: number(folder, "memory.max"),
        stats: numbers(&text(folder, "memory.stat")),
    }
}

/// A file's text; nothing where there is none: the container may have just ended.
fn text(folder: &Path, name: &str) -> String {
    read(&folder.join(name)).unwrap_or_default()
}

/// A file's number; none for `max`.
fn number(folder: &Path, name: &str) -> Option<u64> {
    text(folder, name).trim().parse().ok()
}

/// The lines `key number`.
fn numbers(text: &str) -> BTreeMap<String, u64> {
    let pair = |line: &str| {
        let (key, value) = line.split_once(' ')?;
        Some((key.to_owned(), value.trim().parse().ok()?))
    };
    text.lines().filter_map(pair).collect()
}

fn device(text: &str) -> Option<(u64, u64)> {
    let (major, minor) = text.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// The lines `8:0 Read 12`.
fn io_entries_v1(text: &str) -> Vec<IoEntry> {
    let entry = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let (major, minor) = device(words.next()?)?;
        let operation = words.next()?.to_ascii_lowercase();
        Some(IoEntry { major, minor, operation, value: words.next()?.parse().ok()? })
    };
    text.lines().filter_map(entry).collect()
}

/// The lines `8:0 rbytes=1 wbytes=2 rios=3 ...`.
fn io_entries_v2(text: &str) -> Vec<IoEntry> {
    let mut entries = Vec::new();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let Some((major, minor)) = words.next().and_then(device) else { continue };
        for word in words {
            let (operation, value) = match word.split_once('=') {
                Some(("rbytes", value)) => ("read", value),
                Some(("wbytes", value)) => ("write", value),
                _ => continue,
            };
            let Ok(value) = value.parse() else { continue };
            entries.push(IoEntry { major, minor, operation: operation.into(), value });
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn io(operation: &str, value: u64) -> IoEntry {
        IoEntry { major: 8, minor: 16, operation: operation.into(), value }
    }

    #[test]
    fn disks() {
        assert_eq!(
            io_entries_v1("8:16 Read 5\n8:16 Discard 0\nTotal 5\n"),
            [io("read", 5), io("discard", 0)]
        );
        assert_eq!(
            io_entries_v2("8:16 rbytes=5 wbytes=6 rios=1\nnonsense\n8:x rbytes=1\n"),
            [io("read", 5), io("write", 6)]
        );
    }

    #[test]
    fn times_are_nanoseconds() {
        let stat =
            "usage_usec 5\nuser_usec 3\nsystem_usec 2\nnr_periods 9\nnr_throttled 4\nthrottled_usec 7\n";
        let usage = cpu_usage_v2(stat);
        assert_eq!((usage.total, usage.user, usage.kernel), (5000, 3000, 2000));
        assert_eq!((usage.periods, usage.throttled_periods, usage.throttled), (9, 4, 7000));
    }
}
