//! The control group and its limits.

use super::{Context, devices};
use crate::container::{Resources, ThrottleKind};
use sampan_spec::oci::{
    LinuxBlockIo, LinuxBlockIoBuilder, LinuxCpu, LinuxCpuBuilder, LinuxMemory, LinuxMemoryBuilder,
    LinuxPidsBuilder, LinuxResources, LinuxResourcesBuilder, LinuxThrottleDevice, LinuxThrottleDeviceBuilder,
    LinuxWeightDevice, LinuxWeightDeviceBuilder, Spec,
};

/// The length of one CPU accounting period in microseconds.
const PERIOD: u64 = 100_000;

pub(super) fn cgroup(spec: &mut Spec, context: &Context<'_>) {
    let limits = &context.container.config.host.resources;
    let mut resources =
        LinuxResourcesBuilder::default().devices(devices::rules(context)).build().unwrap_or_default();
    resources.set_memory(memory(limits, context.host.limits.swap)).set_cpu(cpu(limits));
    if let Some(pids) = limits.pids {
        resources.set_pids(LinuxPidsBuilder::default().limit(pids as i64).build().ok());
    }
    resources.set_block_io(disks(context));
    let path = context.host.cgroup_of(context.container);
    if let Some(linux) = spec.linux_mut() {
        linux.set_cgroups_path(Some(path.into())).set_resources(Some(resources));
    }
}

/// Limits for a container that runs. Those that were there `before` and are not any more are taken away.
pub(crate) fn limits(now: &Resources, before: &Resources, host: &crate::host::Host) -> LinuxResources {
    let gone = |before: bool, now: bool| before && !now;
    let mut resources = LinuxResourcesBuilder::default().build().unwrap_or_default();
    resources.set_devices(None);
    let mut bytes = memory(now, host.limits.swap).unwrap_or_default();
    bytes.set_swappiness(None).set_disable_oom_killer(None);
    if gone(before.memory.is_some(), now.memory.is_some()) {
        bytes.set_limit(Some(-1)).set_swap(host.limits.swap.then_some(-1));
    }
    if gone(before.memory_reservation.is_some(), now.memory_reservation.is_some()) {
        bytes.set_reservation(Some(-1));
    }
    let mut time = cpu(now).unwrap_or_default();
    let has_quota = |limits: &Resources| limits.nano_cpus.is_some() || limits.cpu_quota.is_some();
    if gone(has_quota(before), has_quota(now)) {
        time.set_quota(Some(-1));
    }
    if gone(before.cpu_shares.is_some(), now.cpu_shares.is_some()) {
        time.set_shares(Some(SHARES));
    }
    let pids = now.pids.map(|pids| pids as i64).or(before.pids.map(|_| -1));
    let disks =
        now.blkio_weight.and_then(|weight| LinuxBlockIoBuilder::default().weight(weight).build().ok());
    resources
        .set_memory(Some(bytes))
        .set_cpu(Some(time))
        .set_pids(pids.and_then(|pids| LinuxPidsBuilder::default().limit(pids).build().ok()))
        .set_block_io(disks);
    resources
}

/// The weight of a container that was given none.
const SHARES: u64 = 1024;

fn memory(limits: &Resources, limits_swap: bool) -> Option<LinuxMemory> {
    let bytes = |bytes: Option<u64>| bytes.map(|bytes| bytes as i64);
    let mut memory = LinuxMemoryBuilder::default().build().unwrap_or_default();
    memory
        .set_limit(bytes(limits.memory))
        .set_swap(swap(limits).filter(|_| limits_swap))
        .set_reservation(bytes(limits.memory_reservation))
        .set_swappiness(limits.memory_swappiness)
        .set_disable_oom_killer(limits.oom_kill_disable.then_some(true));
    let none = LinuxMemoryBuilder::default().build().unwrap_or_default();
    (memory != none).then_some(memory)
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
    let mut cpu = LinuxCpuBuilder::default().build().unwrap_or_default();
    cpu.set_quota(quota)
        .set_period(period)
        .set_shares(limits.cpu_shares)
        .set_realtime_period(limits.cpu_realtime_period)
        .set_realtime_runtime(limits.cpu_realtime_runtime)
        .set_cpus(list(&limits.cpuset_cpus))
        .set_mems(list(&limits.cpuset_mems));
    let none = LinuxCpuBuilder::default().build().unwrap_or_default();
    (cpu != none).then_some(cpu)
}

fn disks(context: &Context<'_>) -> Option<LinuxBlockIo> {
    let found = &context.found.devices;
    let of = |kind| {
        let all = found.throttles.iter().filter(|(of, ..)| *of == kind);
        let limits: Vec<LinuxThrottleDevice> = all
            .filter_map(|(_, (major, minor), rate)| {
                let limit = LinuxThrottleDeviceBuilder::default().rate(*rate);
                limit.major(i64::from(*major)).minor(i64::from(*minor)).build().ok()
            })
            .collect();
        (!limits.is_empty()).then_some(limits)
    };
    let weights: Vec<LinuxWeightDevice> = found
        .weights
        .iter()
        .filter_map(|((major, minor), weight)| {
            let device = LinuxWeightDeviceBuilder::default().weight(*weight);
            device.major(i64::from(*major)).minor(i64::from(*minor)).build().ok()
        })
        .collect();
    let none = LinuxBlockIoBuilder::default().build().unwrap_or_default();
    let mut io = none.clone();
    io.set_weight(context.container.config.host.resources.blkio_weight)
        .set_weight_device((!weights.is_empty()).then_some(weights))
        .set_throttle_read_bps_device(of(ThrottleKind::ReadBytes))
        .set_throttle_write_bps_device(of(ThrottleKind::WriteBytes))
        .set_throttle_read_iops_device(of(ThrottleKind::ReadOperations))
        .set_throttle_write_iops_device(of(ThrottleKind::WriteOperations));
    (io != none).then_some(io)
}
