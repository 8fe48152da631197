//! Which parts of the host, or of another container, a container shares.

use super::{Error, invalid};
use sampan_api::body::{DeviceMapping, HostConfig};
use sampan_engine::container::{Device, IpcMode, Peer, PidMode};

pub(super) fn pid_mode(mode: &str) -> Result<PidMode, Error> {
    match (mode, peer(mode)) {
        ("" | "private", _) => Ok(PidMode::Private),
        ("host", _) => Ok(PidMode::Host),
        (_, Some(peer)) => Ok(PidMode::Container(peer)),
        _ => invalid(format!("invalid PID mode: {mode}")),
    }
}

pub(super) fn ipc_mode(mode: &str) -> Result<IpcMode, Error> {
    match (mode, peer(mode)) {
        ("" | "private", _) => Ok(IpcMode::Private),
        ("shareable", _) => Ok(IpcMode::Shareable),
        ("none", _) => Ok(IpcMode::None),
        ("host", _) => Ok(IpcMode::Host),
        (_, Some(peer)) => Ok(IpcMode::Container(peer)),
        _ => invalid(format!("invalid IPC mode: {mode}")),
    }
}

/// Whether the name is the host's.
pub(super) fn shares_uts(mode: &str) -> Result<bool, Error> {
    host_or(mode, &[""], || format!("invalid UTS mode: {mode}"))
}

/// Whether the control groups are the host's.
pub(super) fn shares_cgroups(mode: &str) -> Result<bool, Error> {
    host_or(mode, &["", "private"], || format!("invalid CGROUP mode: {mode}"))
}

/// There are no user name spaces: the container's users are the host's, which is what `host` asks for.
pub(super) fn userns(mode: &str) -> Result<String, Error> {
    host_or(mode, &[""], || format!("invalid user namespace mode: {mode}")).map(|_| mode.to_owned())
}

fn host_or(mode: &str, own: &[&str], text: impl FnOnce() -> String) -> Result<bool, Error> {
    match mode {
        "host" => Ok(true),
        _ if own.contains(&mode) => Ok(false),
        _ => invalid(text()),
    }
}

/// The container that `container:name` means.
pub(super) fn peer(mode: &str) -> Option<Peer> {
    let name = mode.strip_prefix("container:").filter(|name| !name.is_empty())?;
    Some(Peer::Named(name.to_owned()))
}

pub(super) fn devices(mappings: Option<Vec<DeviceMapping>>) -> Vec<Device> {
    let or = |text: String, other: &str| if text.is_empty() { other.to_owned() } else { text };
    let device = |mapping: DeviceMapping| Device {
        container: or(mapping.path_in_container, &mapping.path_on_host),
        host: mapping.path_on_host,
        access: or(mapping.cgroup_permissions, "rwm"),
    };
    mappings.into_iter().flatten().map(device).collect()
}

pub(super) fn shm_size(host: &HostConfig) -> Result<Option<u64>, Error> {
    match u64::try_from(host.shm_size) {
        Ok(size) => Ok(Some(size).filter(|size| *size > 0)),
        Err(_) => invalid("SHM size can not be less than 0".into()),
    }
}

/// Runtimes by the names under which Docker's users know the one that there is.
pub(super) fn check_runtime(name: &str) -> Result<(), Error> {
    match name {
        "" | "runc" | "io.containerd.runc.v2" | crate::convert::inspect::RUNTIME => Ok(()),
        _ => invalid(format!("unknown or invalid runtime name: {name}")),
    }
}

pub(super) fn check_isolation(name: &str) -> Result<(), Error> {
    match name.to_ascii_lowercase().as_str() {
        "" | "default" => Ok(()),
        _ => invalid(format!("invalid isolation ({name}): valid value is 'default'")),
    }
}
