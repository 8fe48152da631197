//! The OCI runtime configuration of a container: a pure function of its record and the host, as a list of edits.

use super::driver::Driver;
use super::user::User;
use super::{Bind, Container, NetworkMode, Resources, capability, seccomp};
use crate::host::Host;
use sampan_spec::oci::{
    Capability, Hooks, LinuxBuilder, LinuxCapabilitiesBuilder, LinuxCpuBuilder, LinuxDeviceCgroup,
    LinuxDeviceCgroupBuilder, LinuxDeviceType, LinuxMemoryBuilder, LinuxNamespace, LinuxNamespaceBuilder,
    LinuxNamespaceType, LinuxPidsBuilder, LinuxResources, LinuxResourcesBuilder, Mount, MountBuilder,
    Process, ProcessBuilder, RootBuilder, Spec, SpecBuilder, UserBuilder,
};
use std::collections::{HashMap, HashSet};
use std::path::Path;

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The length of one CPU accounting period in microseconds.
const PERIOD: u64 = 100_000;
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

/// What the edits look at.
pub(crate) struct Context<'a> {
    pub(crate) container: &'a Container,
    pub(crate) host: &'a Host,
    /// Where `hosts`, `hostname` and `resolv.conf` are.
    pub(crate) bundle: &'a Path,
    /// Who the process is.
    pub(crate) user: &'a User,
}

/// One edit.
type Edit = fn(&mut Spec, &Context<'_>);

/// In this order: a later one may look at what an earlier one did.
const EDITS: [Edit; 8] = [root, process, namespaces, cgroup, devices, filter, file_systems, paths];

/// The configuration of a driver's container, whose process is this user.
pub(crate) fn config(driver: &Driver, user: &User) -> Spec {
    let host = driver.engine.host();
    build(&Context { container: &driver.container, host, bundle: &driver.paths.bundle, user })
}

pub(crate) fn build(context: &Context<'_>) -> Spec {
    let empty =
        SpecBuilder::default().version("1.2.0").hostname(hostname(context.container)).mounts(Vec::new());
    let mut spec = empty.build().unwrap_or_default();
    spec.set_linux(LinuxBuilder::default().build().ok()).set_hooks(None::<Hooks>);
    EDITS.iter().for_each(|edit| edit(&mut spec, context));
    spec
}

/// The container's host name: what the user said, or the short id.
pub(crate) fn hostname(container: &Container) -> String {
    match container.config.hostname.as_str() {
        "" => container.id.short().to_owned(),
        name => name.to_owned(),
    }
}

fn root(spec: &mut Spec, context: &Context<'_>) {
    let read_only = context.container.config.host.read_only;
    spec.set_root(RootBuilder::default().path("rootfs").readonly(read_only).build().ok());
    let domain = &context.container.config.domainname;
    spec.set_domainname((!domain.is_empty()).then(|| domain.clone()));
}

fn process(spec: &mut Spec, context: &Context<'_>) {
    let config = &context.container.config;
    let capabilities = capabilities(context.container);
    let (rows, columns) = config.host.console_size;
    let request = ProcessRequest {
        args: config.command(),
        env: with_home(environment(context.container), context.user),
        cwd: &config.working_dir,
        user: context.user,
        terminal: config.tty,
        size: (rows > 0 && columns > 0).then_some((rows, columns)),
    };
    spec.set_process(Some(build_process(&request, &capabilities)));
}

/// A process for process 1 or an exec.
pub(crate) struct ProcessRequest<'a> {
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<String>,
    pub(crate) cwd: &'a str,
    pub(crate) user: &'a User,
    pub(crate) terminal: bool,
    pub(crate) size: Option<(u16, u16)>,
}

pub(crate) fn build_process(request: &ProcessRequest<'_>, capabilities: &HashSet<Capability>) -> Process {
    let set = || capabilities.clone();
    let sets = LinuxCapabilitiesBuilder::default()
        .bounding(set())
        .effective(set())
        .permitted(set())
        .inheritable(HashSet::new())
        .ambient(HashSet::new());
    let User { uid, gid, groups, .. } = request.user;
    let user = UserBuilder::default().uid(*uid).gid(*gid).additional_gids(groups.clone());
    let user = user.build().unwrap_or_default();
    let cwd = if request.cwd.is_empty() { "/" } else { request.cwd };
    let builder = ProcessBuilder::default()
        .terminal(request.terminal)
        .user(user)
        .args(request.args.clone())
        .env(request.env.clone())
        .cwd(cwd)
        .no_new_privileges(false)
        .rlimits(Vec::new());
    let builder = match sets.build() {
        Ok(sets) => builder.capabilities(sets),
        Err(_) => builder,
    };
    let mut process = builder.build().unwrap_or_default();
    process.set_console_size(request.size.map(console_size));
    process
}

fn console_size((rows, columns): (u16, u16)) -> sampan_spec::oci::Box {
    // The type has no public fields and no setters that take both.
    let size = serde_json::json!({ "height": rows, "width": columns });
    serde_json::from_value(size).unwrap_or_default()
}

/// A container's capabilities. Its names were checked when it was created.
pub(crate) fn capabilities(container: &Container) -> HashSet<Capability> {
    let host = &container.config.host;
    capability::resolve(&host.cap_add, &host.cap_drop).unwrap_or_default()
}

/// Docker's own variables, then the container's, which may replace or remove them.
pub(crate) fn environment(container: &Container) -> Vec<String> {
    let config = &container.config;
    let mut own = vec![PATH.to_owned(), format!("HOSTNAME={}", hostname(container))];
    if config.tty {
        own.push("TERM=xterm".into());
    }
    replace_variables(own, &config.env)
}

/// The user's home folder, unless the user says otherwise.
pub(crate) fn with_home(mut env: Vec<String>, user: &User) -> Vec<String> {
    if !env.iter().any(|variable| variable.starts_with("HOME=")) {
        env.push(format!("HOME={}", user.home));
    }
    env
}

/// `base` with the variables of `changes` set in place or appended; a name without `=` takes its variable away.
pub(crate) fn replace_variables(mut base: Vec<String>, changes: &[String]) -> Vec<String> {
    let name = |variable: &str| variable.split('=').next().unwrap_or_default().to_owned();
    for change in changes {
        let known = base.iter().position(|variable| name(variable) == name(change));
        match (known, change.contains('=')) {
            (Some(at), true) => base[at].clone_from(change),
            (Some(at), false) => drop(base.remove(at)),
            (None, true) => base.push(change.clone()),
            (None, false) => {}
        }
    }
    base
}

fn namespaces(spec: &mut Spec, context: &Context<'_>) {
    use LinuxNamespaceType::{Cgroup, Ipc, Mount, Network, Pid, Uts};
    let shares_network = context.container.config.host.network == NetworkMode::Host;
    let kinds = [Mount, Pid, Uts, Ipc, Cgroup].into_iter().chain((!shares_network).then_some(Network));
    let all: Vec<LinuxNamespace> =
        kinds.filter_map(|kind| LinuxNamespaceBuilder::default().typ(kind).build().ok()).collect();
    let Some(linux) = spec.linux_mut() else { return };
    linux.set_namespaces(Some(all));
    if !shares_network {
        let unprivileged =
            [("net.ipv4.ip_unprivileged_port_start", "0"), ("net.ipv4.ping_group_range", "0 2147483647")];
        let sysctl: HashMap<String, String> = unprivileged.map(|(k, v)| (k.into(), v.into())).into();
        linux.set_sysctl(Some(sysctl));
    }
}

fn cgroup(spec: &mut Spec, context: &Context<'_>) {
    let Some(linux) = spec.linux_mut() else { return };
    linux.set_cgroups_path(Some(context.host.cgroup_of(&context.container.id).into()));
    let limits = &context.container.config.host.resources;
    linux.set_resources(Some(resources(limits, context.host.limits_swap)));
}

fn resources(limits: &Resources, limits_swap: bool) -> LinuxResources {
    let mut resources = LinuxResourcesBuilder::default().devices(device_rules()).build().unwrap_or_default();
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
fn swap(limits: &Resources) -> Option<i64> {
    limits.memory_swap.or(limits.memory.map(|bytes| bytes.saturating_mul(2) as i64))
}

/// Nothing, but what is harmless: making nodes, and the devices of /dev.
fn device_rules() -> Vec<LinuxDeviceCgroup> {
    let rule = |allow, kind, major, minor, access: &str| {
        let mut rule = LinuxDeviceCgroupBuilder::default()
            .allow(allow)
            .typ(kind)
            .access(access)
            .build()
            .unwrap_or_default();
        rule.set_major(major).set_minor(minor);
        rule
    };
    let character = |major, minor: Option<i64>| rule(true, LinuxDeviceType::C, Some(major), minor, "rwm");
    vec![
        rule(false, LinuxDeviceType::A, None, None, "rwm"),
        rule(true, LinuxDeviceType::C, None, None, "m"),
        rule(true, LinuxDeviceType::B, None, None, "m"),
        character(1, Some(3)),
        character(1, Some(5)),
        character(1, Some(7)),
        character(1, Some(8)),
        character(1, Some(9)),
        character(5, Some(0)),
        character(5, Some(1)),
        character(5, Some(2)),
        character(136, None),
    ]
}

/// The runtime makes the default devices itself (runtime specification, "Default Devices").
fn devices(spec: &mut Spec, _: &Context<'_>) {
    if let Some(linux) = spec.linux_mut() {
        linux.set_devices(Some(Vec::new()));
    }
}

fn filter(spec: &mut Spec, context: &Context<'_>) {
    let profile = seccomp::default_profile(&capabilities(context.container), &context.host.seccomp);
    if let Some(linux) = spec.linux_mut() {
        linux.set_seccomp(profile);
    }
}

fn file_systems(spec: &mut Spec, context: &Context<'_>) {
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

fn paths(spec: &mut Spec, _: &Context<'_>) {
    if let Some(linux) = spec.linux_mut() {
        linux.set_masked_paths(Some(MASKED_PATHS.map(Into::into).into()));
        linux.set_readonly_paths(Some(READ_ONLY_PATHS.map(Into::into).into()));
    }
}

#[cfg(test)]
mod tests;
