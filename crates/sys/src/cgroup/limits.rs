//! Resource limits, the same on both versions (OCI runtime specification, config-linux.md "Control groups").

use super::{Cgroup, CgroupError, Place, read, write};
use std::path::Path;

/// Limits in the specification's units. `None` leaves a value alone; so does 0, except for `cpu_idle`, `cpu_burst` and
/// `swappiness`; -1 is unlimited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory.
    pub memory: Option<i64>,
    /// Bytes of memory and swap together.
    pub memory_swap: Option<i64>,
    /// Bytes below which memory is not reclaimed (version 2) or to which it is shrunk under pressure (version 1).
    pub memory_reservation: Option<i64>,
    /// 0 to 100, version 1 only.
    pub swappiness: Option<u64>,
    /// Processes wait instead of being killed for want of memory, version 1 only.
    pub no_oom_kill: bool,
    /// Relative weight, 2 to 262144.
    pub cpu_shares: Option<u64>,
    /// Microseconds of processor time in each period.
    pub cpu_quota: Option<i64>,
    /// The period in microseconds; 100,000 where only a quota is given.
    pub cpu_period: Option<u64>,
    /// Microseconds that may be saved up.
    pub cpu_burst: Option<u64>,
    /// 1: run only when nothing else wants to.
    pub cpu_idle: Option<i64>,
    /// Microseconds of real-time scheduling, version 1 only.
    pub realtime_runtime: Option<i64>,
    /// The period of that, version 1 only.
    pub realtime_period: Option<u64>,
    /// A list of processors: `0-2,4`.
    pub cpus: Option<String>,
    /// A list of memory nodes.
    pub mems: Option<String>,
    /// How many tasks.
    pub pids: Option<i64>,
    /// Relative weight of disk access, 10 to 1000.
    pub io_weight: Option<u16>,
    /// Rates of disks.
    pub throttles: Vec<Throttle>,
    /// Bytes of huge pages by page size (`2MB`).
    pub huge_pages: Vec<(String, u64)>,
    /// The class of its packets (net_cls), version 1 only.
    pub net_class: Option<u32>,
    /// The priority of its packets by interface (net_prio), version 1 only.
    pub net_priorities: Vec<(String, u32)>,
    /// Handles and objects by RDMA device.
    pub rdma: Vec<(String, Option<u32>, Option<u32>)>,
    /// Files of version 2 and what to write to them.
    pub unified: Vec<(String, String)>,
}

/// The rate limit of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttle {
    /// Of what.
    pub kind: ThrottleKind,
    /// The disk's major number.
    pub major: u32,
    /// The disk's minor number.
    pub minor: u32,
    /// Bytes or operations in a second.
    pub rate: u64,
}

/// What a rate limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

const DEFAULT_PERIOD: u64 = 100_000;

impl Cgroup {
    /// Sets limits. Those set before an error stay set.
    ///
    /// # Errors
    /// [`CgroupError::NoController`] and [`CgroupError::Unsupported`] for what this host cannot limit,
    /// [`CgroupError::Write`] for what the kernel refuses.
    pub fn limit(&self, limits: &Limits) -> Result<(), CgroupError> {
        self.limit_cpuset(limits)?;
        self.limit_cpu(limits)?;
        self.limit_memory(limits)?;
        self.limit_pids(limits)?;
        self.limit_io(limits)?;
        self.limit_huge_pages(limits)?;
        self.limit_network(limits)?;
        self.limit_rdma(limits)?;
        self.write_unified(limits)
    }

    fn limit_cpuset(&self, limits: &Limits) -> Result<(), CgroupError> {
        let lists = [("cpuset.cpus", &limits.cpus), ("cpuset.mems", &limits.mems)];
        for (name, list) in lists {
            if let Some(list) = list.as_ref().filter(|l| !l.is_empty()) {
                let (Place::V1(folder) | Place::V2(folder)) = self.place("cpuset")?;
                write(&folder.join(name), list)?;
            }
        }
        Ok(())
    }

    fn limit_cpu(&self, limits: &Limits) -> Result<(), CgroupError> {
        let Limits { cpu_quota, cpu_period, cpu_burst, cpu_idle, .. } = limits;
        let given = [set(limits.cpu_shares), set(*cpu_quota), set(*cpu_period), cpu_burst.is_some()];
        let real_time = set(limits.realtime_runtime) || set(limits.realtime_period);
        if !given.contains(&true) && cpu_idle.is_none() && !real_time {
            return Ok(());
        }
        match self.place("cpu")? {
            Place::V1(folder) => limit_cpu_v1(folder, limits),
            Place::V2(_) if real_time => Err(CgroupError::Unsupported("real-time scheduling", 2)),
            Place::V2(folder) => limit_cpu_v2(folder, limits),
        }
    }

    fn limit_memory(&self, limits: &Limits) -> Result<(), CgroupError> {
        let bytes = [limits.memory, limits.memory_swap, limits.memory_reservation];
        if !bytes.iter().any(|b| set(*b)) && limits.swappiness.is_none() && !limits.no_oom_kill {
            return Ok(());
        }
        match self.place("memory")? {
            Place::V1(folder) => limit_memory_v1(folder, limits),
            Place::V2(folder) => limit_memory_v2(folder, limits),
        }
    }

    fn limit_pids(&self, limits: &Limits) -> Result<(), CgroupError> {
        let Some(max) = limits.pids.filter(|p| *p != 0) else { return Ok(()) };
        let (Place::V1(folder) | Place::V2(folder)) = self.place("pids")?;
        write(&folder.join("pids.max"), &or_max(max))
    }

    fn limit_io(&self, limits: &Limits) -> Result<(), CgroupError> {
        if let Some(weight) = limits.io_weight.filter(|w| *w != 0) {
            let (folder, name, bfq, value) = match self.io()? {
                Place::V1(folder) => (folder, "blkio.weight", "blkio.bfq.weight", u64::from(weight)),
                Place::V2(folder) => (folder, "io.weight", "io.bfq.weight", io_weight_v2(weight)),
            };
            let bfq = folder.join(bfq);
            if bfq.exists() {
                write(&bfq, &weight.to_string())?;
            } else {
                write(&folder.join(name), &value.to_string())?;
            }
        }
        limits.throttles.iter().try_for_each(|t| self.throttle(*t))
    }

    fn throttle(&self, limit: Throttle) -> Result<(), CgroupError> {
        let Throttle { kind, major, minor, rate } = limit;
        let (v1, v2) = match kind {
            ThrottleKind::ReadBytes => ("read_bps", "rbps"),
            ThrottleKind::WriteBytes => ("write_bps", "wbps"),
            ThrottleKind::ReadOperations => ("read_iops", "riops"),
            ThrottleKind::WriteOperations => ("write_iops", "wiops"),
        };
        match self.io()? {
            Place::V1(folder) => {
                let file = folder.join(format!("blkio.throttle.{v1}_device"));
                write(&file, &format!("{major}:{minor} {rate}"))
            }
            Place::V2(folder) => write(&folder.join("io.max"), &format!("{major}:{minor} {v2}={rate}")),
        }
    }

    fn io(&self) -> Result<Place<'_>, CgroupError> {
        self.place("blkio").or_else(|_| self.place("io"))
    }

    fn limit_huge_pages(&self, limits: &Limits) -> Result<(), CgroupError> {
        for (size, bytes) in &limits.huge_pages {
            let (folder, name) = match self.place("hugetlb")? {
                Place::V1(folder) => (folder, "limit_in_bytes"),
                Place::V2(folder) => (folder, "max"),
            };
            write(&folder.join(format!("hugetlb.{size}.{name}")), &bytes.to_string())?;
        }
        Ok(())
    }

    fn limit_network(&self, limits: &Limits) -> Result<(), CgroupError> {
        if let Some(class) = limits.net_class.filter(|class| *class != 0) {
            let (Place::V1(folder) | Place::V2(folder)) = self.place("net_cls")?;
            write(&folder.join("net_cls.classid"), &class.to_string())?;
        }
        for (interface, priority) in &limits.net_priorities {
            let (Place::V1(folder) | Place::V2(folder)) = self.place("net_prio")?;
            write(&folder.join("net_prio.ifpriomap"), &format!("{interface} {priority}"))?;
        }
        Ok(())
    }

    fn limit_rdma(&self, limits: &Limits) -> Result<(), CgroupError> {
        for (device, handles, objects) in &limits.rdma {
            let (Place::V1(folder) | Place::V2(folder)) = self.place("rdma")?;
            let value =
                |name: &str, value: &Option<u32>| value.map_or(String::new(), |n| format!(" {name}={n}"));
            let line = format!("{device}{}{}", value("hca_handle", handles), value("hca_object", objects));
            write(&folder.join("rdma.max"), &line)?;
        }
        Ok(())
    }

    fn write_unified(&self, limits: &Limits) -> Result<(), CgroupError> {
        for (name, value) in &limits.unified {
            let folder = self.unified.as_ref().ok_or(CgroupError::Unsupported("resources.unified", 1))?;
            if name.contains('/') || !name.contains('.') {
                return Err(CgroupError::BadPath(name.clone()));
            }
            write(&folder.join(name), value)?;
        }
        Ok(())
    }
}

fn limit_cpu_v1(folder: &Path, limits: &Limits) -> Result<(), CgroupError> {
    let write_if = |name: &str, value: Option<String>| match value {
        Some(value) => write(&folder.join(name), &value),
        None => Ok(()),
    };
    write_if("cpu.idle", limits.cpu_idle.map(|v| v.to_string()))?;
    write_if("cpu.shares", text(limits.cpu_shares))?;
    write_if("cpu.cfs_period_us", text(limits.cpu_period))?;
    write_if("cpu.cfs_quota_us", text(limits.cpu_quota))?;
    write_if("cpu.cfs_burst_us", limits.cpu_burst.map(|v| v.to_string()))?;
    write_if("cpu.rt_period_us", text(limits.realtime_period))?;
    write_if("cpu.rt_runtime_us", text(limits.realtime_runtime))
}

fn limit_cpu_v2(folder: &Path, limits: &Limits) -> Result<(), CgroupError> {
    if let Some(idle) = limits.cpu_idle {
        write(&folder.join("cpu.idle"), &idle.to_string())?;
    }
    if let Some(shares) = limits.cpu_shares.filter(|s| *s != 0) {
        write(&folder.join("cpu.weight"), &cpu_weight(shares).to_string())?;
    }
    if set(limits.cpu_quota) || set(limits.cpu_period) {
        let period = limits.cpu_period.filter(|p| *p != 0).unwrap_or(DEFAULT_PERIOD);
        let quota = limits.cpu_quota.filter(|q| *q > 0).map_or("max".to_owned(), |q| q.to_string());
        write(&folder.join("cpu.max"), &format!("{quota} {period}"))?;
    }
    match limits.cpu_burst {
        Some(burst) => write(&folder.join("cpu.max.burst"), &burst.to_string()),
        None => Ok(()),
    }
}

fn limit_memory_v1(folder: &Path, limits: &Limits) -> Result<(), CgroupError> {
    let memory = limits.memory.filter(|b| *b != 0).map(|b| ("memory.limit_in_bytes", b));
    let both = limits.memory_swap.filter(|b| *b != 0).map(|b| ("memory.memsw.limit_in_bytes", b));
    // The sum may never be below the memory alone, so that a sum which grows goes first.
    let sum_first = match both {
        Some((name, sum)) => {
            sum < 0 || read(&folder.join(name))?.trim().parse().is_ok_and(|now: i64| sum > now)
        }
        None => false,
    };
    let order = if sum_first { [both, memory] } else { [memory, both] };
    for (name, bytes) in order.into_iter().flatten() {
        write(&folder.join(name), &bytes.max(-1).to_string())?;
    }
    if let Some(bytes) = limits.memory_reservation.filter(|b| *b != 0) {
        write(&folder.join("memory.soft_limit_in_bytes"), &bytes.max(-1).to_string())?;
    }
    if let Some(swappiness) = limits.swappiness {
        write(&folder.join("memory.swappiness"), &swappiness.to_string())?;
    }
    if limits.no_oom_kill {
        write(&folder.join("memory.oom_control"), "1")?;
    }
    Ok(())
}

fn limit_memory_v2(folder: &Path, limits: &Limits) -> Result<(), CgroupError> {
    if limits.no_oom_kill {
        return Err(CgroupError::Unsupported("disableOOMKiller", 2));
    }
    if limits.swappiness.is_some() {
        return Err(CgroupError::Unsupported("memory swappiness", 2));
    }
    if let Some(sum) = limits.memory_swap.filter(|b| *b != 0) {
        let memory = limits.memory.unwrap_or(0);
        if sum > 0 && (memory <= 0 || memory > sum) {
            return Err(CgroupError::Unsupported("a limit of memory and swap below that of memory", 2));
        }
        let swap = if sum < 0 { -1 } else { sum - memory };
        let file = folder.join("memory.swap.max");
        if swap >= 0 || file.exists() {
            write(&file, &or_max(swap))?;
        }
    }
    if let Some(bytes) = limits.memory.filter(|b| *b != 0) {
        write(&folder.join("memory.max"), &or_max(bytes))?;
    }
    if let Some(bytes) = limits.memory_reservation.filter(|b| *b != 0) {
        write(&folder.join("memory.low"), &or_max(bytes))?;
    }
    Ok(())
}

fn set<T: Default + PartialEq>(value: Option<T>) -> bool {
    value.is_some_and(|v| v != T::default())
}

fn text<T: Default + PartialEq + ToString>(value: Option<T>) -> Option<String> {
    value.filter(|v| *v != T::default()).map(|v| v.to_string())
}

fn or_max(value: i64) -> String {
    if value < 0 { "max".into() } else { value.to_string() }
}

/// Shares of 2 to 262144 as a weight of 1 to 10000, linearly, as the OCI's other runtimes do it.
fn cpu_weight(shares: u64) -> u64 {
    1 + (shares.clamp(2, 262_144) - 2) * 9999 / 262_142
}

/// 10 to 1000 as 1 to 10000.
fn io_weight_v2(weight: u16) -> u64 {
    1 + (u64::from(weight).clamp(10, 1000) - 10) * 9999 / 990
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights() {
        for (shares, weight) in [(2, 1), (1024, 39), (262_144, 10_000), (0, 1), (u64::MAX, 10_000)] {
            assert_eq!(cpu_weight(shares), weight);
        }
        for (weight, v2) in [(10, 1), (1000, 10_000), (500, 4950)] {
            assert_eq!(io_weight_v2(weight), v2);
        }
    }
}
