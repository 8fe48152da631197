//! Which name spaces are the container's own, and the kernel parameters in them.

use super::Context;
use crate::container::{HostConfig, IpcMode, NetworkMode, PidMode};
use sampan_spec::oci::{LinuxNamespace, LinuxNamespaceType, Spec};
use std::collections::BTreeMap;

/// A name space: not there is the host's, else a new one or that of the process with this pid.
struct Wanted {
    kind: LinuxNamespaceType,
    of: Option<i32>,
}

pub(super) fn namespaces(spec: &mut Spec, context: &Context<'_>) {
    let parameters = parameters(&context.container.config.host);
    let Some(linux) = &mut spec.linux else { return };
    linux.namespaces = Some(wanted(context).into_iter().map(namespace).collect());
    linux.sysctl = (!parameters.is_empty()).then_some(parameters);
}

fn wanted(context: &Context<'_>) -> Vec<Wanted> {
    use LinuxNamespaceType::{Cgroup, Ipc, Mount, Network, Pid, Uts};
    let (host, peers) = (&context.container.config.host, &context.found.peers);
    let new = |kind| Some(Wanted { kind, of: None });
    let of = |kind, pid: Option<i32>| pid.map(|pid| Wanted { kind, of: Some(pid) });
    let all = [
        new(Mount),
        match host.pid {
            PidMode::Private => new(Pid),
            PidMode::Host => None,
            PidMode::Container(_) => of(Pid, peers.pid),
        },
        new(Uts).filter(|_| !host.shares_uts),
        match host.ipc {
            IpcMode::Private | IpcMode::Shareable | IpcMode::None => new(Ipc),
            IpcMode::Host => None,
            IpcMode::Container(_) => of(Ipc, peers.ipc),
        },
        new(Cgroup).filter(|_| !host.shares_cgroups),
        match host.network {
            NetworkMode::Bridge | NetworkMode::None | NetworkMode::Named(_) => new(Network),
            NetworkMode::Host => None,
            NetworkMode::Container(_) => of(Network, peers.network),
        },
    ];
    all.into_iter().flatten().collect()
}

fn namespace(wanted: Wanted) -> LinuxNamespace {
    let path = wanted.of.map(|pid| format!("/proc/{pid}/ns/{}", file(wanted.kind)).into());
    LinuxNamespace { typ: wanted.kind, path }
}

/// The name space's file below `/proc/PID/ns`.
fn file(kind: LinuxNamespaceType) -> &'static str {
    match kind {
        LinuxNamespaceType::Ipc => "ipc",
        LinuxNamespaceType::Network => "net",
        LinuxNamespaceType::Uts => "uts",
        LinuxNamespaceType::Cgroup => "cgroup",
        LinuxNamespaceType::Mount => "mnt",
        LinuxNamespaceType::User => "user",
        LinuxNamespaceType::Time => "time",
        LinuxNamespaceType::Pid => "pid",
    }
}

/// Docker's own where the network is the container's, then the user's.
fn parameters(host: &HostConfig) -> BTreeMap<String, String> {
    let unprivileged =
        [("net.ipv4.ip_unprivileged_port_start", "0"), ("net.ipv4.ping_group_range", "0 2147483647")];
    let own = matches!(host.network, NetworkMode::Bridge | NetworkMode::None);
    let defaults =
        unprivileged.iter().filter(|_| own).map(|(name, value)| (name.to_string(), value.to_string()));
    defaults.chain(host.sysctls.clone()).collect()
}
