//! What the fuzz targets reach into this crate for. It is in no other build.

use crate::plan::Plan;
use crate::{Launch, Stdio, Unusual};
use sampan_spec::bundle::RootFs;
use sampan_spec::oci::Spec;
use sampan_sys::seccomp::Instruction;
use std::path::Path;

/// The filter program of a seccomp profile in JSON, if it makes one.
pub fn seccomp(profile: &[u8]) -> Option<Vec<Instruction>> {
    let profile = serde_json::from_slice(profile).ok()?;
    crate::seccomp::program(&profile).ok().map(|program| program.code)
}

/// A configuration in JSON, if it is one, and whether this runtime would start it. Name spaces are not joined: their paths
/// can be anything of this machine's.
pub fn config(json: &[u8]) -> Option<(Spec, bool)> {
    let config: Spec = serde_json::from_slice(json).ok()?;
    let mut alone = config.clone();
    let namespaces = alone.linux.iter_mut().flat_map(|linux| &mut linux.namespaces).flatten();
    namespaces.for_each(|namespace| namespace.path = None);
    let accepted = Plan::read(&Launch {
        id: "fuzz",
        bundle: Path::new("/bundle"),
        config: &alone,
        rootfs: &RootFs::Path { path: "/".into() },
        stdio: Stdio::Terminal { size: None },
        sandbox: None,
        want_netlink: false,
        die_with_parent: false,
        unusual: Unusual::default(),
    });
    Some((config, accepted.is_ok()))
}
