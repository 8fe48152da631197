//! The OCI runtime configuration of a container: a pure function of its record and the host, as a list of edits.

mod devices;
mod mounts;
mod namespaces;
mod process;
mod resources;
mod security;
mod volumes;

use super::Container;
use super::driver::Driver;
use super::user::User;
use crate::host::Host;
use sampan_spec::oci::{Hooks, LinuxBuilder, RootBuilder, Spec, SpecBuilder};
use std::path::Path;

pub(crate) use process::{
    ProcessRequest, build_process, capabilities, environment, replace_variables, with_home,
};
pub use security::{MASKED_PATHS, READ_ONLY_PATHS};

/// What the edits look at.
pub(crate) struct Context<'a> {
    pub(crate) container: &'a Container,
    pub(crate) host: &'a Host,
    /// Where `hosts`, `hostname` and `resolv.conf` are.
    pub(crate) bundle: &'a Path,
    /// Where all volumes are.
    pub(crate) volumes: &'a Path,
    /// Who the process is.
    pub(crate) user: &'a User,
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

/// The configuration of a driver's container, whose process is this user.
pub(crate) fn config(driver: &Driver, user: &User) -> Spec {
    let host = driver.engine.host();
    let (bundle, volumes) = (&driver.paths.bundle, &driver.engine.paths().volumes());
    build(&Context { container: &driver.container, host, bundle, volumes, user })
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

#[cfg(test)]
mod tests;
