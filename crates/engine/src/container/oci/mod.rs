//! The OCI runtime configuration of a container: a pure function of its record and the host, as a list of edits.

mod devices;
mod mounts;
mod namespaces;
mod process;
mod resources;
pub(super) mod rlimits;
mod security;
mod volumes;

use super::devices::Devices;
use super::driver::Driver;
use super::peers::Peers;
use super::user::User;
use super::{Container, PidMode, health};
use crate::host::Host;
use sampan_spec::bundle::HealthCheck;
use sampan_spec::oci::{self, Linux, Root, Spec};
use std::path::{Path, PathBuf};

pub(crate) use process::{
    ProcessRequest, build_process, capabilities, environment, replace_variables, with_home,
};
pub(crate) use resources::limits;
pub use security::{masked_paths, readonly_paths};

/// What the edits look at.
pub(crate) struct Context<'a> {
    pub(crate) container: &'a Container,
    pub(crate) host: &'a Host,
    /// Where all volumes are.
    pub(crate) volumes: &'a Path,
    /// The program for `--init`.
    pub(crate) init: &'a Path,
    /// What had to be looked up.
    pub(crate) found: &'a Found,
}

/// What a configuration names and had to be looked up, in the image, on the host, and among the other containers.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Who the process is.
    pub(crate) user: User,
    pub(crate) devices: Devices,
    pub(crate) peers: Peers,
    /// Variables about containers that it is linked to.
    pub(crate) links: Vec<String>,
    /// Its host name, which may be that of the container whose network it uses.
    pub(crate) hostname: String,
    /// Where `hosts`, `hostname` and `resolv.conf` are.
    pub(crate) names: PathBuf,
}

/// One edit.
type Edit = fn(&mut Spec, &Context<'_>);

/// In this order: a later one may look at what an earlier one did.
const EDITS: [Edit; 8] = [
    root,
    process::process,
    namespaces::namespaces,
    resources::cgroup,
    devices::devices,
    security::filter,
    mounts::file_systems,
    security::paths,
];

/// The configuration of a driver's container.
pub(crate) fn config(driver: &Driver, found: &Found) -> Spec {
    let (host, init) = (driver.engine.host(), &driver.engine.options().runtime);
    let volumes = &driver.engine.paths().volumes();
    build(&Context { container: &driver.container, host, volumes, init, found })
}

/// How the monitor is to see whether a container is well, as its own user; `None` if it is not to.
pub(crate) fn health(container: &Container, found: &Found) -> Option<HealthCheck> {
    let check = container.config.health.as_ref()?;
    let args = health::command(&container.config)?;
    Some(health::plan(check, process::beside(args, container, found)))
}

pub(crate) fn build(context: &Context<'_>) -> Spec {
    let mut spec = Spec { version: oci::VERSION.into(), linux: Some(Linux::default()), ..Spec::default() };
    EDITS.iter().for_each(|edit| edit(&mut spec, context));
    spec
}

/// Whether a small process 1 waits for orphans. It would be of no use where it is not process 1.
fn has_init(container: &Container) -> bool {
    let host = &container.config.host;
    host.init == Some(true) && host.pid == PidMode::Private
}

fn root(spec: &mut Spec, context: &Context<'_>) {
    let read_only = context.container.config.host.read_only;
    spec.root = Some(Root { path: "rootfs".into(), readonly: Some(read_only) });
    if !context.container.config.host.shares_uts {
        let domain = &context.container.config.domainname;
        spec.hostname = Some(context.found.hostname.clone());
        spec.domainname = (!domain.is_empty()).then(|| domain.clone());
    }
}

#[cfg(test)]
mod tests;
