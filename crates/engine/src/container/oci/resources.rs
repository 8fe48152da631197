//! The control group and its limits.

use super::{Context, devices};
use crate::container::Resources;
use sampan_spec::oci::{
    LinuxCpuBuilder, LinuxMemoryBuilder, LinuxPidsBuilder, LinuxResources, LinuxResourcesBuilder, Spec,
};

/// The length of one CPU accounting period in microseconds.
const PERIOD: u64 = 100_000;

pub(super) fn cgroup(spec: &mut Spec, context: &Context<'_>) {
    let Some(linux) = spec.linux_mut() else { return };
    linux.set_cgroups_path(Some(context.host.cgroup_of(&context.container.id).into()));
    let limits = &context.container.config.host.resources;
    linux.set_resources(Some(resources(limits, context.host.limits_swap)));
}

fn resources(limits: &Resources, limits_swap: bool) -> LinuxResources {
    let mut resources =
        LinuxResourcesBuilder::default().devices(devices::rules()).build().unwrap_or_default();
    if limits.memory.is_some() || limits.memory_swap.is_some() {
        let mut memory = LinuxMemoryBuilder::default().build().unwrap_or_default();
        memory
            .set_limit(limits.memory.map(|bytes| bytes as i64))
            .set_swap(swap(limits).filter(|_| limits_swap));
        resources.set_memory(Some(memory));
    }
    if let Some(nano_cpus) = limits.nano_cpus {
        let quota = (nano_cpus as u128 * u128::from(PERIOD) / 1_000_000_000) as i64;
        resources.set_cpu(LinuxCpuBuilder::default().quota(quota).period(PERIOD).build().ok());
    }
    if let Some(pids) = limits.pids {
        resources.set_pids(LinuxPidsBuilder::default().limit(pids as i64).build().ok());
    }
    resources
}

/// As Docker does it: twice the memory unless the user says something else.
pub(super) fn swap(limits: &Resources) -> Option<i64> {
    limits.memory_swap.or(limits.memory.map(|bytes| bytes.saturating_mul(2) as i64))
}
