//! `features`: what this runtime can do, as the specification's features.md asks. Told from the tables that the
//! functions themselves use.

use super::args::Parsed;
use super::{CliError, Context};
use crate::{options, seccomp};
use sampan_spec::oci::{self, Capability, LinuxNamespaceType, LinuxSeccompFilterFlag, LinuxSeccompOperator};
use serde_json::{Value, json};
use std::path::Path;

/// The hooks that are executed.
const HOOKS: [&str; 6] =
    ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];

/// `features`.
pub(super) fn features(mut context: Context<'_>, _: &Parsed) -> Result<i32, CliError> {
    context.print(&all()).map(|()| 0)
}

fn all() -> Value {
    json!({
        "ociVersionMin": "1.0.0",
        "ociVersionMax": oci::VERSION,
        "hooks": HOOKS,
        "mountOptions": options::names(),
        "linux": {
            "namespaces": namespaces(),
            "capabilities": Capability::ALL.iter().map(|one| one.name()).collect::<Vec<_>>(),
            "cgroup": {"v1": true, "v2": true, "systemd": false, "systemdUser": false, "rdma": crate::limits::RDMA},
            "seccomp": filters(),
            "apparmor": {"enabled": Path::new("/sys/kernel/security/apparmor").exists()},
            "selinux": {"enabled": false},
            "intelRdt": {"enabled": false},
            "mountExtensions": {"idmap": {"enabled": options::IDMAP}},
            "netDevices": {"enabled": crate::plan::NET_DEVICES},
        },
        "annotations": {"org.opencontainers.runc.checkpoint.enabled": "false"},
    })
}

fn namespaces() -> Vec<&'static str> {
    LinuxNamespaceType::ALL.iter().map(|kind| kind.name()).collect()
}

fn filters() -> Value {
    let flags: Vec<_> = LinuxSeccompFilterFlag::ALL.iter().map(|flag| flag.name()).collect();
    json!({
        "enabled": cfg!(target_arch = "x86_64"),
        "actions": seccomp::actions(),
        "operators": LinuxSeccompOperator::ALL.iter().map(|one| one.name()).collect::<Vec<_>>(),
        "archs": seccomp::architectures(),
        "knownFlags": flags,
        "supportedFlags": flags,
    })
}
