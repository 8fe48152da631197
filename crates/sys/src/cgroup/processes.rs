//! What is done to all processes of a cgroup, and how the kernel tells about them.

use super::files::{number_of, read, write};
use super::{Cgroup, CgroupError, Place};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::inotify;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

/// How long the kernel may take to stop or end all processes before it counts as an error, in milliseconds.
const PATIENCE_MS: u64 = 10_000;
/// How often a value is looked at that the kernel does not tell about, in milliseconds.
const GLANCE_MS: u64 = 1;

impl Cgroup {
    /// Stops all processes, and returns when all have stopped.
    ///
    /// # Errors
    /// [`CgroupError::Write`] and [`CgroupError::Read`]; `TimedOut` in them if a process does not stop.
    pub fn freeze(&self) -> Result<(), CgroupError> {
        self.set_frozen(true)
    }

    /// Lets all processes run again.
    ///
    /// # Errors
    /// As [`Cgroup::freeze`].
    pub fn thaw(&self) -> Result<(), CgroupError> {
        self.set_frozen(false)
    }

    /// Whether [`Cgroup::freeze`] was the last that was asked for.
    ///
    /// # Errors
    /// [`CgroupError::Read`].
    pub fn is_frozen(&self) -> Result<bool, CgroupError> {
        match &self.unified {
            Some(folder) => Ok(read(&folder.join("cgroup.freeze"))?.trim() == "1"),
            None => Ok(read(&self.freezer()?)?.trim() != "THAWED"),
        }
    }

    fn set_frozen(&self, frozen: bool) -> Result<(), CgroupError> {
        if let Some(folder) = &self.unified {
            write(&folder.join("cgroup.freeze"), if frozen { "1" } else { "0" })?;
            return wait_for_event(&folder.join("cgroup.events"), "frozen", u64::from(frozen));
        }
        let file = self.freezer()?;
        let state = if frozen { "FROZEN" } else { "THAWED" };
        for _ in 0..PATIENCE_MS / GLANCE_MS {
            write(&file, state)?;
            if read(&file)?.trim() == state {
                return Ok(());
            }
            glance();
        }
        Err(CgroupError::Write { file, value: state.into(), source: io::ErrorKind::TimedOut.into() })
    }

    fn freezer(&self) -> Result<PathBuf, CgroupError> {
        let (Place::V1(folder) | Place::V2(folder)) = self.place("freezer")?;
        Ok(folder.join("freezer.state"))
    }

    /// Sends SIGKILL to all processes at once, frozen ones and later forks included. Does not wait for their end. Where
    /// somebody else removes the cgroup meanwhile, all of them have ended.
    ///
    /// # Errors
    /// [`CgroupError::Write`], [`CgroupError::Read`].
    pub fn kill_all(&self) -> Result<(), CgroupError> {
        or_gone(self.kill_members())
    }

    fn kill_members(&self) -> Result<(), CgroupError> {
        if let Some(folder) = &self.unified {
            return write(&folder.join("cgroup.kill"), "1");
        }
        self.freeze()?;
        for pid in self.pids()? {
            if let Some(pid) = rustix::process::Pid::from_raw(pid) {
                // One that has ended meanwhile is as dead as asked.
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
        self.thaw()
    }

    /// The pids of all processes, those of child cgroups included, as this process's pid name space numbers them.
    ///
    /// # Errors
    /// [`CgroupError::Read`].
    pub fn pids(&self) -> Result<Vec<i32>, CgroupError> {
        let folder = self.unified.as_deref().or(self.v1.first().map(|h| h.folder.as_path()));
        let mut pids = Vec::new();
        if let Some(folder) = folder {
            collect_pids(folder, &mut pids)?;
        }
        Ok(pids)
    }

    /// Removes it with its child cgroups, in all hierarchies. Processes that are left in it are killed. One that is not
    /// there is as gone as asked.
    ///
    /// # Errors
    /// [`CgroupError::Remove`]: the first of several; the rest is removed nevertheless.
    pub fn remove(&self) -> Result<(), CgroupError> {
        let folders = self.v1.iter().map(|h| h.folder.as_path()).chain(self.unified.as_deref());
        let left: Vec<&Path> = folders.filter(|folder| remove_tree(folder).is_err()).collect();
        if left.is_empty() {
            return Ok(());
        }
        self.kill_all()?;
        or_gone(self.wait_until_empty())?;
        let results = left.into_iter().map(|folder| {
            remove_tree(folder).map_err(|source| CgroupError::Remove { path: folder.into(), source })
        });
        results.collect::<Vec<_>>().into_iter().collect()
    }

    /// Removes what the container's own processes made below it, so that it can be used again.
    ///
    /// # Errors
    /// [`CgroupError::Remove`].
    pub fn remove_children(&self) -> Result<(), CgroupError> {
        let folders = self.v1.iter().map(|h| h.folder.as_path()).chain(self.unified.as_deref());
        for folder in folders {
            for child in children(folder) {
                remove_tree(&child).map_err(|source| CgroupError::Remove { path: child, source })?;
            }
        }
        Ok(())
    }

    fn wait_until_empty(&self) -> Result<(), CgroupError> {
        if let Some(folder) = &self.unified {
            return wait_for_event(&folder.join("cgroup.events"), "populated", 0);
        }
        for _ in 0..PATIENCE_MS / GLANCE_MS {
            if self.pids()?.is_empty() {
                return Ok(());
            }
            glance();
        }
        Ok(())
    }

    /// A descriptor that becomes readable whenever memory runs out: drain it with read(2), then ask
    /// [`Cgroup::oom_kills`]. It may also become readable for other reasons. On version 1 it tells *before* the kill, so
    /// ask again when a process has ended.
    ///
    /// # Errors
    /// [`CgroupError::NoController`], [`CgroupError::Read`], [`CgroupError::Write`].
    pub fn oom_events(&self) -> Result<OwnedFd, CgroupError> {
        match self.place("memory")? {
            Place::V1(folder) => oom_eventfd(folder),
            Place::V2(folder) => {
                let file = folder.join("memory.events");
                watch(&file).map_err(|source| CgroupError::Read { file, source })
            }
        }
    }

    /// How many of its processes the kernel has killed for want of memory since it was made.
    ///
    /// # Errors
    /// [`CgroupError::NoController`], [`CgroupError::Read`].
    pub fn oom_kills(&self) -> Result<u64, CgroupError> {
        let file = match self.place("memory")? {
            Place::V1(folder) => folder.join("memory.oom_control"),
            Place::V2(folder) => folder.join("memory.events"),
        };
        Ok(number_of(&read(&file)?, "oom_kill").unwrap_or(0))
    }
}

fn oom_eventfd(folder: &Path) -> Result<OwnedFd, CgroupError> {
    let file = folder.join("memory.oom_control");
    let failed = |source: io::Error| CgroupError::Read { file: file.clone(), source };
    let control = File::open(&file).map_err(failed)?;
    let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(|e| failed(e.into()))?;
    let line = format!("{} {}", event.as_raw_fd(), control.as_raw_fd());
    write(&folder.join("cgroup.event_control"), &line)?;
    Ok(event)
}

fn watch(file: &Path) -> io::Result<OwnedFd> {
    let watcher = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
    inotify::add_watch(&watcher, file, inotify::WatchFlags::MODIFY)?;
    Ok(watcher)
}

/// Waits until `key` in an events file of version 2 has this value (cgroup-v2.rst: the file's changes raise POLLPRI).
fn wait_for_event(file: &Path, key: &str, value: u64) -> Result<(), CgroupError> {
    let failed = |source: io::Error| CgroupError::Read { file: file.into(), source };
    let events = File::open(file).map_err(failed)?;
    let deadline = Timespec { tv_sec: PATIENCE_MS as i64 / 1000, tv_nsec: 0 };
    loop {
        let mut buffer = [0; 256];
        let n = rustix::io::pread(&events, &mut buffer, 0).map_err(|e| failed(e.into()))?;
        if number_of(&String::from_utf8_lossy(&buffer[..n]), key) == Some(value) {
            return Ok(());
        }
        let mut fds = [PollFd::new(&events, PollFlags::PRI)];
        match poll(&mut fds, Some(&deadline)) {
            Ok(0) => return Err(failed(io::ErrorKind::TimedOut.into())),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(failed(e.into())),
        }
    }
}

/// Version 1 has no event for this.
fn glance() {
    let pause = Timespec { tv_sec: 0, tv_nsec: GLANCE_MS as i64 * 1_000_000 };
    let _ = poll(&mut [], Some(&pause));
}

fn collect_pids(folder: &Path, pids: &mut Vec<i32>) -> Result<(), CgroupError> {
    let text = read(&folder.join("cgroup.procs"))?;
    pids.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()));
    children(folder).iter().try_for_each(|child| collect_pids(child, pids))
}

fn children(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let folders = entries.flatten().filter(|e| e.file_type().is_ok_and(|t| t.is_dir()));
    folders.map(|e| e.path()).collect()
}

/// ENOENT once the folder is gone; ENODEV of a file in it that was open by then (kernfs).
fn or_gone(result: Result<(), CgroupError>) -> Result<(), CgroupError> {
    let gone = [rustix::io::Errno::NOENT, rustix::io::Errno::NODEV].map(rustix::io::Errno::raw_os_error);
    result.or_else(|error| if gone.contains(&error.errno()) { Ok(()) } else { Err(error) })
}

fn remove_tree(folder: &Path) -> io::Result<()> {
    match fs::remove_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(_) => {}
        Ok(()) => return Ok(()),
    }
    children(folder).iter().try_for_each(|child| remove_tree(child))?;
    fs::remove_dir(folder)
}
