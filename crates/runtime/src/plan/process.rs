//! `process` of a configuration, read. Container processes and exec processes have the same.

use super::{bad, schedule};
use crate::{Unusual, seccomp};
use rustix::process::{Resource, Rlimit};
use rustix::thread::CapabilitySet;
use sampan_spec::journal::Failure;
use sampan_spec::oci::{self, PosixRlimitType};
use sampan_sys::scheduling::Scheduling;
use std::ffi::CString;
use std::path::PathBuf;

/// A process to execute.
#[derive(Debug)]
pub(crate) struct ProcessPlan {
    pub(crate) args: Vec<CString>,
    pub(crate) env: Vec<CString>,
    pub(crate) cwd: PathBuf,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) groups: Vec<u32>,
    pub(crate) umask: u32,
    pub(crate) capabilities: Capabilities,
    pub(crate) rlimits: Vec<(Resource, Rlimit)>,
    pub(crate) no_new_privileges: bool,
    pub(crate) apparmor: Option<String>,
    pub(crate) oom_score_adj: Option<i32>,
    pub(crate) console_size: Option<(u16, u16)>,
    pub(crate) seccomp: Option<seccomp::Program>,
    /// The name of its session keyring; `None` leaves it in the caller's.
    pub(crate) keyring: Option<CString>,
    pub(crate) die_with_parent: bool,
    /// So many descriptors behind the standard ones are its own, too.
    pub(crate) preserve_fds: u32,
    pub(crate) scheduling: Option<Scheduling>,
    /// Class and level.
    pub(crate) io_priority: Option<(u32, u32)>,
    /// Mode and nodes.
    pub(crate) memory_policy: Option<(u32, u64)>,
    /// For exec: the processors on its way into the control group, and there. All, if there are none.
    pub(crate) first_processors: Vec<usize>,
    pub(crate) processors: Vec<usize>,
}

/// The five sets (capabilities(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capabilities {
    pub(crate) bounding: CapabilitySet,
    pub(crate) effective: CapabilitySet,
    pub(crate) permitted: CapabilitySet,
    pub(crate) inheritable: CapabilitySet,
    pub(crate) ambient: CapabilitySet,
}

const UMASK: u32 = 0o022;

impl ProcessPlan {
    /// Reads a process; its seccomp profile is the container's.
    ///
    /// # Errors
    /// A failure that names what is wrong or not supported.
    pub(crate) fn read(
        process: &oci::Process,
        config: &oci::Spec,
        id: &str,
        die_with_parent: bool,
    ) -> Result<Self, Failure> {
        refuse(process)?;
        let args = strings(process.args.as_deref().unwrap_or_default(), "process.args")?;
        if args.is_empty() {
            return Err(bad("process.args is empty"));
        }
        if !process.cwd.is_absolute() {
            return Err(bad("Cwd must be an absolute path"));
        }
        let user = &process.user;
        let profile = config.linux.as_ref().and_then(|l| l.seccomp.as_ref());
        let policy = config.linux.as_ref().and_then(|l| l.memory_policy.as_ref());
        let affinity = process.exec_cpu_affinity.as_ref();
        let apparmor = process.apparmor_profile.clone().filter(|p| !p.is_empty());
        Ok(Self {
            args,
            env: strings(process.env.as_deref().unwrap_or_default(), "process.env")?,
            cwd: process.cwd.clone(),
            uid: user.uid,
            gid: user.gid,
            groups: user.additional_gids.clone().unwrap_or_default(),
            umask: user.umask.unwrap_or(UMASK),
            capabilities: Capabilities::read(process.capabilities.as_ref()),
            rlimits: process.rlimits.iter().flatten().map(rlimit).collect(),
            no_new_privileges: process.no_new_privileges.unwrap_or(false),
            apparmor: apparmor.filter(|p| p != "unconfined"),
            oom_score_adj: process.oom_score_adj,
            console_size: console_size(process)?,
            seccomp: profile.map(seccomp::program).transpose()?,
            keyring: Some(c_string(&format!("_ses.{id}"), "the container's id")?),
            die_with_parent,
            preserve_fds: 0,
            scheduling: process.scheduler.as_ref().map(schedule::scheduling).transpose()?,
            io_priority: process.io_priority.as_ref().map(schedule::io_priority).transpose()?,
            memory_policy: policy.map(schedule::memory_policy).transpose()?.flatten(),
            first_processors: schedule::processors(affinity.and_then(|a| a.initial.as_deref()))?,
            processors: schedule::processors(affinity.and_then(|a| a.last.as_deref()))?,
        })
    }

    /// The same with what its caller has otherwise than usual.
    pub(crate) fn with(self, unusual: Unusual) -> Self {
        let keyring = self.keyring.filter(|_| !unusual.no_new_keyring);
        Self { preserve_fds: unusual.preserve_fds, keyring, ..self }
    }
}

fn refuse(process: &oci::Process) -> Result<(), Failure> {
    let label = process.selinux_label.as_ref().is_some_and(|l| !l.is_empty());
    let cases = [
        (label, "process.selinuxLabel"),
        (process.command_line.as_ref().is_some_and(|l| !l.is_empty()), "process.commandLine"),
    ];
    match cases.iter().find(|(there, _)| *there) {
        Some((_, what)) => Err(bad(format!("{what} is not supported"))),
        None => Ok(()),
    }
}

fn strings(strings: &[String], what: &str) -> Result<Vec<CString>, Failure> {
    strings.iter().map(|s| c_string(s, what)).collect()
}

fn c_string(string: &str, what: &str) -> Result<CString, Failure> {
    CString::new(string).map_err(|_| bad(format!("{what} has a NUL byte in it")))
}

/// Rows and columns.
fn console_size(process: &oci::Process) -> Result<Option<(u16, u16)>, Failure> {
    let Some(size) = &process.console_size else { return Ok(None) };
    let side = |n: u64| u16::try_from(n).map_err(|_| bad("process.consoleSize is too large"));
    Ok(Some((side(size.height)?, side(size.width)?)))
}

impl Capabilities {
    /// Without sets there are no capabilities at all. Names that are not known count for nothing, as with the other runtimes.
    fn read(sets: Option<&oci::LinuxCapabilities>) -> Self {
        let set = |names: Option<&Vec<String>>| {
            let known = names.into_iter().flatten().filter_map(|name| oci::Capability::from_name(name));
            known.fold(CapabilitySet::empty(), |all, one| all | bit(one))
        };
        Self {
            bounding: set(sets.and_then(|s| s.bounding.as_ref())),
            effective: set(sets.and_then(|s| s.effective.as_ref())),
            permitted: set(sets.and_then(|s| s.permitted.as_ref())),
            inheritable: set(sets.and_then(|s| s.inheritable.as_ref())),
            ambient: set(sets.and_then(|s| s.ambient.as_ref())),
        }
    }
}

fn bit(capability: oci::Capability) -> CapabilitySet {
    CapabilitySet::from_bits_retain(1 << capability.number())
}

fn rlimit(limit: &oci::PosixRlimit) -> (Resource, Rlimit) {
    let resource = match limit.typ {
        PosixRlimitType::Cpu => Resource::Cpu,
        PosixRlimitType::Fsize => Resource::Fsize,
        PosixRlimitType::Data => Resource::Data,
        PosixRlimitType::Stack => Resource::Stack,
        PosixRlimitType::Core => Resource::Core,
        PosixRlimitType::Rss => Resource::Rss,
        PosixRlimitType::Nproc => Resource::Nproc,
        PosixRlimitType::Nofile => Resource::Nofile,
        PosixRlimitType::Memlock => Resource::Memlock,
        PosixRlimitType::As => Resource::As,
        PosixRlimitType::Locks => Resource::Locks,
        PosixRlimitType::Sigpending => Resource::Sigpending,
        PosixRlimitType::Msgqueue => Resource::Msgqueue,
        PosixRlimitType::Nice => Resource::Nice,
        PosixRlimitType::Rtprio => Resource::Rtprio,
        PosixRlimitType::Rttime => Resource::Rttime,
    };
    let value = |v: u64| (v != u64::MAX).then_some(v);
    (resource, Rlimit { current: value(limit.soft), maximum: value(limit.hard) })
}
