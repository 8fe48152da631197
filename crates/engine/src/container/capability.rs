//! Capabilities of a container: the default ones, plus and minus what the user says (capabilities(7)).

use crate::{Error, Result};
use rustix::thread::CapabilitySet;
use sampan_spec::oci::Capability;
use std::collections::HashSet;

/// What a container has unless told otherwise, as with Docker.
const DEFAULT: [Capability; 14] = [
    Capability::Chown,
    Capability::DacOverride,
    Capability::Fsetid,
    Capability::Fowner,
    Capability::Mknod,
    Capability::NetRaw,
    Capability::Setgid,
    Capability::Setuid,
    Capability::Setfcap,
    Capability::Setpcap,
    Capability::NetBindService,
    Capability::SysChroot,
    Capability::Kill,
    Capability::AuditWrite,
];

/// The capabilities that result. The name `ALL` stands for those that this program has: a host may have taken some from it.
///
/// # Errors
/// When a name is no capability.
pub(crate) fn resolve(add: &[String], drop: &[String]) -> Result<HashSet<Capability>> {
    let own = rustix::thread::capabilities(None).map_or(CapabilitySet::all(), |sets| sets.permitted);
    among(own, add, drop)
}

/// All that this program has.
pub(crate) fn all() -> HashSet<Capability> {
    resolve(&["ALL".to_owned()], &[]).unwrap_or_default()
}

fn among(own: CapabilitySet, add: &[String], drop: &[String]) -> Result<HashSet<Capability>> {
    let (add_all, add) = named("CapAdd", add)?;
    let (drop_all, drop) = named("CapDrop", drop)?;
    if let Some(missing) = add.iter().find(|capability| !own.contains(bit(**capability))) {
        return Err(Error::InvalidParameter(format!(
            "invalid CapAdd: capability not supported by your kernel or not available in the current environment: {:?}",
            missing.name()
        )));
    }
    let mut set: HashSet<Capability> = match (add_all, drop_all) {
        (true, _) => {
            Capability::ALL.iter().copied().filter(|capability| own.contains(bit(*capability))).collect()
        }
        (false, true) => HashSet::new(),
        (false, false) => DEFAULT.into(),
    };
    if !drop_all || add_all {
        set.retain(|capability| !drop.contains(capability));
    }
    set.extend(add);
    Ok(set)
}

/// Whether `ALL` is among the names, and the others.
fn named(field: &str, names: &[String]) -> Result<(bool, Vec<Capability>)> {
    let mut all = false;
    let mut set = Vec::new();
    for name in names {
        let upper = name.to_ascii_uppercase();
        match upper.strip_prefix("CAP_").unwrap_or(&upper) {
            "ALL" => all = true,
            bare => set.push(parse(bare).ok_or_else(|| {
                Error::InvalidParameter(format!("invalid {field}: unknown capability: \"CAP_{bare}\""))
            })?),
        }
    }
    Ok((all, set))
}

fn parse(bare: &str) -> Option<Capability> {
    Capability::from_name(&format!("CAP_{bare}"))
}

fn bit(capability: Capability) -> CapabilitySet {
    CapabilitySet::from_bits_retain(1 << capability.number())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(add: &[&str], drop: &[&str], want: usize) {
        let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let set = among(CapabilitySet::all(), &owned(add), &owned(drop)).unwrap();
        assert_eq!(set.len(), want, "{add:?} {drop:?}");
    }

    #[test]
    fn adding_and_dropping() {
        check(&[], &[], 14);
        check(&["NET_ADMIN"], &[], 15);
        check(&["cap_net_admin"], &["MKNOD", "CAP_CHOWN"], 13);
        check(&[], &["ALL"], 0);
        check(&["CHOWN"], &["all"], 1);
        check(&["ALL"], &["MKNOD"], 40);
        let refused = |add: &[&str], drop: &[&str], want: &str| {
            let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
            let error = among(CapabilitySet::CHOWN, &owned(add), &owned(drop)).unwrap_err();
            assert_eq!(error.to_string(), want);
        };
        refused(&["NOPE"], &[], "invalid CapAdd: unknown capability: \"CAP_NOPE\"");
        refused(&[], &["NOPE"], "invalid CapDrop: unknown capability: \"CAP_NOPE\"");
        let missing = "invalid CapAdd: capability not supported by your kernel or not available in the current environment";
        refused(&["KILL"], &[], &format!("{missing}: \"CAP_KILL\""));
    }

    #[test]
    fn all_is_what_this_program_has() {
        let own = CapabilitySet::SYS_ADMIN | CapabilitySet::CHOWN | CapabilitySet::CHECKPOINT_RESTORE;
        let all = among(own, &["ALL".into()], &["CHOWN".into()]).unwrap();
        assert_eq!(all, [Capability::SysAdmin, Capability::CheckpointRestore].into());
        for capability in Capability::ALL {
            let name = capability.name().trim_start_matches("CAP_");
            assert_eq!(Some(bit(*capability)), CapabilitySet::from_name(name), "{name}");
        }
    }
}
