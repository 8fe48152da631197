//! The system call filter, and the paths that are hidden or cannot be written to.

use super::{Context, capabilities};
use crate::container::HostConfig;
use crate::container::seccomp::{self, Profile};
use crate::container::security::{self, Seccomp};
use sampan_spec::oci::Spec;

/// Paths that a container sees empty.
const MASKED_PATHS: [&str; 12] = [
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
const READ_ONLY_PATHS: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

pub(super) fn filter(spec: &mut Spec, context: &Context<'_>) {
    let (held, host) = (capabilities(context.container), &context.host.seccomp);
    let privileged = context.container.config.host.privileged;
    let profile = match security::of(&context.container.config.host).seccomp {
        Seccomp::Unconfined => None,
        Seccomp::Default if privileged => None,
        Seccomp::Default => seccomp::default_profile(&held, host),
        Seccomp::Profile(json) => Profile::parse(&json).ok().map(|profile| profile.to_oci(&held, host)),
    };
    if let Some(linux) = &mut spec.linux {
        linux.seccomp = profile;
    }
}

pub(super) fn paths(spec: &mut Spec, context: &Context<'_>) {
    let host = &context.container.config.host;
    if let Some(linux) = &mut spec.linux {
        linux.masked_paths = masked_paths(host);
        linux.readonly_paths = readonly_paths(host);
    }
}

/// The paths that a container sees empty. None of them for one that is privileged.
pub fn masked_paths(host: &HostConfig) -> Option<Vec<String>> {
    let default = || (!host.privileged).then(|| MASKED_PATHS.map(Into::into).into());
    host.masked_paths.clone().or_else(default)
}

/// The paths that a container cannot write to. None of them for one that is privileged.
pub fn readonly_paths(host: &HostConfig) -> Option<Vec<String>> {
    let default = || (!host.privileged).then(|| READ_ONLY_PATHS.map(Into::into).into());
    host.readonly_paths.clone().or_else(default)
}
