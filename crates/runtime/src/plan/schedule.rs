//! When and where a process runs, read (config.md "Process", config-linux.md "Memory policy").

use super::bad;
use rustix::thread::CpuSet;
use sampan_spec::journal::Failure;
use sampan_spec::oci::{
    IoPriorityClass, LinuxIoPriority, LinuxMemoryPolicy, LinuxSchedulerFlag, LinuxSchedulerPolicy,
    MemoryPolicyFlag, MemoryPolicyMode, Scheduler,
};
use sampan_sys::scheduling::Scheduling;

/// The policy with the kernel's numbers (sched(7)).
pub(super) fn scheduling(scheduler: &Scheduler) -> Result<Scheduling, Failure> {
    let policy = match scheduler.policy {
        LinuxSchedulerPolicy::Other => 0,
        LinuxSchedulerPolicy::Fifo => 1,
        LinuxSchedulerPolicy::Rr => 2,
        LinuxSchedulerPolicy::Batch => 3,
        LinuxSchedulerPolicy::Iso => return Err(bad("process.scheduler: the kernel has no SCHED_ISO")),
        LinuxSchedulerPolicy::Idle => 5,
        LinuxSchedulerPolicy::Deadline => 6,
    };
    let bit = |flag: &LinuxSchedulerFlag| match flag {
        LinuxSchedulerFlag::ResetOnFork => 1,
        LinuxSchedulerFlag::Reclaim => 2,
        LinuxSchedulerFlag::DeadlineOverrun => 4,
        LinuxSchedulerFlag::KeepPolicy => 8,
        LinuxSchedulerFlag::KeepParams => 16,
        LinuxSchedulerFlag::UtilClampMin => 32,
        LinuxSchedulerFlag::UtilClampMax => 64,
    };
    let priority = scheduler.priority.unwrap_or(0);
    Ok(Scheduling {
        policy,
        flags: scheduler.flags.iter().flatten().map(bit).fold(0, |all, bit| all | bit),
        nice: scheduler.nice.unwrap_or(0),
        priority: u32::try_from(priority)
            .map_err(|_| bad(format!("process.scheduler: {priority} is no priority")))?,
        runtime: scheduler.runtime.unwrap_or(0),
        deadline: scheduler.deadline.unwrap_or(0),
        period: scheduler.period.unwrap_or(0),
    })
}

/// Class and level (ioprio_set(2)).
pub(super) fn io_priority(wanted: &LinuxIoPriority) -> Result<(u32, u32), Failure> {
    let class = match wanted.class {
        IoPriorityClass::RealTime => 1,
        IoPriorityClass::BestEffort => 2,
        IoPriorityClass::Idle => 3,
    };
    let level = u32::try_from(wanted.priority).ok().filter(|level| *level < 8);
    let level =
        level.ok_or_else(|| bad(format!("process.ioPriority: {} is no priority", wanted.priority)))?;
    Ok((class, level))
}

/// Mode with flags, and nodes as bits (set_mempolicy(2)).
pub(super) fn memory_policy(wanted: &LinuxMemoryPolicy) -> Result<Option<(u32, u64)>, Failure> {
    let Some(mode) = wanted.mode else { return Ok(None) };
    let mode = match mode {
        MemoryPolicyMode::Default => 0,
        MemoryPolicyMode::Preferred => 1,
        MemoryPolicyMode::Bind => 2,
        MemoryPolicyMode::Interleave => 3,
        MemoryPolicyMode::Local => 4,
        MemoryPolicyMode::PreferredMany => 5,
        MemoryPolicyMode::WeightedInterleave => 6,
    };
    let bit = |flag: &MemoryPolicyFlag| match flag {
        MemoryPolicyFlag::NumaBalancing => 1 << 13,
        MemoryPolicyFlag::RelativeNodes => 1 << 14,
        MemoryPolicyFlag::StaticNodes => 1 << 15,
    };
    let flags = wanted.flags.iter().flatten().map(bit).fold(0, |all, bit| all | bit);
    let nodes =
        list(wanted.nodes.as_deref().unwrap_or_default(), u64::BITS as usize, "linux.memoryPolicy.nodes")?;
    Ok(Some((mode | flags, nodes.into_iter().fold(0, |all, node| all | 1 << node))))
}

/// Processors of a list.
pub(super) fn processors(text: Option<&str>) -> Result<Vec<usize>, Failure> {
    list(text.unwrap_or_default(), CpuSet::MAX_CPU, "process.execCPUAffinity")
}

/// The numbers of a list like `0-2,4`, each below `end`.
fn list(text: &str, end: usize, what: &str) -> Result<Vec<usize>, Failure> {
    let wrong = || bad(format!("{what}: {text:?} is no list"));
    let mut all = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.trim().parse::<usize>().ok().filter(|n| *n < end).ok_or_else(wrong);
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return Err(wrong());
        }
        all.extend(first..=last);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let read = |text| list(text, 64, "x").ok();
        assert_eq!(read("0-2, 4"), Some(vec![0, 1, 2, 4]));
        assert_eq!(read(""), Some(vec![]));
        for bad in ["a", "2-1", "64", "0-64", "-1", "1-2-3"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
