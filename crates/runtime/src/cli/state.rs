//! What the command line remembers of a container between two commands.

use super::log::Log;
use super::{CliError, Context};
use crate::hooks;
use sampan_spec::journal::Failure;
use sampan_spec::oci::{self, ContainerState, Hook, Hooks};
use sampan_sys::cgroup::{Cgroup, Layout};
use sampan_sys::process::pidfd_open;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

const FILE: &str = "state.json";
const GATE: &str = "start.sock";

/// `state.json`. Format break.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) id: String,
    pub(super) pid: i32,
    /// When the process started, in clock ticks since boot: pids are used again.
    pub(super) started: u64,
    pub(super) bundle: PathBuf,
    pub(super) created: sampan_spec::Timestamp,
    pub(super) cgroup: String,
    pub(super) config: oci::Spec,
}

/// Where a container is in its life (runtime specification, runtime.md "State").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Created,
    Running,
    Paused,
    Stopped,
}

impl Status {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        }
    }
}

/// A container's folder.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn of(context: &Context<'_>, id: &str) -> Self {
        Self(context.root.join(id))
    }

    /// All that there are, in the order of their names.
    pub(super) fn all(context: &Context<'_>) -> Result<Vec<(String, Self)>, CliError> {
        let failed = |source| CliError::File { what: "read", path: context.root.clone(), source };
        let entries = match fs::read_dir(&context.root) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?,
        };
        let mut ids: Vec<String> = entries.iter().filter_map(|e| e.file_name().into_string().ok()).collect();
        ids.sort();
        Ok(ids.into_iter().map(|id| (id.clone(), Self::of(context, &id))).collect())
    }

    /// Makes it; it must not exist.
    pub(super) fn create(&self) -> Result<(), CliError> {
        let make = |recursive: bool, path: &Path| {
            fs::DirBuilder::new().recursive(recursive).mode(0o700).create(path)
        };
        let made =
            self.0.parent().map_or(Ok(()), |root| make(true, root)).and_then(|()| make(false, &self.0));
        match made {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Err(CliError::Exists),
            made => made.map_err(|source| CliError::File { what: "mkdir", path: self.0.clone(), source }),
        }
    }

    pub(super) fn remove(&self) -> Result<(), CliError> {
        match fs::remove_dir_all(&self.0) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => {
                removed.map_err(|source| CliError::File { what: "remove", path: self.0.clone(), source })
            }
        }
    }

    /// The socket on which a created process waits.
    pub(super) fn gate(&self) -> PathBuf {
        self.0.join(GATE)
    }

    pub(super) fn write(&self, state: &State) -> Result<(), CliError> {
        let path = self.0.join(FILE);
        let json = serde_json::to_vec(state).map_err(|source| CliError::Json {
            what: "encode",
            path: path.clone(),
            source,
        })?;
        let new = self.0.join("state.json.new");
        let written = fs::write(&new, json).and_then(|()| fs::rename(&new, &path));
        written.map_err(|source| CliError::File { what: "write", path, source })
    }

    pub(super) fn read(&self, id: &str) -> Result<State, CliError> {
        let path = self.0.join(FILE);
        let json = match fs::read(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(CliError::NotFound(id.into())),
            read => read.map_err(|source| CliError::File { what: "read", path: path.clone(), source })?,
        };
        serde_json::from_slice(&json).map_err(|source| CliError::Json { what: "read", path, source })
    }

    pub(super) fn status(&self, state: &State) -> Result<Status, CliError> {
        if state.process().is_none() {
            return Ok(Status::Stopped);
        }
        if self.gate().exists() {
            return Ok(Status::Created);
        }
        Ok(if state.cgroup()?.is_frozen()? { Status::Paused } else { Status::Running })
    }
}

impl State {
    /// Executes the hooks behind the program's start.
    pub(super) fn poststart(&self) -> Result<(), Failure> {
        self.hooks(|hooks| &hooks.poststart, "poststart", ContainerState::Running)
    }

    /// Executes the hooks behind the container's removal. What goes wrong there stops nothing.
    pub(super) fn poststop(&self, log: &Log) {
        if let Err(failure) = self.hooks(|hooks| &hooks.poststop, "poststop", ContainerState::Stopped) {
            log.warn(&failure.message);
        }
    }

    fn hooks(
        &self,
        list: fn(&Hooks) -> &Option<Vec<Hook>>,
        name: &str,
        status: ContainerState,
    ) -> Result<(), Failure> {
        let pid = if status == ContainerState::Stopped { 0 } else { self.pid };
        let state = oci::State { pid, ..crate::plan::state(&self.id, &self.bundle, &self.config) };
        let hooks = self.config.hooks.as_ref().and_then(|hooks| list(hooks).as_deref());
        hooks::run(hooks.unwrap_or_default(), name, &state, status)
    }

    pub(super) fn cgroup(&self) -> Result<Cgroup, CliError> {
        Ok(Cgroup::at(&Layout::detect()?, &self.cgroup)?)
    }

    /// The process, if it has not ended.
    pub(super) fn process(&self) -> Option<OwnedFd> {
        let pidfd = pidfd_open(self.pid).ok()?;
        let (state, started) = stat(self.pid)?;
        (started == self.started && !matches!(state, 'Z' | 'X')).then_some(pidfd)
    }
}

/// A process's state letter and start time (proc_pid_stat(5)).
fn stat(pid: i32) -> Option<(char, u64)> {
    // The name, in parentheses, can hold anything, also what is no UTF-8.
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    let mut fields = text.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

/// When a process started; 0 if it is gone.
pub(super) fn start_time(pid: i32) -> u64 {
    stat(pid).map_or(0, |(_, started)| started)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_start_time() {
        let pid = std::process::id() as i32;
        assert!(start_time(pid) > 0);
        assert_eq!(stat(pid).unwrap().1, start_time(pid));
        assert_eq!(stat(0), None);
    }

    #[test]
    fn a_process_whose_name_is_no_text_is_seen() {
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join(std::ffi::OsStr::from_bytes(b"\xff) Z \xff"));
        fs::copy("/bin/sleep", &program).unwrap();
        let mut child = std::process::Command::new(&program).arg("1000").spawn().unwrap();
        let seen = stat(child.id() as i32);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(seen.is_some_and(|(state, started)| state != 'Z' && started > 0), "{seen:?}");
    }
}
