//! What every container has mounted besides its root.

use super::{Context, volumes};
use sampan_spec::oci::{Mount, MountBuilder, Spec};

pub(super) fn file_systems(spec: &mut Spec, context: &Context<'_>) {
    let system: [(&str, &str, &str, &[&str]); 7] = [
        ("/proc", "proc", "proc", &["nosuid", "noexec", "nodev"]),
        ("/dev", "tmpfs", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        (
            "/dev/pts",
            "devpts",
            "devpts",
            &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        ),
        ("/dev/shm", "tmpfs", "shm", &["nosuid", "noexec", "nodev", "mode=1777", "size=67108864"]),
        ("/dev/mqueue", "mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
        ("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
        ("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", "ro"]),
    ];
    let system = system.iter().filter_map(|(to, kind, from, options)| mount(to, kind, from, options));
    spec.set_mounts(Some(volumes::add_to(system.collect(), context)));
}

pub(super) fn mount(to: &str, kind: &str, from: &str, options: &[&str]) -> Option<Mount> {
    let options: Vec<String> = options.iter().map(ToString::to_string).collect();
    MountBuilder::default().destination(to).typ(kind).source(from).options(options).build().ok()
}
