//! Limits: what is wrong is refused, what this host cannot do is dropped with a warning. The texts are Docker's.

use crate::container::Resources;
use crate::host::Limits;
use crate::{Error, Result};
use std::collections::BTreeSet;

/// The least memory that a container can be limited to, in bytes, as with Docker.
const MEMORY_MIN: u64 = 6 << 20;
/// The bounds of a weight of disk access.
const WEIGHTS: std::ops::RangeInclusive<u16> = 10..=1000;

/// Checks the limits; gives warnings for those that were dropped.
pub(super) fn check(resources: &mut Resources, host: &Limits) -> Result<Vec<String>> {
    let mut warnings = Vec::new();
    memory(resources, host, &mut warnings)?;
    cpu(resources, host)?;
    disks(resources, host, &mut warnings)?;
    Ok(warnings)
}

fn invalid<T>(text: impl Into<String>) -> Result<T> {
    Err(Error::InvalidParameter(text.into()))
}

fn memory(resources: &mut Resources, host: &Limits, warnings: &mut Vec<String>) -> Result<()> {
    if resources.memory.is_some_and(|bytes| bytes < MEMORY_MIN) {
        return invalid("Minimum memory limit allowed is 6MB");
    }
    if resources.memory.is_some() && resources.memory_swap != Some(-1) && !host.swap {
        resources.memory_swap = Some(-1);
        warnings.push("Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.".into());
    }
    let both = resources.memory_swap.zip(resources.memory);
    if both.is_some_and(|(swap, memory)| swap >= 0 && swap.cast_unsigned() < memory) {
        return invalid("Minimum memoryswap limit should be larger than memory limit, see usage");
    }
    if resources.memory_swappiness.is_some() && !host.swappiness {
        resources.memory_swappiness = None;
        warnings.push("Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.".into());
    }
    if resources.memory_reservation.is_some_and(|bytes| bytes < MEMORY_MIN) {
        return invalid("Minimum memory reservation allowed is 6MB");
    }
    if resources.memory.zip(resources.memory_reservation).is_some_and(|(memory, wanted)| memory < wanted) {
        return invalid("Minimum memory limit can not be less than memory reservation limit, see usage");
    }
    if resources.oom_kill_disable && !host.oom_kill {
        resources.oom_kill_disable = false;
        warnings.push("Your kernel does not support OomKillDisable. OomKillDisable discarded.".into());
    }
    if resources.oom_kill_disable && resources.memory.is_none() {
        warnings.push("OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.".into());
    }
    Ok(())
}

fn cpu(resources: &Resources, host: &Limits) -> Result<()> {
    if resources.nano_cpus.is_some() && resources.cpu_period.is_some() {
        return invalid("Conflicting options: Nano CPUs and CPU Period cannot both be set");
    }
    if resources.nano_cpus.is_some() && resources.cpu_quota.is_some_and(|quota| quota > 0) {
        return invalid("Conflicting options: Nano CPUs and CPU Quota cannot both be set");
    }
    if resources.cpu_period.is_some_and(|period| !(1000..=1_000_000).contains(&period)) {
        return invalid(
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
        );
    }
    if resources.cpu_quota.is_some_and(|quota| (1..1000).contains(&quota)) {
        return invalid("CPU cfs quota can not be less than 1ms (i.e. 1000)");
    }
    let realtime = resources.cpu_realtime_runtime.is_some() || resources.cpu_realtime_period.is_some();
    if realtime && !host.realtime {
        return invalid("kernel does not support CPU real-time scheduler");
    }
    available("CPUs", "cpus", &resources.cpuset_cpus, host.cpus.as_deref())?;
    available("memory nodes", "mems", &resources.cpuset_mems, host.mems.as_deref())
}

/// Whether the host has all of a list like `0-2,4`.
fn available(what: &str, field: &str, wanted: &str, there: Option<&str>) -> Result<()> {
    let list = |text: &str| {
        set(text).map_err(|part| {
            Error::InvalidParameter(format!(
                "Invalid value {wanted} for cpuset {field}: invalid format: {part}"
            ))
        })
    };
    let (set, Some(there)) = (list(wanted)?, there) else { return Ok(()) };
    if set.is_subset(&list(there)?) {
        return Ok(());
    }
    invalid(format!("Requested {what} are not available - requested {wanted}, available: {there}"))
}

/// The numbers of a list, or the part that is none.
fn set(list: &str) -> std::result::Result<BTreeSet<u16>, String> {
    let mut all = BTreeSet::new();
    for part in list.split(',').filter(|_| !list.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        match (first.parse::<u16>(), last.parse::<u16>()) {
            (Ok(first), Ok(last)) if first <= last => all.extend(first..=last),
            _ => return Err(part.to_owned()),
        }
    }
    Ok(all)
}

fn disks(resources: &mut Resources, host: &Limits, warnings: &mut Vec<String>) -> Result<()> {
    if resources.blkio_weight.is_some() && !host.blkio_weight {
        resources.blkio_weight = None;
        warnings.push(
            "Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded."
                .into(),
        );
    }
    if resources.blkio_weight.is_some_and(|weight| !WEIGHTS.contains(&weight)) {
        return invalid("Range of blkio weight is from 10 to 1000");
    }
    if !resources.blkio_weights.is_empty() && !host.blkio_weight_device {
        resources.blkio_weights.clear();
        warnings.push("Your kernel does not support Block I/O weight_device or the cgroup is not mounted. Weight-device discarded.".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> Limits {
        Limits {
            swap: true,
            oom_kill: true,
            swappiness: true,
            cpus: Some("0-1".into()),
            mems: Some("0".into()),
            ..Limits::default()
        }
    }

    fn refused(resources: Resources) -> String {
        check(&mut resources.clone(), &host()).unwrap_err().to_string()
    }

    #[test]
    fn lists_of_processors() {
        let cpus = |list: &str| Resources { cpuset_cpus: list.into(), ..Resources::default() };
        assert_eq!(check(&mut cpus("0-1,1"), &host()).unwrap(), Vec::<String>::new());
        assert_eq!(refused(cpus("77")), "Requested CPUs are not available - requested 77, available: 0-1");
        assert_eq!(refused(cpus("0,xx")), "Invalid value 0,xx for cpuset cpus: invalid format: xx");
        let mems = Resources { cpuset_mems: "9".into(), ..Resources::default() };
        assert_eq!(refused(mems), "Requested memory nodes are not available - requested 9, available: 0");
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let none = Resources::default;
        for (resources, text) in [
            (Resources { memory: Some(5), ..none() }, "Minimum memory limit allowed is 6MB"),
            (
                Resources { memory_reservation: Some(5), ..none() },
                "Minimum memory reservation allowed is 6MB",
            ),
            (
                Resources { memory: Some(32 << 20), memory_reservation: Some(64 << 20), ..none() },
                "Minimum memory limit can not be less than memory reservation limit, see usage",
            ),
            (
                Resources { nano_cpus: Some(1), cpu_period: Some(100_000), ..none() },
                "Conflicting options: Nano CPUs and CPU Period cannot both be set",
            ),
            (
                Resources { cpu_quota: Some(10), ..none() },
                "CPU cfs quota can not be less than 1ms (i.e. 1000)",
            ),
        ] {
            assert_eq!(refused(resources), text);
        }
    }

    #[test]
    fn what_the_host_cannot_do_is_dropped_with_a_warning() {
        let mut resources = Resources {
            memory: Some(64 << 20),
            memory_swappiness: Some(5),
            oom_kill_disable: true,
            blkio_weight: Some(500),
            ..Resources::default()
        };
        let warnings = check(&mut resources, &Limits::default()).unwrap();
        assert_eq!(warnings.len(), 4, "{warnings:?}");
        let left = Resources { memory: Some(64 << 20), memory_swap: Some(-1), ..Resources::default() };
        assert_eq!(resources, left);
    }
}
