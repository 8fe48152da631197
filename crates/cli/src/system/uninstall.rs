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
    remove_network();
    remove_exec_root()
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

/// The bridge and the firewall table hold nothing by now; a host without these programs loses them at its next boot.
fn remove_network() {
    for command in [["ip", "link", "delete", "sampan0"], ["nft", "delete", "table", "inet sampan"]] {
        let (program, arguments) = (command[0], command[1..].iter().flat_map(|word| word.split(' ')));
        let mut command = Command::new(program);
        let _ =
            command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}
