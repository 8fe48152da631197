//! The control group and its limits.

use super::{Context, devices};
use crate::container::{Resources, ThrottleKind};
use sampan_spec::oci::{
    LinuxBlockIo, LinuxCpu, LinuxMemory, LinuxPids, LinuxResources, LinuxThrottleDevice, LinuxWeightDevice,
    Spec,
};

/// The length of one CPU accounting period in microseconds.
const PERIOD: u64 = 100_000;

pub(super) fn cgroup(spec: &mut Spec, context: &Context<'_>) {
    let limits = &context.container.config.host.resources;
    let resources = LinuxResources {
        devices: Some(devices::rules(context)),
        memory: memory(limits, context.host.limits.swap),
        cpu: cpu(limits),
        pids: limits.pids.map(|pids| LinuxPids { limit: Some(pids as i64) }),
        block_io: disks(context),
        ..LinuxResources::default()
    };
    let path = context.host.cgroup_of(context.container);
    if let Some(linux) = &mut spec.linux {
        linux.cgroups_path = Some(path.into());
        linux.resources = Some(resources);
    }
}

/// Limits for a container that runs. Those that were there `before` and are not any more are taken away.
pub(crate) fn limits(now: &Resources, before: &Resources, host: &crate::host::Host) -> LinuxResources {
    let gone = |before: bool, now: bool| before && !now;
    let bytes = memory(now, host.limits.swap).unwrap_or_default();
    let mut bytes = LinuxMemory { swappiness: None, disable_oom_killer: None, ..bytes };
    if gone(before.memory.is_some(), now.memory.is_some()) {
        bytes.limit = Some(-1);
        bytes.swap = host.limits.swap.then_some(-1);
    }
    if gone(before.memory_reservation.is_some(), now.memory_reservation.is_some()) {
        bytes.reservation = Some(-1);
    }
    let mut time = cpu(now).unwrap_or_default();
    let has_quota = |limits: &Resources| limits.nano_cpus.is_some() || limits.cpu_quota.is_some();
    if gone(has_quota(before), has_quota(now)) {
        time.quota = Some(-1);
    }
    if gone(before.cpu_shares.is_some(), now.cpu_shares.is_some()) {
        time.shares = Some(SHARES);
    }
    let pids = now.pids.map(|pids| pids as i64).or(before.pids.map(|_| -1));
    let disks =
        now.blkio_weight.map(|weight| LinuxBlockIo { weight: Some(weight), ..LinuxBlockIo::default() });
    LinuxResources {
        memory: Some(bytes),
        cpu: Some(time),
        pids: pids.map(|pids| LinuxPids { limit: Some(pids) }),
        block_io: disks,
        ..LinuxResources::default()
    }
}

/// The weight of a container that was given none.
const SHARES: u64 = 1024;

fn memory(limits: &Resources, limits_swap: bool) -> Option<LinuxMemory> {
    let bytes = |bytes: Option<u64>| bytes.map(|bytes| bytes as i64);
    let memory = LinuxMemory {
        limit: bytes(limits.memory),
        swap: swap(limits).filter(|_| limits_swap),
        reservation: bytes(limits.memory_reservation),
        swappiness: limits.memory_swappiness,
        disable_oom_killer: limits.oom_kill_disable.then_some(true),
        ..LinuxMemory::default()
    };
    (memory != LinuxMemory::default()).then_some(memory)
}

/// As Docker does it: twice the memory unless the user says something else.
pub(super) fn swap(limits: &Resources) -> Option<i64> {
    limits.memory_swap.or(limits.memory.map(|bytes| bytes.saturating_mul(2) as i64))
}

fn cpu(limits: &Resources) -> Option<LinuxCpu> {
    let (quota, period) = match limits.nano_cpus {
        Some(nano) => (Some((u128::from(nano) * u128::from(PERIOD) / 1_000_000_000) as i64), Some(PERIOD)),
        None => (limits.cpu_quota, limits.cpu_period),
    };
    let list = |list: &str| (!list.is_empty()).then(|| list.to_owned());
    let cpu = LinuxCpu {
        quota,
        period,
        shares: limits.cpu_shares,
        realtime_period: limits.cpu_realtime_period,
        realtime_runtime: limits.cpu_realtime_runtime,
        cpus: list(&limits.cpuset_cpus),
        mems: list(&limits.cpuset_mems),
        ..LinuxCpu::default()
    };
    (cpu != LinuxCpu::default()).then_some(cpu)
}

fn disks(context: &Context<'_>) -> Option<LinuxBlockIo> {
    let found = &context.found.devices;
    let of = |kind| {
        let all = found.throttles.iter().filter(|(of, ..)| *of == kind);
        let limits: Vec<LinuxThrottleDevice> = all
            .map(|(_, (major, minor), rate)| LinuxThrottleDevice {
                major: i64::from(*major),
                minor: i64::from(*minor),
                rate: *rate,
            })
            .collect();
        (!limits.is_empty()).then_some(limits)
    };
    let weight = |((major, minor), weight): &((u32, u32), u16)| LinuxWeightDevice {
        major: i64::from(*major),
        minor: i64::from(*minor),
        weight: Some(*weight),
        leaf_weight: None,
    };
    let weights: Vec<LinuxWeightDevice> = found.weights.iter().map(weight).collect();
    let io = LinuxBlockIo {
        weight: context.container.config.host.resources.blkio_weight,
        weight_device: (!weights.is_empty()).then_some(weights),
        throttle_read_bps_device: of(ThrottleKind::ReadBytes),
        throttle_write_bps_device: of(ThrottleKind::WriteBytes),
        throttle_read_iops_device: of(ThrottleKind::ReadOperations),
        throttle_write_iops_device: of(ThrottleKind::WriteOperations),
        ..LinuxBlockIo::default()
    };
    (io != LinuxBlockIo::default()).then_some(io)
}
