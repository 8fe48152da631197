//! Whom the users of a container are on its host, and which time it is there (config-linux.md "User namespace mappings" and
//! "Offset for Time Namespace", config.md "Mounts").

use super::{NamespacePlan, bad};
use sampan_spec::journal::Failure;
use sampan_spec::oci::{Linux, LinuxIdMapping, Mount};
use sampan_sys::process::Namespaces;

/// Ranges of users and groups, inside and outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) uids: Vec<LinuxIdMapping>,
    pub(crate) gids: Vec<LinuxIdMapping>,
}

/// Whose files a mount shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owners {
    /// By a mapping of its own; and that for all mounts below it, too.
    Own(Identity, bool),
    /// By the container's mapping.
    Container(bool),
}

pub(super) fn of_container(linux: &Linux, namespaces: &NamespacePlan) -> Result<Option<Identity>, Failure> {
    let identity = Identity {
        uids: linux.uid_mappings.clone().unwrap_or_default(),
        gids: linux.gid_mappings.clone().unwrap_or_default(),
    };
    let mapped = (!identity.uids.is_empty(), !identity.gids.is_empty());
    if namespaces.joined.iter().any(|(kind, _)| *kind == Namespaces::USER) {
        return Err(bad("joining a user namespace by path is not supported"));
    }
    match (namespaces.new.contains(Namespaces::USER), mapped) {
        (false, (false, false)) => Ok(None),
        (true, (true, true)) => Ok(Some(identity)),
        (true, (false, _)) => Err(bad("user namespaces enabled, but no uid mapping found")),
        (true, (_, false)) => Err(bad("user namespaces enabled, but no gid mapping found")),
        (false, _) => {
            Err(bad("user namespace mappings specified, but user namespace isn't enabled in the config"))
        }
    }
}

/// `recursive` is that of the option, where it was given.
pub(super) fn of_mount(mount: &Mount, recursive: Option<bool>) -> Result<Option<Owners>, Failure> {
    let identity = Identity {
        uids: mount.uid_mappings.clone().unwrap_or_default(),
        gids: mount.gid_mappings.clone().unwrap_or_default(),
    };
    match (identity.uids.is_empty(), identity.gids.is_empty(), recursive) {
        (true, true, None) => Ok(None),
        (true, true, Some(recursive)) => Ok(Some(Owners::Container(recursive))),
        (false, false, recursive) => Ok(Some(Owners::Own(identity, recursive.unwrap_or(false)))),
        _ => {
            let place = mount.destination.display();
            Err(bad(format!("mount {place}: uidMappings and gidMappings go together")))
        }
    }
}

/// Lines for the kernel.
pub(super) fn clocks(linux: &Linux, namespaces: &NamespacePlan) -> Result<Vec<String>, Failure> {
    let Some(offsets) = linux.time_offsets.as_ref().filter(|offsets| !offsets.is_empty()) else {
        return Ok(Vec::new());
    };
    if !namespaces.new.contains(Namespaces::TIME) {
        return Err(bad("time namespace offsets specified, but time namespace isn't enabled in the config"));
    }
    let line = |(clock, offset): (&sampan_spec::oci::LinuxClock, &sampan_spec::oci::LinuxTimeOffset)| {
        let (secs, nanosecs) = (offset.secs.unwrap_or(0), offset.nanosecs.unwrap_or(0));
        format!("{} {secs} {nanosecs}", clock.name())
    };
    Ok(offsets.iter().map(line).collect())
}
