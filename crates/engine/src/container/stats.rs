//! `stats`: what a container uses at one moment. Whoever wants a rate asks twice.

use crate::Result;
use crate::blocking::blocking;
use crate::engine::Engine;
use sampan_spec::{ContainerId, Timestamp};
use std::collections::BTreeMap;

pub use sampan_sys::cgroup::{CpuUsage, IoEntry, IoUsage, MemoryUsage, PidsUsage, Usage};

/// Nanoseconds in a tick of `/proc/stat` (`USER_HZ` is 100 wherever Linux has it).
const TICK_NS: u64 = 10_000_000;

/// What a container has used up to a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The moment.
    pub read: Timestamp,
    /// What its control group counts.
    pub usage: Usage,
    /// The host's memory in bytes: the limit of a container without one.
    pub memory_of_host: u64,
    /// The processor time of all processes of the host, in nanoseconds, idle time included.
    pub processors_time: u64,
    /// How many processors there are.
    pub processors: u32,
    /// What went through its links but `lo`, by name; `None` where its network is not its own.
    pub links: Option<BTreeMap<String, LinkCounters>>,
}

/// What went through a link, as the container sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounters {
    /// Came in.
    pub received: Counters,
    /// Went out.
    pub sent: Counters,
}

/// One direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Bytes.
    pub bytes: u64,
    /// Packets.
    pub packets: u64,
    /// Damaged ones.
    pub errors: u64,
    /// Ones that were dropped.
    pub dropped: u64,
}

/// Whose sample it is, and the sample; none of a container that does not run.
#[derive(Clone, Debug)]
pub struct Stats {
    /// The container.
    pub id: ContainerId,
    /// Its name.
    pub name: String,
    /// What it uses.
    pub sample: Option<Sample>,
}

/// Reads what a container uses.
///
/// # Errors
/// When there is none.
pub async fn stats(engine: &Engine, name: &str) -> Result<Stats> {
    let snapshot = engine.containers().resolve(name)?.snapshot();
    let id = snapshot.container.id.clone();
    let sample = match snapshot.state.phase.pid() {
        None => None,
        Some(pid) => {
            let own_network = snapshot.state.endpoint.is_some();
            let group = engine.runtime().cgroup(&snapshot.container)?;
            blocking(move || Ok::<_, crate::Error>(Some(sample(&group, pid, own_network)))).await?
        }
    };
    Ok(Stats { id, name: snapshot.container.name.clone(), sample })
}

fn sample(group: &sampan_sys::cgroup::Cgroup, pid: i32, own_network: bool) -> Sample {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let (processors_time, processors) = processors(&read("/proc/stat"));
    // Reading a process's file enters no name space.
    let links = own_network.then(|| links(&read(&format!("/proc/{pid}/net/dev"))));
    let usage = group.usage();
    let memory_of_host = memory(&read("/proc/meminfo"));
    Sample { read: Timestamp::now(), usage, memory_of_host, processors_time, processors, links }
}

/// The time of all processors, and how many they are (proc_stat(5)).
fn processors(stat: &str) -> (u64, u32) {
    /// Up to `softirq`; what comes behind is counted in these already.
    const FIELDS: usize = 7;
    let mut lines = stat.lines();
    let all = lines.next().unwrap_or_default().split_ascii_whitespace().skip(1).take(FIELDS);
    let ticks: u64 = all.filter_map(|field| field.parse::<u64>().ok()).sum();
    let count = lines.take_while(|line| line.starts_with("cpu")).count();
    (ticks * TICK_NS, count as u32)
}

/// `MemTotal` in bytes (proc_meminfo(5)).
fn memory(info: &str) -> u64 {
    let total = info.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    total.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) << 10
}

/// The links of `/proc/PID/net/dev` (proc_pid_net(5)).
fn links(dev: &str) -> BTreeMap<String, LinkCounters> {
    let link = |line: &str| {
        let (name, fields) = line.split_once(':')?;
        let fields: Vec<u64> = fields.split_ascii_whitespace().filter_map(|n| n.parse().ok()).collect();
        let direction = |at: usize| {
            let [bytes, packets, errors, dropped] = *fields.get(at..at + 4)?.first_chunk::<4>()?;
            Some(Counters { bytes, packets, errors, dropped })
        };
        Some((name.trim().to_owned(), LinkCounters { received: direction(0)?, sent: direction(8)? }))
    };
    dev.lines().filter_map(link).filter(|(name, _)| name != "lo").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_proc_are_read() {
        let stat = "cpu  10 1 5 100 2 0 3 9 0 0\ncpu0 5 0 0 0\ncpu1 5 1 0 0\nintr 7\ncpu9 1\n";
        assert_eq!(processors(stat), (121 * TICK_NS, 2));
        assert_eq!(memory("MemTotal:       24684092 kB\nMemFree: 1 kB\n"), 24_684_092 << 10);
        let dev = "Inter-|   Receive  |  Transmit\n face |bytes packets|bytes\n    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n  \
                   eth0:    528       6    1    2    0     0          0         0       84       2    3    4    0     0       0          0\n";
        let counters = |bytes, packets, errors, dropped| Counters { bytes, packets, errors, dropped };
        let want = LinkCounters { received: counters(528, 6, 1, 2), sent: counters(84, 2, 3, 4) };
        assert_eq!(links(dev), [("eth0".to_owned(), want)].into());
        assert!(links("").is_empty() && links("eth0: 1 2\n").is_empty());
    }
}
