//! What a configuration may ask for and this runtime cannot do: each is an error that names it.

use super::{NamespacePlan, bad};
use sampan_spec::journal::Failure;
use sampan_spec::oci::{Linux, LinuxPersonalityDomain, Spec};
use sampan_sys::process::Namespaces;

/// Refuses the parts of a configuration that are not supported.
pub(super) fn unsupported(config: &Spec) -> Result<(), Failure> {
    let top = [
        (config.vm.is_some(), "vm"),
        (config.windows.is_some(), "windows"),
        (config.solaris.is_some(), "solaris"),
        (config.zos.is_some(), "zos"),
        (config.linux.is_none(), "a configuration without linux"),
    ];
    refuse(&top)?;
    config.linux.as_ref().map_or(Ok(()), unsupported_linux)
}

fn unsupported_linux(linux: &Linux) -> Result<(), Failure> {
    refuse(&[
        (linux.net_devices.as_ref().is_some_and(|d| !d.is_empty()), "linux.netDevices"),
        (linux.mount_label.as_ref().is_some_and(|l| !l.is_empty()), "linux.mountLabel (SELinux)"),
        (linux.intel_rdt.is_some(), "linux.intelRdt"),
    ])
}

fn refuse(cases: &[(bool, &str)]) -> Result<(), Failure> {
    match cases.iter().find(|(there, _)| *there) {
        Some((_, what)) => Err(bad(format!("{what} is not supported"))),
        None => Ok(()),
    }
}

/// Whether `linux.personality` asks for a 32-bit machine.
pub(super) fn personality_is_32(linux: &Linux) -> Result<bool, Failure> {
    let Some(personality) = &linux.personality else { return Ok(false) };
    if personality.flags.as_ref().is_some_and(|f| !f.is_empty()) {
        return Err(bad("linux.personality.flags is not supported"));
    }
    Ok(personality.domain == LinuxPersonalityDomain::Linux32)
}

/// Refuses what would change the host because the name space for it is the host's.
pub(super) fn without_namespace(config: &Spec, namespaces: &NamespacePlan) -> Result<(), Failure> {
    let named = |name: &Option<String>| name.as_ref().is_some_and(|n| !n.is_empty());
    if (named(&config.hostname) || named(&config.domainname)) && !namespaces.new.contains(Namespaces::UTS) {
        return Err(bad("unable to set hostname without a private UTS namespace"));
    }
    let linux = config.linux.as_ref();
    for name in linux.and_then(|l| l.sysctl.as_ref()).iter().flat_map(|s| s.keys()) {
        let own = sysctl_namespace(name).is_some_and(|kind| own_namespace(namespaces, kind));
        if !own {
            return Err(bad(format!("sysctl {name:?} is not in a separate kernel namespace")));
        }
    }
    Ok(())
}

/// A name space that is not the host's; a joined one counts, because its path must have been given.
fn own_namespace(namespaces: &NamespacePlan, kind: Namespaces) -> bool {
    namespaces.new.contains(kind) || namespaces.joined.iter().any(|(joined, _)| *joined == kind)
}

/// The kind of name space that a kernel parameter belongs to, `None` for the whole machine's.
fn sysctl_namespace(name: &str) -> Option<Namespaces> {
    const IPC: [&str; 11] = [
        "kernel.auto_msgmni",
        "kernel.msgmax",
        "kernel.msgmnb",
        "kernel.msgmni",
        "kernel.msg_next_id",
        "kernel.sem",
        "kernel.shmall",
        "kernel.shmmax",
        "kernel.shmmni",
        "kernel.shm_rmid_forced",
        "kernel.shm_next_id",
    ];
    let name = name.replace('/', ".");
    if name.contains("..") {
        None
    } else if name.starts_with("net.") {
        Some(Namespaces::NETWORK)
    } else if IPC.contains(&name.as_str()) || name == "kernel.sem_next_id" || name.starts_with("fs.mqueue.") {
        Some(Namespaces::IPC)
    } else if name == "kernel.domainname" || name == "kernel.hostname" {
        Some(Namespaces::UTS)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_parameters_belong_to_name_spaces() {
        for (name, kind) in [
            ("net.ipv4.ip_forward", Some(Namespaces::NETWORK)),
            ("net/ipv4/ip_forward", Some(Namespaces::NETWORK)),
            ("kernel.shmmax", Some(Namespaces::IPC)),
            ("fs.mqueue.msg_max", Some(Namespaces::IPC)),
            ("kernel.domainname", Some(Namespaces::UTS)),
            ("kernel.panic", None),
            ("vm.swappiness", None),
            ("net/../kernel/panic", None),
            ("", None),
        ] {
            assert_eq!(sysctl_namespace(name), kind, "{name}");
        }
    }
}
