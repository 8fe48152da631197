//! What is mounted besides the root.

use super::Context;
use crate::container::Bind;
use sampan_spec::oci::{Mount, MountBuilder, Spec};
use std::path::Path;

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
    let mut mounts: Vec<Mount> =
        system.iter().filter_map(|(to, kind, from, options)| mount(to, kind, from, options)).collect();
    for name in ["resolv.conf", "hostname", "hosts"] {
        let source = context.bundle.join(name);
        mounts.extend(mount(
            &format!("/etc/{name}"),
            "bind",
            &source.to_string_lossy(),
            &["rbind", "rprivate"],
        ));
    }
    let mut binds: Vec<&Bind> = context.container.config.host.binds.iter().collect();
    binds.sort_by_key(|bind| Path::new(&bind.destination).components().count());
    mounts.extend(binds.into_iter().filter_map(bind));
    spec.set_mounts(Some(mounts));
}

fn mount(to: &str, kind: &str, from: &str, options: &[&str]) -> Option<Mount> {
    let options: Vec<String> = options.iter().map(ToString::to_string).collect();
    MountBuilder::default().destination(to).typ(kind).source(from).options(options).build().ok()
}

/// A folder of the host with its mounts; what is mounted later on either side stays there, unless the user says otherwise.
fn bind(bind: &Bind) -> Option<Mount> {
    let has = |names: &[&str]| bind.options.iter().any(|o| names.contains(&o.as_str()));
    let mut options: Vec<&str> =
        bind.options.iter().map(String::as_str).filter(|o| !matches!(*o, "z" | "Z")).collect();
    if !has(&["bind", "rbind"]) {
        options.push("rbind");
    }
    if !has(&["shared", "rshared", "slave", "rslave", "private", "rprivate"]) {
        options.push("rprivate");
    }
    mount(&bind.destination, "bind", &bind.source, &options)
}
