//! The system call filter, and the paths that are hidden or cannot be written to.

use super::{Context, capabilities};
use crate::container::seccomp;
use sampan_spec::oci::Spec;

/// Paths that a container sees empty.
pub const MASKED_PATHS: [&str; 12] = [
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];
/// Paths that a container cannot write to.
pub const READ_ONLY_PATHS: [&str; 5] =
    ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

pub(super) fn filter(spec: &mut Spec, context: &Context<'_>) {
    let profile = seccomp::default_profile(&capabilities(context.container), &context.host.seccomp);
    if let Some(linux) = spec.linux_mut() {
        linux.set_seccomp(profile);
    }
}

pub(super) fn paths(spec: &mut Spec, _: &Context<'_>) {
    if let Some(linux) = spec.linux_mut() {
        linux.set_masked_paths(Some(MASKED_PATHS.map(Into::into).into()));
        linux.set_readonly_paths(Some(READ_ONLY_PATHS.map(Into::into).into()));
    }
}
