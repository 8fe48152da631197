//! What every container has mounted besides its root.

use super::{Context, has_init, process::INIT, volumes};
use crate::container::{IpcMode, security};
use sampan_spec::bundle::COPY;
use sampan_spec::oci::{Mount, Spec};

/// What `/dev/shm` may hold in bytes unless the user says something else.
const SHM_SIZE: u64 = 64 << 20;

pub(super) fn file_systems(spec: &mut Spec, context: &Context<'_>) {
    let mut mounts = system(context);
    if has_init(context.container) {
        mounts.push(mount(INIT, "bind", &context.init.to_string_lossy(), &["bind", "ro", COPY]));
    }
    spec.mounts = Some(volumes::add_to(mounts, context));
}

/// The kernel's own file systems, and `/dev`.
fn system(context: &Context<'_>) -> Vec<Mount> {
    let host = &context.container.config.host;
    let quiet = &["nosuid", "noexec", "nodev"];
    let or_read_only = |writable| if writable { "rw" } else { "ro" };
    let sys = or_read_only(host.privileged);
    let cgroup = or_read_only(host.privileged || security::of(host).writable_cgroups);
    let terminals = &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"];
    [
        Some(mount("/proc", "proc", "proc", quiet)),
        Some(mount("/dev", "tmpfs", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"])),
        Some(mount("/dev/pts", "devpts", "devpts", terminals)),
        shared_memory(context),
        Some(mount("/dev/mqueue", "mqueue", "mqueue", quiet)),
        Some(mount("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", sys])),
        Some(mount("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", cgroup])),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The container's own, or where its shared memory is.
fn shared_memory(context: &Context<'_>) -> Option<Mount> {
    let host = &context.container.config.host;
    let shared = |source: &str| Some(mount("/dev/shm", "bind", source, &["rbind", "rprivate"]));
    match host.ipc {
        IpcMode::Private | IpcMode::Shareable => {
            let size = format!("size={}", host.shm_size.unwrap_or(SHM_SIZE));
            Some(mount("/dev/shm", "tmpfs", "shm", &["nosuid", "noexec", "nodev", "mode=1777", &size]))
        }
        IpcMode::None => None,
        IpcMode::Host => shared("/dev/shm"),
        IpcMode::Container(_) => shared(&format!("/proc/{}/root/dev/shm", context.found.peers.ipc?)),
    }
}

pub(super) fn mount(to: &str, kind: &str, from: &str, options: &[&str]) -> Mount {
    Mount {
        destination: to.into(),
        typ: Some(kind.into()),
        source: Some(from.into()),
        options: Some(options.iter().map(ToString::to_string).collect()),
        ..Mount::default()
    }
}
