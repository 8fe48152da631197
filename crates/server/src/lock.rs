//! One daemon per data-root: a lock that ends with its holder, and the pid file that an operator asked for.

use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Holds a data-root until it is dropped.
#[derive(Debug)]
pub(crate) struct RootLock {
    _file: File,
}

/// A pid file, removed when dropped.
#[derive(Debug)]
pub(crate) struct PidFile {
    path: PathBuf,
}

/// Another daemon is in the way.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// It uses the same data-root.
    #[error(
        "the data-root {path} is in use by another daemon (pid {pid}): stop that one, or give this one its own --data-root"
    )]
    Held {
        /// The data-root.
        path: PathBuf,
        /// The other daemon's pid, `unknown` in the moment before it has written it.
        pid: String,
    },
    /// The pid file names a process that runs.
    #[error(
        "failed to start daemon, ensure no other is running or delete {path}: process with PID {pid} is still running"
    )]
    Runs {
        /// The pid file.
        path: PathBuf,
        /// The process.
        pid: i32,
    },
    /// A file cannot be made or written.
    #[error("write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl RootLock {
    /// Takes a data-root, which is made if it is not there.
    ///
    /// # Errors
    /// When another daemon has it, or the folder cannot be written to.
    pub(crate) fn take(root: &Path) -> Result<Self, LockError> {
        let path = root.join("lock");
        let fail = |source| LockError::Write { path: path.clone(), source };
        fs::create_dir_all(root).map_err(fail)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(fail)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut pid = String::new();
                // Not yet written is as good as not readable.
                let _ = file.read_to_string(&mut pid);
                let pid = if pid.trim().is_empty() { "unknown".into() } else { pid.trim().to_owned() };
                return Err(LockError::Held { path: root.to_owned(), pid });
            }
            other => other.map_err(|e| fail(e.into()))?,
        }
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(fail)?;
        Ok(Self { _file: file })
    }
}

impl PidFile {
    /// Writes one.
    ///
    /// # Errors
    /// When it names a process that runs, or cannot be written.
    pub(crate) fn write(path: &Path) -> Result<Self, LockError> {
        let own = std::process::id();
        let written = fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<i32>().ok());
        if let Some(pid) = written.filter(|pid| u32::try_from(*pid) != Ok(own) && runs(*pid)) {
            return Err(LockError::Runs { path: path.to_owned(), pid });
        }
        let write = || {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(path, format!("{own}"))
        };
        write().map_err(|source| LockError::Write { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned() })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Somebody else may have removed it.
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether a process runs. One that was killed and not reaped yet does not (proc_pid_stat(5)).
fn runs(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, fields)| fields.chars().next());
    state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_daemon_is_told_the_first_ones_pid() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        let first = RootLock::take(&root).unwrap();
        let text = RootLock::take(&root).unwrap_err().to_string();
        assert!(text.contains(&format!("(pid {})", std::process::id())), "{text}");
        drop(first);
        RootLock::take(&root).unwrap();
    }

    #[test]
    fn a_pid_file_of_a_living_process_is_respected() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sub/pid");
        drop(PidFile::write(&path).unwrap());
        assert!(!path.exists());
        fs::write(&path, "1\n").unwrap();
        assert!(matches!(PidFile::write(&path), Err(LockError::Runs { pid: 1, .. })));
        fs::write(&path, "garbage").unwrap();
        PidFile::write(&path).unwrap();
    }

    #[test]
    fn a_pid_file_of_a_zombie_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pid");
        let mut child =
            std::process::Command::new("true").stdout(std::process::Stdio::piped()).spawn().unwrap();
        let mut nothing = String::new();
        child.stdout.take().unwrap().read_to_string(&mut nothing).unwrap();
        let zombie = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::waitid(rustix::process::WaitId::Pid(pid), zombie).unwrap();
        fs::write(&path, child.id().to_string()).unwrap();
        PidFile::write(&path).unwrap();
        child.wait().unwrap();
    }
}
