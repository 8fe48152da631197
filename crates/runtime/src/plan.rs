//! A configuration, read: everything that parent and child need, checked and in the form they need it.
//!
//! What is not supported is refused here, before anything is made.

mod hooks;
mod identity;
mod process;
mod refuse;
mod schedule;

pub(crate) use hooks::{HookPlan, state};
pub(crate) use identity::{Identity, Owners};
pub(crate) use process::{Capabilities, ProcessPlan};

use crate::Launch;
use crate::failure::{OrFail, failure, stage};
use crate::limits::{device_rules, limits};
use crate::options::{Options, root_propagation};
use rustix::fs::{Mode, OFlags};
use sampan_spec::bundle::RootFs;
use sampan_spec::journal::Failure;
use sampan_spec::oci::{self, Linux, LinuxDeviceType, LinuxNamespaceType};
use sampan_sys::cgroup::{DeviceRule, Limits};
use sampan_sys::mount::Propagation;
use sampan_sys::process::Namespaces;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// A container to make.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) namespaces: NamespacePlan,
    pub(crate) cgroup_path: String,
    pub(crate) limits: Limits,
    pub(crate) device_rules: Vec<DeviceRule>,
    pub(crate) rootfs: RootFs,
    pub(crate) read_only: bool,
    pub(crate) propagation: Propagation,
    pub(crate) mounts: Vec<MountPlan>,
    pub(crate) devices: Vec<DeviceNode>,
    pub(crate) masked: Vec<String>,
    pub(crate) read_only_paths: Vec<String>,
    pub(crate) hostname: Option<String>,
    pub(crate) domainname: Option<String>,
    pub(crate) sysctls: Vec<(String, String)>,
    pub(crate) personality_32: bool,
    pub(crate) process: ProcessPlan,
    pub(crate) hooks: HookPlan,
    /// Who its users are on the host, where it has a user name space of its own.
    pub(crate) identity: Option<Identity>,
    /// Lines for `timens_offsets` (time_namespaces(7)).
    pub(crate) clocks: Vec<String>,
    pub(crate) no_pivot: bool,
}

/// Which name spaces to make and which to join.
#[derive(Debug, Default)]
pub(crate) struct NamespacePlan {
    pub(crate) new: Namespaces,
    pub(crate) joined: Vec<(Namespaces, OwnedFd)>,
}

/// One mount.
#[derive(Clone, Debug)]
pub(crate) struct MountPlan {
    pub(crate) destination: String,
    pub(crate) source: PathBuf,
    pub(crate) kind: MountKind,
    pub(crate) options: Options,
    /// Whose files are shown in it, where that is not who they are on the disk.
    pub(crate) owners: Option<Owners>,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MountKind {
    /// A part of the host's tree, opened by the parent.
    Bind { recursive: bool },
    /// The container's own control groups.
    Cgroup,
    /// A new file system of this type, made by the child.
    Filesystem(String),
}

/// A device node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeviceNode {
    pub(crate) path: String,
    pub(crate) kind: rustix::fs::FileType,
    pub(crate) major: u32,
    pub(crate) minor: u32,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// Whether network devices can be moved into a container.
pub(crate) const NET_DEVICES: bool = false;
/// The mode of a node that names none.
const DEVICE_MODE: u32 = 0o666;

impl Plan {
    /// Reads the launch's configuration and opens the name spaces that it joins.
    ///
    /// # Errors
    /// A failure of step `config` that names what is wrong or not supported.
    pub(crate) fn read(launch: &Launch<'_>) -> Result<Self, Failure> {
        let config = launch.config;
        refuse::unsupported(config)?;
        let linux = config.linux.clone().unwrap_or_default();
        let process = config.process.as_ref().ok_or_else(|| bad("process is missing"))?;
        let namespaces = namespaces(&linux, launch.sandbox.and_then(|s| s.netns.as_ref()))?;
        refuse::without_namespace(config, &namespaces)?;
        let resources = linux.resources.clone().unwrap_or_default();
        Ok(Self {
            cgroup_path: cgroup_path(&linux, launch.id)?,
            limits: limits(&resources)?,
            device_rules: device_rules(&resources)?,
            rootfs: launch.rootfs.clone(),
            read_only: config.root.as_ref().is_some_and(|r| r.readonly.unwrap_or(false)),
            propagation: propagation(&linux)?,
            mounts: mounts(config, launch.bundle)?,
            devices: linux.devices.iter().flatten().map(device).collect::<Result<_, _>>()?,
            masked: linux.masked_paths.clone().unwrap_or_default(),
            read_only_paths: linux.readonly_paths.clone().unwrap_or_default(),
            hostname: config.hostname.clone().filter(|h| !h.is_empty()),
            domainname: config.domainname.clone().filter(|d| !d.is_empty()),
            sysctls: linux.sysctl.iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect(),
            personality_32: refuse::personality_is_32(&linux)?,
            process: ProcessPlan::read(process, config, launch.id, launch.die_with_parent)?
                .with(launch.unusual),
            hooks: HookPlan::read(launch),
            identity: identity::of_container(&linux, &namespaces)?,
            clocks: identity::clocks(&linux, &namespaces)?,
            no_pivot: launch.unusual.no_pivot,
            namespaces,
        })
    }

    /// Whether the configuration mounts something of the host's at `/dev`: then nodes there are the host's business.
    pub(crate) fn dev_is_bound(&self) -> bool {
        let dev = |m: &&MountPlan| Path::new(&m.destination) == Path::new("/dev");
        self.mounts.iter().find(dev).is_some_and(|m| matches!(m.kind, MountKind::Bind { .. }))
    }
}

/// What a configuration asks for and only a warning is made of (config.md: capabilities that are not known).
pub(crate) fn warnings(config: &oci::Spec) -> Vec<String> {
    let Some(sets) = config.process.as_ref().and_then(|p| p.capabilities.as_ref()) else { return Vec::new() };
    let oci::LinuxCapabilities { bounding, effective, inheritable, permitted, ambient } = sets;
    let all = [bounding, effective, inheritable, permitted, ambient].into_iter().flatten().flatten();
    let mut unknown: Vec<&String> = all.filter(|name| oci::Capability::from_name(name).is_none()).collect();
    unknown.sort();
    unknown.dedup();
    unknown.into_iter().map(|name| format!("capability {name:?} is not known")).collect()
}

/// A failure of step `config`.
pub(crate) fn bad(what: impl Into<String>) -> Failure {
    failure(stage::CONFIG, what)
}

/// The kinds that a configuration can name.
pub(crate) fn namespace_kind(typ: LinuxNamespaceType) -> Namespaces {
    match typ {
        LinuxNamespaceType::Mount => Namespaces::MOUNT,
        LinuxNamespaceType::Cgroup => Namespaces::CGROUP,
        LinuxNamespaceType::Uts => Namespaces::UTS,
        LinuxNamespaceType::Ipc => Namespaces::IPC,
        LinuxNamespaceType::Pid => Namespaces::PID,
        LinuxNamespaceType::Network => Namespaces::NETWORK,
        LinuxNamespaceType::User => Namespaces::USER,
        LinuxNamespaceType::Time => Namespaces::TIME,
    }
}

fn namespaces(linux: &Linux, kept_network: Option<&OwnedFd>) -> Result<NamespacePlan, Failure> {
    let mut plan = NamespacePlan::default();
    for namespace in linux.namespaces.iter().flatten() {
        let kind = namespace_kind(namespace.typ);
        let path = namespace.path.as_ref().filter(|p| !p.as_os_str().is_empty());
        let joined = match (path, kept_network) {
            // Also where it is another container's: that one may have another process 1 by now.
            (_, Some(kept)) if kind == Namespaces::NETWORK => {
                Some(kept.try_clone().or_fail(stage::NAMESPACES, || "keep the network namespace")?)
            }
            (Some(path), _) => {
                // What is none of the kernel's files could make us wait.
                let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
                let opened = rustix::fs::open(path, flags, Mode::empty());
                Some(opened.or_fail(stage::NAMESPACES, || format!("open namespace {}", path.display()))?)
            }
            (None, _) => None,
        };
        match joined {
            Some(fd) => plan.joined.push((kind, fd)),
            None => plan.new |= kind,
        }
    }
    if !plan.new.contains(Namespaces::MOUNT) {
        return Err(bad("a container without a new mount namespace is not supported"));
    }
    Ok(plan)
}

/// An absolute path below each hierarchy's root; `/sampan/<id>` without one.
fn cgroup_path(linux: &Linux, id: &str) -> Result<String, Failure> {
    let Some(path) = linux.cgroups_path.as_ref().filter(|p| !p.as_os_str().is_empty()) else {
        return Ok(format!("/sampan/{id}"));
    };
    let path = path.to_str().ok_or_else(|| bad("linux.cgroupsPath is not UTF-8"))?;
    if path.starts_with('/') {
        Ok(path.to_owned())
    } else if path.contains(':') {
        Err(bad(format!("linux.cgroupsPath {path:?}: systemd's cgroup driver is not supported")))
    } else {
        Ok(format!("/{path}"))
    }
}

fn propagation(linux: &Linux) -> Result<Propagation, Failure> {
    match linux.rootfs_propagation.as_deref().filter(|p| !p.is_empty()) {
        None => Ok(Propagation::Private),
        Some(name) => root_propagation(name)
            .ok_or_else(|| bad(format!("linux.rootfsPropagation {name:?} is not known"))),
    }
}

fn mounts(config: &oci::Spec, bundle: &Path) -> Result<Vec<MountPlan>, Failure> {
    config.mounts.iter().flatten().map(|m| mount(m, bundle)).collect()
}

fn mount(mount: &oci::Mount, bundle: &Path) -> Result<MountPlan, Failure> {
    let destination = mount.destination.to_str().ok_or_else(|| bad("a mount's destination is not UTF-8"))?;
    let options = Options::parse(mount.options.as_deref().unwrap_or_default())
        .map_err(|option| bad(format!("mount {destination:?}: option {option:?} is not supported")))?;
    let kind = match (mount.typ.as_deref().unwrap_or("none"), options.bind) {
        (_, Some(recursive)) => MountKind::Bind { recursive },
        ("bind", None) => MountKind::Bind { recursive: false },
        ("none" | "", None) => return Err(bad(format!("mount {destination:?} has no type"))),
        ("cgroup" | "cgroup2", None) => MountKind::Cgroup,
        (other, None) => MountKind::Filesystem(other.to_owned()),
    };
    let source = mount.source.clone().unwrap_or_default();
    let source = if matches!(kind, MountKind::Bind { .. }) { bundle.join(source) } else { source };
    let owners = identity::of_mount(mount, options.idmap)?;
    if owners.is_some() && !matches!(kind, MountKind::Bind { .. }) {
        return Err(bad(format!("mount {destination:?}: only bind mounts can be idmapped")));
    }
    Ok(MountPlan { destination: destination.to_owned(), source, kind, options, owners })
}

fn device(device: &oci::LinuxDevice) -> Result<DeviceNode, Failure> {
    let path = device.path.to_str().filter(|p| p.starts_with('/'));
    let path = path.ok_or_else(|| bad("a device's path is not absolute"))?.to_owned();
    let kind = match device.typ {
        LinuxDeviceType::B => rustix::fs::FileType::BlockDevice,
        LinuxDeviceType::C | LinuxDeviceType::U => rustix::fs::FileType::CharacterDevice,
        LinuxDeviceType::P => rustix::fs::FileType::Fifo,
        LinuxDeviceType::A => return Err(bad(format!("device {path}: \"a\" is no type of a node"))),
    };
    let number =
        |n: i64| u32::try_from(n).map_err(|_| bad(format!("device {path}: {n} is no device number")));
    let (major, minor) = (number(device.major.unwrap_or(0))?, number(device.minor.unwrap_or(0))?);
    let mode = device.file_mode.unwrap_or(DEVICE_MODE) & 0o7777;
    let (uid, gid) = (device.uid.unwrap_or(0), device.gid.unwrap_or(0));
    Ok(DeviceNode { path, kind, major, minor, mode, uid, gid })
}

#[cfg(test)]
mod tests;
