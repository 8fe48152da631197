//! Capabilities of a container: the default ones, plus and minus what the user says (capabilities(7)).

use crate::{Error, Result};
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

const ALL: [Capability; 41] = [
    Capability::AuditControl,
    Capability::AuditRead,
    Capability::AuditWrite,
    Capability::BlockSuspend,
    Capability::Bpf,
    Capability::CheckpointRestore,
    Capability::Chown,
    Capability::DacOverride,
    Capability::DacReadSearch,
    Capability::Fowner,
    Capability::Fsetid,
    Capability::IpcLock,
    Capability::IpcOwner,
    Capability::Kill,
    Capability::Lease,
    Capability::LinuxImmutable,
    Capability::MacAdmin,
    Capability::MacOverride,
    Capability::Mknod,
    Capability::NetAdmin,
    Capability::NetBindService,
    Capability::NetBroadcast,
    Capability::NetRaw,
    Capability::Perfmon,
    Capability::Setfcap,
    Capability::Setgid,
    Capability::Setpcap,
    Capability::Setuid,
    Capability::SysAdmin,
    Capability::SysBoot,
    Capability::SysChroot,
    Capability::SysModule,
    Capability::SysNice,
    Capability::SysPacct,
    Capability::SysPtrace,
    Capability::SysRawio,
    Capability::SysResource,
    Capability::SysTime,
    Capability::SysTtyConfig,
    Capability::Syslog,
    Capability::WakeAlarm,
];

/// The capabilities that result.
///
/// # Errors
/// When a name is no capability.
pub(crate) fn resolve(add: &[String], drop: &[String]) -> Result<HashSet<Capability>> {
    let (add_all, add) = named(add)?;
    let (drop_all, drop) = named(drop)?;
    let mut set: HashSet<Capability> = match (add_all, drop_all) {
        (true, _) => ALL.into(),
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
fn named(names: &[String]) -> Result<(bool, Vec<Capability>)> {
    let mut all = false;
    let mut set = Vec::new();
    for name in names {
        let upper = name.to_ascii_uppercase();
        match upper.strip_prefix("CAP_").unwrap_or(&upper) {
            "ALL" => all = true,
            bare => set.push(
                parse(bare)
                    .ok_or_else(|| Error::InvalidParameter(format!("unknown capability: \"CAP_{bare}\"")))?,
            ),
        }
    }
    Ok((all, set))
}

fn parse(bare: &str) -> Option<Capability> {
    ALL.into_iter().find(|capability| name(*capability).strip_prefix("CAP_") == Some(bare))
}

/// `CAP_NET_ADMIN` and the like, as configurations write them.
pub(crate) fn name(capability: Capability) -> String {
    match serde_json::to_value(capability) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(add: &[&str], drop: &[&str], want: usize) {
        let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(resolve(&owned(add), &owned(drop)).unwrap().len(), want, "{add:?} {drop:?}");
    }

    #[test]
    fn adding_and_dropping() {
        check(&[], &[], 14);
        check(&["NET_ADMIN"], &[], 15);
        check(&["cap_net_admin"], &["MKNOD", "CAP_CHOWN"], 13);
        check(&[], &["ALL"], 0);
        check(&["CHOWN"], &["all"], 1);
        check(&["ALL"], &["MKNOD"], 40);
        assert!(resolve(&["NOPE".into()], &[]).is_err());
    }
}
