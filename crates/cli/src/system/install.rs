//! `sampan system install`: the programs and units in their places, and the engine running.

use super::systemd::{RUNTIME_UNITS, SystemctlError, UNITS, is_active, is_running, systemctl};
use super::undo::Undo;
use super::units::{
    CONTAINERS, DOCKER_GROUP, DOCKER_SOCKET, GROUP_MARK, SERVICE, SOCKET, SOCKET_PATH, Units,
};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where the programs go.
pub(crate) const PROGRAMS: &str = "/usr/local/bin";
/// The programs, which stand side by side.
pub(crate) const NAMES: [&str; 2] = ["sampan", "sampan-runtime"];

/// The engine could not be installed or taken away.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InstallError {
    #[error("only root can do this")]
    NotRoot,
    #[error("this host does not run systemd: the programs can be started from where they are")]
    NoSystemd,
    #[error("cannot find {0} beside this program")]
    NoRuntime(PathBuf),
    #[error("another program listens on {0}: stop it first")]
    Listening(&'static str),
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {path}: {source}")]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot remove {path}: {source}")]
    Remove { path: PathBuf, source: io::Error },
    #[error("cannot make the group {DOCKER_GROUP}: {0}")]
    Group(String),
    #[error("all was removed but what the engine has made on this host: {0}")]
    CleanUp(String),
    #[error(transparent)]
    Systemctl(#[from] SystemctlError),
}

/// Refuses everybody but root, and hosts without systemd.
pub(crate) fn check_host() -> Result<(), InstallError> {
    if !rustix::process::geteuid().is_root() {
        return Err(InstallError::NotRoot);
    }
    if is_running() { Ok(()) } else { Err(InstallError::NoSystemd) }
}

/// Installs or updates; what was changed is taken back if a later step fails.
pub(crate) fn install(docker_socket: bool) -> Result<(), InstallError> {
    check_host()?;
    let before = fs::read_to_string(Path::new(UNITS).join(SOCKET)).unwrap_or_default();
    check_sockets(&before, docker_socket)?;
    let mut undo = Undo::default();
    // Who made the group must not be forgotten, whatever is asked for this time.
    let made_group = (docker_socket && ensure_group(&mut undo)?) || before.contains(GROUP_MARK);
    let sampan = Path::new(PROGRAMS).join(NAMES[0]);
    let mut changed = put_programs(&mut undo)?;
    let units = Units { sampan: &sampan, docker_socket, made_group };
    undo.with(|| drop(systemctl(&["daemon-reload"])));
    for (name, text) in units.all() {
        changed |= put(&Path::new(UNITS).join(name), text.as_bytes(), 0o644, &mut undo)?;
        let transient = Path::new(RUNTIME_UNITS).join(name);
        changed |= transient.is_file() && fs::remove_file(transient).is_ok();
    }
    activate(before != units.all()[1].1, changed, &mut undo)?;
    if before.contains(DOCKER_SOCKET) && !docker_socket {
        // Nobody listens there any more, and a client would not be told so.
        let _ = fs::remove_file(DOCKER_SOCKET);
    }
    undo.keep();
    Ok(())
}

fn check_sockets(before: &str, docker_socket: bool) -> Result<(), InstallError> {
    let listens = |path: &str| UnixStream::connect(path).is_ok();
    if !is_active(SOCKET) && listens(SOCKET_PATH) {
        return Err(InstallError::Listening(SOCKET_PATH));
    }
    if docker_socket && !before.contains(DOCKER_SOCKET) && listens(DOCKER_SOCKET) {
        return Err(InstallError::Listening(DOCKER_SOCKET));
    }
    Ok(())
}

fn put_programs<'a>(undo: &mut Undo<'a>) -> Result<bool, InstallError> {
    let own = std::env::current_exe()
        .map_err(|source| InstallError::Read { path: "/proc/self/exe".into(), source })?;
    let mut changed = false;
    for name in NAMES {
        let from = own.with_file_name(name);
        let bytes = match fs::read(&from) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(InstallError::NoRuntime(from));
            }
            Err(source) => return Err(InstallError::Read { path: from, source }),
        };
        changed |= put(&Path::new(PROGRAMS).join(name), &bytes, 0o755, undo)?;
    }
    Ok(changed)
}

/// Has systemd read the units and run what they say. A socket cannot change while its service runs.
fn activate<'a>(socket_changed: bool, changed: bool, undo: &mut Undo<'a>) -> Result<(), InstallError> {
    systemctl(&["daemon-reload"])?;
    let enabled = is_enabled(SERVICE);
    if !enabled {
        undo.with(|| drop(systemctl(&["disable", "--quiet", CONTAINERS, SOCKET, SERVICE])));
    }
    systemctl(&["enable", "--quiet", CONTAINERS, SOCKET, SERVICE])?;
    if !is_active(SERVICE) {
        undo.with(|| drop(systemctl(&["stop", SERVICE, SOCKET, CONTAINERS])));
    }
    if socket_changed {
        systemctl(&["stop", SERVICE, SOCKET])?;
    }
    systemctl(&["start", CONTAINERS, SOCKET])?;
    systemctl(&[if changed { "restart" } else { "start" }, SERVICE])?;
    Ok(())
}

fn is_enabled(unit: &str) -> bool {
    systemctl(&["is-enabled", "--quiet", unit]).is_ok()
}

/// Makes the group if it is not there; `true` if it was not.
fn ensure_group(undo: &mut Undo<'_>) -> Result<bool, InstallError> {
    let groups = fs::read_to_string("/etc/group")
        .map_err(|source| InstallError::Read { path: "/etc/group".into(), source })?;
    if groups.lines().any(|line| line.split(':').next() == Some(DOCKER_GROUP)) {
        return Ok(false);
    }
    let output = Command::new("groupadd").args(["--system", DOCKER_GROUP]).stdin(Stdio::null()).output();
    match output {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            return Err(InstallError::Group(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        Err(error) => return Err(InstallError::Group(format!("cannot run groupadd: {error}"))),
    }
    undo.with(remove_group);
    Ok(true)
}

/// Removes the group that [`install`] made.
pub(crate) fn remove_group() {
    let _ = Command::new("groupdel").arg(DOCKER_GROUP).stdin(Stdio::null()).stderr(Stdio::null()).status();
}

/// Puts a file in its place in one step, synced. `false` if it is there already.
fn put(path: &Path, bytes: &[u8], mode: u32, undo: &mut Undo<'_>) -> Result<bool, InstallError> {
    let before = fs::read(path).ok();
    let same_mode = || fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o7777 == mode);
    if before.as_deref() == Some(bytes) && same_mode() {
        return Ok(false);
    }
    replace(path, bytes, mode).map_err(|source| InstallError::Write { path: path.to_owned(), source })?;
    let path = path.to_owned();
    undo.with(move || {
        // Nothing more can be done about a failure while undoing one.
        let _ = match before {
            Some(bytes) => replace(&path, &bytes, mode),
            None => fs::remove_file(&path),
        };
    });
    Ok(true)
}

fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = (|| {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
        file.write_all(bytes)?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_put_once_and_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let [old, new] = ["old", "new"].map(|name| folder.path().join(name));
        fs::write(&old, "before").unwrap();
        let mut undo = Undo::default();
        assert!(put(&old, b"after", 0o755, &mut undo).unwrap());
        assert!(put(&new, b"x", 0o644, &mut undo).unwrap());
        assert!(!put(&new, b"x", 0o644, &mut undo).unwrap());
        assert_eq!(fs::metadata(&old).unwrap().permissions().mode() & 0o777, 0o755);
        drop(undo);
        assert_eq!(fs::read_to_string(&old).unwrap(), "before");
        assert!(!new.exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
