//! System call filters as Docker describes them, as an OCI configuration for given capabilities on this host.
//!
//! `seccomp.json` beside this file holds the rules as data; a rule may ask for capabilities, architectures or a kernel.

use sampan_spec::oci::{
    Arch, Capability, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompFilterFlag, LinuxSyscall,
};
use serde::Deserialize;
use std::collections::{BTreeSet, HashSet};
use std::sync::LazyLock;

/// A filter in Docker's form: for any host.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Profile {
    default_action: LinuxSeccompAction,
    default_errno_ret: Option<u32>,
    #[serde(default)]
    architectures: Vec<Arch>,
    #[serde(default)]
    arch_map: Vec<ArchMap>,
    #[serde(default)]
    flags: Vec<LinuxSeccompFilterFlag>,
    #[serde(default)]
    syscalls: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArchMap {
    architecture: Arch,
    sub_architectures: Option<Vec<Arch>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    #[serde(default)]
    names: Vec<String>,
    /// One name, as older profiles have it.
    name: Option<String>,
    action: LinuxSeccompAction,
    errno_ret: Option<u32>,
    #[serde(default)]
    args: Vec<LinuxSeccompArg>,
    #[serde(default)]
    includes: Filter,
    #[serde(default)]
    excludes: Filter,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    #[serde(default)]
    caps: Vec<String>,
    #[serde(default)]
    arches: Vec<String>,
    min_kernel: Option<String>,
}

static PROFILE: LazyLock<Option<Profile>> =
    LazyLock::new(|| serde_json::from_str(include_str!("seccomp.json")).ok());

/// The default filter for a process with these capabilities.
pub(crate) fn default_profile(capabilities: &HashSet<Capability>, host: &Host) -> Option<LinuxSeccomp> {
    Some(PROFILE.as_ref()?.to_oci(capabilities, host))
}

impl Profile {
    /// Reads a profile that a user wrote.
    pub(crate) fn parse(json: &str) -> serde_json::Result<Self> {
        serde_json::from_str(json)
    }

    /// What holds for a process with these capabilities on this host.
    pub(crate) fn to_oci(&self, capabilities: &HashSet<Capability>, host: &Host) -> LinuxSeccomp {
        let held: BTreeSet<&str> = capabilities.iter().map(|c| c.name()).collect();
        let applies = |rule: &&Rule| rule.includes.holds(&held, host) && !rule.excludes.hits(&held, host);
        LinuxSeccomp {
            default_action: self.default_action,
            default_errno_ret: self.default_errno_ret,
            architectures: Some(self.on(host)),
            flags: (!self.flags.is_empty()).then(|| self.flags.clone()),
            listener_path: None,
            listener_metadata: None,
            syscalls: Some(self.syscalls.iter().filter(applies).map(Rule::to_oci).collect()),
        }
    }

    /// The machines whose system calls it knows, this host's first.
    fn on(&self, host: &Host) -> Vec<Arch> {
        if self.arch_map.is_empty() {
            return self.architectures.clone();
        }
        let native = match host.architecture {
            "amd64" => Arch::X86_64,
            "arm64" => Arch::Aarch64,
            "riscv64" => Arch::Riscv64,
            _ => return Vec::new(),
        };
        let map = self.arch_map.iter().find(|map| map.architecture == native);
        let others = map.and_then(|map| map.sub_architectures.clone()).unwrap_or_default();
        std::iter::once(native).chain(others).collect()
    }
}

/// What the rules ask of a host.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    /// In Go's terms: `amd64`.
    pub(crate) architecture: &'static str,
    /// Major and minor number of the kernel.
    pub(crate) kernel: (u32, u32),
}

impl Rule {
    fn to_oci(&self) -> LinuxSyscall {
        LinuxSyscall {
            names: self.names.iter().chain(&self.name).cloned().collect(),
            action: self.action,
            errno_ret: self.errno_ret,
            args: (!self.args.is_empty()).then(|| self.args.clone()),
        }
    }
}

impl Filter {
    /// All of its conditions hold.
    fn holds(&self, held: &BTreeSet<&str>, host: &Host) -> bool {
        let kernel = self.min_kernel.as_deref().and_then(parse_kernel);
        self.caps.iter().all(|c| held.contains(c.as_str()))
            && (self.arches.is_empty() || self.arches.iter().any(|a| a == host.architecture))
            && kernel.is_none_or(|min| host.kernel >= min)
    }

    /// Any of its conditions holds.
    fn hits(&self, held: &BTreeSet<&str>, host: &Host) -> bool {
        let kernel = self.min_kernel.as_deref().and_then(parse_kernel);
        self.caps.iter().any(|c| held.contains(c.as_str()))
            || self.arches.iter().any(|a| a == host.architecture)
            || kernel.is_some_and(|min| host.kernel >= min)
    }
}

/// The first two numbers of a kernel's release: `6.1.0-56-cloud-amd64`.
pub(crate) fn parse_kernel(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action_of(profile: &LinuxSeccomp, name: &str) -> Vec<LinuxSeccompAction> {
        let rules = profile.syscalls.iter().flatten();
        rules.filter(|rule| rule.names.iter().any(|n| n == name)).map(|rule| rule.action).collect()
    }

    #[test]
    fn rules_depend_on_capabilities_and_host() {
        let host = Host { architecture: "amd64", kernel: (6, 1) };
        let default = super::super::capability::resolve(&[], &[]).unwrap();
        let profile = default_profile(&default, &host).unwrap();
        assert!(profile.architectures.as_ref().unwrap().contains(&Arch::X86));
        assert_eq!(action_of(&profile, "read"), [LinuxSeccompAction::Allow]);
        assert_eq!(action_of(&profile, "mount"), []);
        assert_eq!(action_of(&profile, "clone3"), [LinuxSeccompAction::Errno]);
        assert_eq!(action_of(&profile, "arch_prctl").len(), 1);
        assert_eq!(action_of(&profile, "ptrace").len(), 1);
        let admin = super::super::capability::resolve(&["SYS_ADMIN".into()], &[]).unwrap();
        let profile = default_profile(&admin, &host).unwrap();
        assert_eq!(action_of(&profile, "mount"), [LinuxSeccompAction::Allow]);
        let old = Host { architecture: "arm64", kernel: (4, 4) };
        let profile = default_profile(&default, &old).unwrap();
        assert_eq!(action_of(&profile, "ptrace"), []);
        assert_eq!(action_of(&profile, "arch_prctl"), []);
    }

    #[test]
    fn kernels() {
        assert_eq!(parse_kernel("6.1.0-56-cloud-amd64"), Some((6, 1)));
        assert_eq!(parse_kernel("5.14"), Some((5, 14)));
        assert_eq!(parse_kernel("x"), None);
    }
}
