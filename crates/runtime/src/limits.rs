//! `linux.resources` as limits and device rules of control groups.

use crate::failure::{failure, reason, stage};
use sampan_spec::journal::Failure;
use sampan_spec::oci::{
    LinuxBlockIo, LinuxDeviceCgroup, LinuxDeviceType, LinuxMemory, LinuxResources, LinuxThrottleDevice,
};
use sampan_sys::cgroup::{Access, CgroupError, DeviceKind, DeviceRule, Limits, Throttle, ThrottleKind};

/// Character devices that every container may use, as (major, minor): null, zero, full, random, urandom, tty, console,
/// ptmx, and all terminals of devpts (runtime specification, config-linux.md "Default Devices").
const ALWAYS_ALLOWED: [(u32, Option<u32>); 9] = [
    (1, Some(3)),
    (1, Some(5)),
    (1, Some(7)),
    (1, Some(8)),
    (1, Some(9)),
    (5, Some(0)),
    (5, Some(1)),
    (5, Some(2)),
    (136, None),
];

/// Whether RDMA devices can be limited.
pub(crate) const RDMA: bool = true;

/// Sorts resources into limits.
///
/// # Errors
/// A failure that names what is not supported.
pub(crate) fn limits(resources: &LinuxResources) -> Result<Limits, Failure> {
    let mut limits = Limits::default();
    if let Some(network) = &resources.network {
        limits.net_class = network.class_id;
        let priorities = network.priorities.iter().flatten();
        limits.net_priorities = priorities.map(|one| (one.name.clone(), one.priority)).collect();
    }
    for (device, limit) in resources.rdma.iter().flatten() {
        limits.rdma.push((device.clone(), limit.hca_handles, limit.hca_objects));
    }
    if let Some(memory) = &resources.memory {
        take_memory(&mut limits, memory)?;
    }
    if let Some(cpu) = &resources.cpu {
        limits.cpu_shares = cpu.shares;
        limits.cpu_quota = cpu.quota;
        limits.cpu_period = cpu.period;
        limits.cpu_burst = cpu.burst;
        limits.cpu_idle = cpu.idle;
        limits.realtime_runtime = cpu.realtime_runtime;
        limits.realtime_period = cpu.realtime_period;
        limits.cpus = cpu.cpus.clone();
        limits.mems = cpu.mems.clone();
    }
    limits.pids = resources.pids.as_ref().and_then(|p| p.limit);
    if let Some(io) = &resources.block_io {
        take_io(&mut limits, io)?;
    }
    for huge in resources.hugepage_limits.iter().flatten() {
        limits.huge_pages.push((huge.page_size.clone(), huge.limit));
    }
    for (name, value) in resources.unified.iter().flatten() {
        limits.unified.push((name.clone(), value.clone()));
    }
    Ok(limits)
}

fn take_memory(limits: &mut Limits, memory: &LinuxMemory) -> Result<(), Failure> {
    if memory.kernel.is_some_and(|b| b > 0) || memory.kernel_tcp.is_some_and(|b| b > 0) {
        return Err(unsupported("linux.resources.memory.kernel"));
    }
    limits.memory = memory.limit;
    limits.memory_swap = memory.swap;
    limits.memory_reservation = memory.reservation;
    limits.swappiness = memory.swappiness;
    limits.no_oom_kill = memory.disable_oom_killer.unwrap_or(false);
    Ok(())
}

fn take_io(limits: &mut Limits, io: &LinuxBlockIo) -> Result<(), Failure> {
    if io.leaf_weight.is_some_and(|w| w != 0) || io.weight_device.iter().flatten().next().is_some() {
        return Err(unsupported("linux.resources.blockIO.leafWeight and weightDevice"));
    }
    limits.io_weight = io.weight;
    let lists = [
        (ThrottleKind::ReadBytes, &io.throttle_read_bps_device),
        (ThrottleKind::WriteBytes, &io.throttle_write_bps_device),
        (ThrottleKind::ReadOperations, &io.throttle_read_iops_device),
        (ThrottleKind::WriteOperations, &io.throttle_write_iops_device),
    ];
    for (kind, list) in lists {
        for device in list.iter().flatten() {
            limits.throttles.push(throttle(kind, device)?);
        }
    }
    Ok(())
}

fn throttle(kind: ThrottleKind, device: &LinuxThrottleDevice) -> Result<Throttle, Failure> {
    let number =
        |n: i64| u32::try_from(n).map_err(|_| failure(stage::CONFIG, format!("{n} is no device number")));
    Ok(Throttle { kind, major: number(device.major)?, minor: number(device.minor)?, rate: device.rate })
}

/// The device rules, with those that every container has behind them. None if the configuration has none.
///
/// # Errors
/// A failure that names the rule.
pub(crate) fn device_rules(resources: &LinuxResources) -> Result<Vec<DeviceRule>, Failure> {
    let given = resources.devices.as_deref().unwrap_or_default();
    let mut rules: Vec<DeviceRule> = given.iter().map(device_rule).collect::<Result<_, _>>()?;
    // What stands before a rule for everything counts for nothing.
    if let Some(last) = rules.iter().rposition(|r| r.kind.is_none() && r.access == Access::all()) {
        rules.drain(..last);
    }
    if rules.iter().any(|r| !r.allow) {
        let mknod = [DeviceKind::Char, DeviceKind::Block].map(|kind| DeviceRule {
            allow: true,
            kind: Some(kind),
            major: None,
            minor: None,
            access: Access::MKNOD,
        });
        rules.extend(mknod);
        rules.extend(ALWAYS_ALLOWED.map(|(major, minor)| DeviceRule {
            allow: true,
            kind: Some(DeviceKind::Char),
            major: Some(major),
            minor,
            access: Access::all(),
        }));
    }
    Ok(rules)
}

fn device_rule(rule: &LinuxDeviceCgroup) -> Result<DeviceRule, Failure> {
    let bad = |what: String| failure(stage::CONFIG, format!("linux.resources.devices: {what}"));
    let kind = match rule.typ.unwrap_or(LinuxDeviceType::A) {
        LinuxDeviceType::A => None,
        LinuxDeviceType::B => Some(DeviceKind::Block),
        LinuxDeviceType::C | LinuxDeviceType::U => Some(DeviceKind::Char),
        LinuxDeviceType::P => return Err(bad("a FIFO is no device".into())),
    };
    let number = |n: Option<i64>| match n {
        None | Some(-1) => Ok(None),
        Some(n) => u32::try_from(n).map(Some).map_err(|_| bad(format!("{n} is no device number"))),
    };
    let mut access = Access::empty();
    for letter in rule.access.as_deref().unwrap_or("rwm").chars() {
        access |= match letter {
            'r' => Access::READ,
            'w' => Access::WRITE,
            'm' => Access::MKNOD,
            other => return Err(bad(format!("{other:?} is no kind of access"))),
        };
    }
    let (major, minor) = (number(rule.major)?, number(rule.minor)?);
    if kind.is_none() && (major.is_some() || minor.is_some() || access != Access::all()) {
        return Err(bad("a rule for all kinds of devices must be for all of them".into()));
    }
    Ok(DeviceRule { allow: rule.allow, kind, major, minor, access })
}

fn unsupported(what: &str) -> Failure {
    failure(stage::CONFIG, format!("{what} is not supported"))
}

/// A control group's error as a failure.
pub(crate) fn cgroup_failure(error: &CgroupError) -> Failure {
    let source = std::error::Error::source(error).and_then(|s| s.downcast_ref::<std::io::Error>());
    let cause = source.map(|s| format!(": {}", reason(s))).unwrap_or_default();
    Failure { stage: stage::CGROUP.into(), errno: error.errno(), message: format!("{error}{cause}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(json: &str) -> Result<Vec<DeviceRule>, Failure> {
        device_rules(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn only_what_follows_the_last_rule_for_everything_counts() {
        let got = rules(
            r#"{"devices":[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":9,"access":"r"},
                {"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":10,"minor":229,"access":"rw"}]}"#,
        )
        .unwrap();
        assert_eq!((got[0].allow, got[0].kind), (false, None));
        assert_eq!((got[1].major, got[1].access), (Some(10), Access::READ | Access::WRITE));
        assert_eq!(got.len(), 2 + 2 + ALWAYS_ALLOWED.len());
        assert!(rules("{}").unwrap().is_empty());
        assert_eq!(rules(r#"{"devices":[{"allow":true,"access":"rwm"}]}"#).unwrap().len(), 1);
    }

    #[test]
    fn rules_that_are_none_are_refused() {
        for bad in [
            r#"{"devices":[{"allow":true,"type":"p"}]}"#,
            r#"{"devices":[{"allow":true,"type":"c","access":"x"}]}"#,
            r#"{"devices":[{"allow":true,"major":5}]}"#,
            r#"{"devices":[{"allow":true,"type":"c","major":-2}]}"#,
        ] {
            assert_eq!(rules(bad).unwrap_err().stage, "config", "{bad}");
        }
    }

    #[test]
    fn what_cannot_be_limited_is_refused() {
        for bad in [r#"{"memory":{"kernel":1048576}}"#, r#"{"blockIO":{"leafWeight":100}}"#] {
            assert!(limits(&serde_json::from_str(bad).unwrap()).is_err(), "{bad}");
        }
        let taken =
            limits(&serde_json::from_str(r#"{"memory":{"limit":5},"pids":{"limit":7}}"#).unwrap()).unwrap();
        assert_eq!((taken.memory, taken.pids), (Some(5), Some(7)));
    }
}
