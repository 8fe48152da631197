//! `sampan system uninstall`: everything that `install` brought goes, what users made stays.

use super::install::{InstallError, NAMES, PROGRAMS, check_host, remove_group};
use super::systemd::{RUNTIME_UNITS, UNITS, systemctl};
use super::units::{CONTAINERS, DOCKER_SOCKET, GROUP_MARK, SERVICE, SOCKET, SOCKET_PATH};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The exec-root of the units' daemon.
const EXEC_ROOT: &str = "/run/sampan";

/// Stops the daemon, then the containers, and removes units, programs, sockets, bridge and firewall table.
pub(crate) fn uninstall() -> Result<(), InstallError> {
    check_host()?;
    let socket = fs::read_to_string(Path::new(UNITS).join(SOCKET)).unwrap_or_default();
    for units in [&[SERVICE, SOCKET][..], &[CONTAINERS]] {
        if units.iter().any(|unit| is_known(unit)) {
            let stop: Vec<_> = ["disable", "--quiet", "--now"].iter().chain(units).copied().collect();
            systemctl(&stop)?;
        }
    }
    for unit in [CONTAINERS, SOCKET, SERVICE] {
        remove(&Path::new(UNITS).join(unit))?;
        remove(&Path::new(RUNTIME_UNITS).join(unit))?;
    }
    systemctl(&["daemon-reload"])?;
    remove(Path::new(SOCKET_PATH))?;
    if socket.contains(DOCKER_SOCKET) {
        remove(Path::new(DOCKER_SOCKET))?;
    }
    if socket.contains(GROUP_MARK) {
        remove_group();
    }
    for name in NAMES {
        remove(&Path::new(PROGRAMS).join(name))?;
    }
    remove_exec_root()?;
    clean_up()
}

fn is_known(unit: &str) -> bool {
    [UNITS, RUNTIME_UNITS].iter().any(|folder| Path::new(folder).join(unit).exists())
}

fn remove(path: &Path) -> Result<(), InstallError> {
    gone(fs::remove_file(path), path.to_owned())
}

/// Bundles and sockets of containers that have ended.
fn remove_exec_root() -> Result<(), InstallError> {
    gone(fs::remove_dir_all(EXEC_ROOT), EXEC_ROOT.into())
}

fn gone(result: io::Result<()>, path: PathBuf) -> Result<(), InstallError> {
    match result {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(InstallError::Remove { path, source }),
        _ => Ok(()),
    }
}

/// Bridge, firewall rules and control groups are the daemon's: it knows by its options which they are. This program is
/// executed again, whose file may be gone by now.
fn clean_up() -> Result<(), InstallError> {
    let output = Command::new("/proc/self/exe")
        .args(["daemon", "--clean-up"])
        .stdin(Stdio::null())
        .output()
        .map_err(|source| InstallError::Read { path: "/proc/self/exe".into(), source })?;
    if output.status.success() {
        return Ok(());
    }
    Err(InstallError::CleanUp(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}
