//! A daemon in the background when a command needs one: it lives outside the login session, so that it and the containers
//! stay when the user logs out.
//!
//! With systemd it runs in units of the same kind as installed ones, which live until the next boot. Without, a keeper
//! (`sampan-runtime keep`) holds the socket and starts the daemon again when it dies.

use super::systemd::{RUNTIME_UNITS, SystemctlError, UNITS, is_running, systemctl};
use super::units::{CONTAINERS, SERVICE, SOCKET, SOCKET_PATH, Units};
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What keeper and daemon print, where there is no systemd.
const LOG: &str = "/var/log/sampan.log";
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(1);

/// No daemon could be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error("cannot find this program: {0}")]
    Program(#[source] io::Error),
    #[error("cannot write {path}: {source}")]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot start {program}: {source}")]
    Spawn { program: PathBuf, source: io::Error },
    #[error("the daemon did not start: see {LOG}")]
    Ended,
    #[error(transparent)]
    Systemctl(#[from] SystemctlError),
}

/// Whether this user could start one.
pub(crate) fn is_allowed() -> bool {
    rustix::process::geteuid().is_root()
}

/// Where the daemon will be, for the line that the user is told.
pub(crate) fn place() -> String {
    if is_running() { format!("systemd unit {SERVICE}") } else { format!("log: {LOG}") }
}

/// Starts one, and returns when clients can connect.
pub(crate) fn start() -> Result<(), StartError> {
    let program = std::env::current_exe().map_err(StartError::Program)?;
    if is_running() { start_units(&program) } else { start_keeper(&program) }
}

fn start_units(program: &Path) -> Result<(), StartError> {
    if !Path::new(UNITS).join(SOCKET).exists() {
        let units = Units { sampan: program, docker_socket: false, made_group: false };
        for (name, text) in units.all() {
            let path = Path::new(RUNTIME_UNITS).join(name);
            fs::write(&path, text).map_err(|source| StartError::Write { path, source })?;
        }
        systemctl(&["daemon-reload"])?;
    }
    Ok(systemctl(&["start", CONTAINERS, SOCKET, SERVICE])?)
}

fn start_keeper(program: &Path) -> Result<(), StartError> {
    let write = |source| StartError::Write { path: LOG.into(), source };
    let log = OpenOptions::new().create(true).append(true).open(LOG).map_err(write)?;
    let errors = log.try_clone().map_err(write)?;
    let child = Command::new(program)
        .args(["system", "keep"])
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .spawn()
        .map_err(|source| StartError::Spawn { program: program.to_owned(), source })?;
    wait_until_it_listens(child)
}

/// The keeper binds and listens at once; nothing but trying tells when.
fn wait_until_it_listens(mut keeper: Child) -> Result<(), StartError> {
    let end = Instant::now() + PATIENCE;
    loop {
        if UnixStream::connect(SOCKET_PATH).is_ok() {
            return Ok(());
        }
        if !matches!(keeper.try_wait(), Ok(None)) || Instant::now() > end {
            return Err(StartError::Ended);
        }
        std::thread::sleep(PAUSE);
    }
}

/// `sampan system keep`, in the new process: leaves the session and its cgroups, then becomes the keeper. Returns only
/// if that fails.
pub(crate) fn become_keeper() -> StartError {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return StartError::Program(error),
    };
    // A process that leads its group already keeps its session: it was started by hand.
    let _ = rustix::process::setsid();
    leave_cgroups();
    let runtime = std::env::var_os("SAMPAN_RUNTIME")
        .map_or_else(|| program.with_file_name("sampan-runtime"), PathBuf::from);
    let mut command = Command::new(&runtime);
    command.args(["keep", "--listen", &format!("unix:{SOCKET_PATH}"), "--"]);
    let source = command.arg(&program).args(["daemon", "-H", "fd://"]).exec();
    StartError::Spawn { program: runtime, source }
}

/// Moves this process to the root of every hierarchy. Where that is not allowed it stays.
fn leave_cgroups() {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    for (root, file) in cgroup_roots(&mounts) {
        let _ = fs::write(Path::new(root).join(file), "0");
    }
}

/// Every cgroup hierarchy's mount point, and the file that takes a process in: on version 1 `tasks` is quicker.
fn cgroup_roots(mounts: &str) -> impl Iterator<Item = (&str, &'static str)> {
    mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        match (words.next()?, words.next()?) {
            (root, "cgroup2") => Some((root, "cgroup.procs")),
            (root, "cgroup") => Some((root, "tasks")),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hierarchies() {
        let mounts = "proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n\
                      cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n";
        assert_eq!(
            cgroup_roots(mounts).collect::<Vec<_>>(),
            [("/sys/fs/cgroup/unified", "cgroup.procs"), ("/sys/fs/cgroup/cpu", "tasks")]
        );
    }
}
