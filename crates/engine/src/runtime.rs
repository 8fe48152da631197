//! The program `sampan-runtime` as the engine uses it: a sealed copy for the daemon's lifetime, launched once per monitor.

use crate::container::Container;
use crate::host::Host;
use crate::paths::{ContainerPaths, Paths};
use crate::{Error, Result};
use sampan_spec::ContainerId;
use sampan_spec::monitor::{ENVIRONMENT, LISTENER_FD};
use sampan_sys::cgroup::{Cgroup, CgroupError, Layout};
use sampan_sys::{memfd, process, socket};
use std::collections::BTreeSet;
use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::signal::unix::{SignalKind, signal};

/// The runtime program, and where its processes live.
pub(crate) struct Runtime {
    program: OwnedFd,
    layout: Layout,
    monitors: Cgroup,
    host: Host,
    /// Monitors that this daemon started, and must wait for, or zombies stay.
    children: Mutex<Vec<OwnedFd>>,
}

impl Runtime {
    /// Copies the program into memory. Nothing of the host is changed.
    pub(crate) fn copy_program(program: &Path) -> Result<OwnedFd> {
        memfd::sealed_copy(program).map_err(Error::file("read", program))
    }

    /// Makes the monitors' cgroup. `program` is the copy of [`Runtime::copy_program`].
    pub(crate) fn open(program: OwnedFd, host: &Host, paths: &Paths) -> Result<Self> {
        let layout = Layout::detect().map_err(cgroup("look for control groups"))?;
        let monitors =
            Cgroup::create(&layout, &host.monitors()).map_err(cgroup("make the monitors' control group"))?;
        std::fs::create_dir_all(paths.bundles()).map_err(Error::file("create", paths.bundles()))?;
        Ok(Self { program, layout, monitors, host: host.clone(), children: Mutex::default() })
    }

    /// Starts a monitor for the bundle, with its socket bound already: whoever connects is served once it is up.
    pub(crate) fn launch_monitor(&self, paths: &ContainerPaths) -> Result<()> {
        let socket = paths.socket();
        remove_if_there(&socket)?;
        let listener = socket::bind_unix(&socket).map_err(Error::file("bind", &socket))?;
        let log_path = paths.monitor_log();
        let open = |write: bool| OpenOptions::new().read(!write).write(write).open("/dev/null");
        let null = |write: bool| open(write).map_err(Error::file("open", "/dev/null"));
        let log = File::create(&log_path).map_err(Error::file("create", &log_path))?;
        let fds: [(OwnedFd, i32); 4] =
            [(null(false)?.into(), 0), (null(true)?.into(), 1), (log.into(), 2), (listener, LISTENER_FD)];
        let argv = [c"sampan-runtime".to_owned(), c"monitor".to_owned(), c_path(&paths.bundle)?];
        let failed = |source| Error::Host { what: "launch a monitor".into(), source };
        let door = self.monitors.door().map_err(cgroup("open the monitors' control group"))?;
        let environment = [ENVIRONMENT.to_owned()];
        let spawned = process::spawn_detached(self.program.as_fd(), &argv, &environment, &fds, Some(&door));
        let (_, pidfd) = spawned.map_err(failed)?;
        self.children().push(pidfd);
        Ok(())
    }

    fn children(&self) -> MutexGuard<'_, Vec<OwnedFd>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the monitors that end, as long as the engine lives.
    pub(crate) fn reap(self: &Arc<Self>) -> Result<()> {
        let failed = |source| Error::Host { what: "watch for ended children".into(), source };
        let mut ended = signal(SignalKind::child()).map_err(failed)?;
        let runtime = Arc::downgrade(self);
        tokio::spawn(async move {
            while ended.recv().await.is_some()
                && let Some(runtime) = runtime.upgrade()
            {
                runtime.children().retain(|child| matches!(process::try_wait(child), Ok(None)));
            }
        });
        Ok(())
    }

    /// The pids of a container's processes on the host.
    pub(crate) fn pids(&self, container: &Container) -> Result<Vec<i32>> {
        let group = self.cgroup(container)?;
        group.pids().map_err(cgroup("list the container's processes"))
    }

    /// A container's control groups.
    pub(crate) fn cgroup(&self, container: &Container) -> Result<Cgroup> {
        Cgroup::at(&self.layout, &self.host.cgroup_of(container))
            .map_err(cgroup("find the container's control group"))
    }

    /// Kills every process of a container whose monitor is gone, and removes its cgroup.
    pub(crate) fn kill_cgroup_of(&self, container: &Container) -> Result<()> {
        self.kill(&self.host.cgroup_of(container))
    }

    /// The same for a container that no record tells of, and which has left a cgroup among the engine's own.
    pub(crate) fn kill_cgroup(&self, id: &ContainerId) -> Result<()> {
        self.kill(&format!("{}/{id}", self.host.cgroups))
    }

    fn kill(&self, path: &str) -> Result<()> {
        let failed = || cgroup("end the container's control group");
        let group = Cgroup::at(&self.layout, path).map_err(failed())?;
        group.kill_all().map_err(failed())?;
        group.remove().map_err(failed())
    }

    /// The ids of containers that have a control group.
    pub(crate) fn cgroup_owners(&self) -> BTreeSet<ContainerId> {
        let Ok(parent) = Cgroup::at(&self.layout, &self.host.cgroups) else { return BTreeSet::new() };
        let v1 = parent.v1().iter().map(|hierarchy| hierarchy.folder.as_path());
        let folders =
            parent.unified().into_iter().chain(v1).filter_map(|folder| std::fs::read_dir(folder).ok());
        let folders = folders.flatten().flatten();
        folders.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
    }
}

fn remove_if_there(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::file("remove", path)(e)),
        _ => Ok(()),
    }
}

fn c_path(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|e| Error::file("use", path)(e.into()))
}

pub(crate) fn cgroup(what: &'static str) -> impl FnOnce(CgroupError) -> Error {
    move |error| Error::Host { what: what.into(), source: io::Error::other(error) }
}
