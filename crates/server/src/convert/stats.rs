//! What a container uses, in Docker's shape.

use sampan_api::body::{
    BlkioEntry, BlkioStats, CpuStats, CpuUsage, MemoryStats, NetworkStats, PidsStats, Stats, Throttling,
};
use sampan_engine::container::{self, IoEntry, LinkCounters, Sample};
use std::collections::BTreeMap;

/// A sample with the one before it; nothing but names of a container that does not run.
pub(crate) fn stats(stats: &container::Stats, before: Option<&Sample>) -> Stats {
    let named = Stats { name: format!("/{}", stats.name), id: stats.id.to_string(), ..Stats::default() };
    let Some(sample) = &stats.sample else { return named };
    let usage = &sample.usage;
    Stats {
        read: sample.read.to_string(),
        preread: before.map_or(named.preread, |before| before.read.to_string()),
        pids_stats: PidsStats { current: usage.pids.current, limit: usage.pids.limit },
        blkio_stats: disks(usage),
        cpu_stats: processors(sample),
        precpu_stats: before.map(processors).unwrap_or_default(),
        memory_stats: memory(sample),
        networks: sample
            .links
            .as_ref()
            .map(|links| links.iter().map(|(name, counters)| (name.clone(), network(counters))).collect()),
        ..named
    }
}

fn disks(usage: &container::Usage) -> BlkioStats {
    let entry = |entry: &IoEntry| BlkioEntry {
        major: entry.major,
        minor: entry.minor,
        op: entry.operation.clone(),
        value: entry.value,
    };
    let entries = |list: &[IoEntry]| Some(list.iter().map(entry).collect());
    let none = || Some(Vec::new());
    BlkioStats {
        io_service_bytes_recursive: entries(&usage.io.bytes),
        io_serviced_recursive: entries(&usage.io.operations),
        io_queue_recursive: none(),
        io_service_time_recursive: none(),
        io_wait_time_recursive: none(),
        io_merged_recursive: none(),
        io_time_recursive: none(),
        sectors_recursive: none(),
    }
}

fn processors(sample: &Sample) -> CpuStats {
    let cpu = &sample.usage.cpu;
    CpuStats {
        cpu_usage: CpuUsage {
            total_usage: cpu.total,
            percpu_usage: cpu.per_processor.clone(),
            usage_in_kernelmode: cpu.kernel,
            usage_in_usermode: cpu.user,
        },
        system_cpu_usage: Some(sample.processors_time),
        online_cpus: Some(sample.processors),
        throttling_data: Throttling {
            periods: cpu.periods,
            throttled_periods: cpu.throttled_periods,
            throttled_time: cpu.throttled,
        },
    }
}

fn memory(sample: &Sample) -> MemoryStats {
    let memory = &sample.usage.memory;
    let all = sample.memory_of_host;
    MemoryStats {
        usage: Some(memory.usage),
        max_usage: memory.max_usage,
        stats: Some(details(&memory.stats)),
        failcnt: Some(memory.failures).filter(|count| *count > 0),
        limit: Some(memory.limit.map_or(all, |limit| limit.min(all))),
    }
}

/// What Docker shows of version 1; of most there is a `total_`, too.
const OF_VERSION_1: [&str; 17] = [
    "active_anon",
    "active_file",
    "cache",
    "dirty",
    "inactive_anon",
    "inactive_file",
    "mapped_file",
    "pgfault",
    "pgmajfault",
    "pgpgin",
    "pgpgout",
    "rss",
    "rss_huge",
    "unevictable",
    "writeback",
    LIMIT_OF_VERSION_1,
    "hierarchical_memsw_limit",
];
/// Version 2 has nothing of this name.
const LIMIT_OF_VERSION_1: &str = "hierarchical_memory_limit";

/// The kernel's figures, as far as Docker shows them.
fn details(all: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    if !all.contains_key(LIMIT_OF_VERSION_1) {
        return all.clone();
    }
    let is_shown = |name: &str| OF_VERSION_1.contains(&name.strip_prefix("total_").unwrap_or(name));
    all.iter().filter(|(name, _)| is_shown(name)).map(|(name, value)| (name.clone(), *value)).collect()
}

fn network(counters: &LinkCounters) -> NetworkStats {
    let (rx, tx) = (counters.received, counters.sent);
    NetworkStats {
        rx_bytes: rx.bytes,
        rx_packets: rx.packets,
        rx_errors: rx.errors,
        rx_dropped: rx.dropped,
        tx_bytes: tx.bytes,
        tx_packets: tx.packets,
        tx_errors: tx.errors,
        tx_dropped: tx.dropped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sampan_spec::{ContainerId, Timestamp};

    #[test]
    fn figures_of_version_1_are_those_that_docker_knows() {
        let of =
            |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), 1)).collect::<BTreeMap<_, _>>();
        let shown = |names: &[&str]| details(&of(names)).into_keys().collect::<Vec<_>>();
        let limit = LIMIT_OF_VERSION_1;
        assert_eq!(shown(&[limit, "rss", "total_rss", "shmem", "total_swap"]), [limit, "rss", "total_rss"]);
        assert_eq!(shown(&["anon", "shmem"]), ["anon", "shmem"]);
    }

    #[test]
    fn a_sample_has_the_one_before_it() {
        let sample = |second, total| Sample {
            read: Timestamp::from_second(second).unwrap(),
            usage: container::Usage {
                cpu: container::CpuUsage { total, ..Default::default() },
                memory: container::MemoryUsage { usage: 5, limit: Some(1 << 40), ..Default::default() },
                ..Default::default()
            },
            memory_of_host: 1 << 30,
            processors_time: 100,
            processors: 2,
            links: None,
        };
        let of = |sample| container::Stats { id: ContainerId::from_bytes([1; 32]), name: "c".into(), sample };
        let shown = stats(&of(Some(sample(2, 30))), Some(&sample(1, 10)));
        assert_eq!(
            (shown.read.as_str(), shown.preread.as_str()),
            ("1970-01-01T00:00:02Z", "1970-01-01T00:00:01Z")
        );
        assert_eq!(
            (shown.cpu_stats.cpu_usage.total_usage, shown.precpu_stats.cpu_usage.total_usage),
            (30, 10)
        );
        assert_eq!((shown.memory_stats.limit, shown.memory_stats.failcnt), (Some(1 << 30), None));
        let idle = stats(&of(None), None);
        assert_eq!((idle.name.as_str(), idle.read.as_str()), ("/c", sampan_api::body::NO_TIME));
        assert_eq!(idle.memory_stats, MemoryStats::default());
    }
}
