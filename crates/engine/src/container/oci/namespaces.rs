//! Which name spaces are the container's own, and the kernel parameters in them.

use super::Context;
use crate::container::NetworkMode;
use sampan_spec::oci::{LinuxNamespace, LinuxNamespaceBuilder, LinuxNamespaceType, Spec};
use std::collections::HashMap;

pub(super) fn namespaces(spec: &mut Spec, context: &Context<'_>) {
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
