//! What the engine must know of the host it runs on.

mod limits;

pub(crate) use limits::Limits;

use crate::container::{Container, SeccompHost};
use std::path::Path;

/// The folder that systemd keeps for the containers, if the units are installed.
const SYSTEMD_UNIT: &str = "/system.slice/sampan-containers.service";
const SYSTEMD_ACTIVE: &str = "/run/systemd/units/invocation:sampan-containers.service";

/// Facts that do not change while the engine runs.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    pub(crate) seccomp: SeccompHost,
    /// The folder of all containers' cgroups, from each hierarchy's root.
    pub(crate) cgroups: String,
    pub(crate) limits: Limits,
}

impl Host {
    /// Looks around. `engine` tells this engine from others on the host; `None` for the usual one.
    pub(crate) fn detect(engine: Option<&str>) -> Self {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        let kernel = crate::container::parse_kernel(&release).unwrap_or((5, 14));
        let cgroups = match engine {
            Some(name) => format!("/sampan-{name}"),
            None if unit_runs() => SYSTEMD_UNIT.to_owned(),
            None => "/sampan".to_owned(),
        };
        Self { seccomp: SeccompHost { architecture, kernel }, cgroups, limits: Limits::detect() }
    }

    /// A container's cgroup, from each hierarchy's root.
    pub(crate) fn cgroup_of(&self, container: &Container) -> String {
        match container.config.host.cgroup_parent.trim_matches('/') {
            "" => format!("{}/{}", self.cgroups, container.id),
            parent => format!("/{parent}/{}", container.id),
        }
    }

    /// The cgroup of all monitors.
    pub(crate) fn monitors(&self) -> String {
        format!("{}/monitors", self.cgroups)
    }
}

/// systemd keeps this link (to the invocation's id) as long as the unit is active. The unit's folder among the control
/// groups says nothing: systemd prunes it while it is empty.
fn unit_runs() -> bool {
    Path::new(SYSTEMD_ACTIVE).is_symlink()
}
