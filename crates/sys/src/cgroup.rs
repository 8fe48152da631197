//! Control groups on version 2, version 1, and both at once (cgroups(7), Documentation/admin-guide/cgroup-v2.rst).
//!
//! A [`Cgroup`] is one path in every hierarchy that is mounted. No process is ever *moved* into it: writing a pid to
//! `cgroup.procs` waits for an RCU grace period (10 ms and more). A child enters through a [`Door`]: on version 2 at its
//! birth (`CLONE_INTO_CGROUP`), on version 1 by writing `0` to `tasks` itself while it has one thread.

mod devices;
mod files;
mod layout;
mod limits;
mod processes;
mod usage;

pub use devices::{Access, DeviceKind, DeviceRule};
pub use layout::{Hierarchy, Layout};
pub use limits::{Limits, Throttle, ThrottleKind};
pub use usage::{CpuUsage, IoEntry, IoUsage, MemoryUsage, PidsUsage, Usage};

use files::{read, write};
use rustix::fs::{Mode, OFlags};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::{Component, Path, PathBuf};

/// Why a control group is not as asked.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// The path is not absolute or has `..` in it.
    #[error("{0:?} is not an absolute cgroup path")]
    BadPath(String),
    /// `/proc/self/mountinfo` could not be read.
    #[error("cannot read the mount table")]
    MountTable(#[source] io::Error),
    /// No hierarchy is mounted.
    #[error("no cgroup file system is mounted")]
    NoneMounted,
    /// A folder could not be made.
    #[error("cannot make cgroup {path}")]
    Make {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A folder could not be removed.
    #[error("cannot remove cgroup {path}")]
    Remove {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A value could not be read.
    #[error("cannot read {file}")]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A value was refused.
    #[error("cannot write {value:?} to {file}")]
    Write {
        /// The file.
        file: PathBuf,
        /// What.
        value: String,
        /// Why.
        source: io::Error,
    },
    /// The controller that a limit needs is not there.
    #[error("the cgroup controller {0:?} is not available on this host")]
    NoController(&'static str),
    /// A limit that this version of control groups has not.
    #[error("{0} is not supported with cgroup v{1}")]
    Unsupported(&'static str, u8),
    /// The program that watches devices could not be loaded or attached.
    #[error("cannot attach the device program to {path}")]
    DeviceProgram {
        /// The cgroup's folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl CgroupError {
    /// The system call's error number, 0 if there is none.
    pub fn errno(&self) -> i32 {
        match self {
            Self::MountTable(source)
            | Self::Make { source, .. }
            | Self::Remove { source, .. }
            | Self::Read { source, .. }
            | Self::Write { source, .. }
            | Self::DeviceProgram { source, .. } => source.raw_os_error().unwrap_or(0),
            Self::BadPath(_) | Self::NoneMounted | Self::NoController(_) | Self::Unsupported(..) => 0,
        }
    }
}

/// One path in every mounted hierarchy. Dropping it removes nothing.
#[derive(Clone, Debug)]
pub struct Cgroup {
    path: String,
    layout: Layout,
    unified: Option<PathBuf>,
    v1: Vec<Hierarchy>,
}

/// The way in, as open descriptors: the folder on version 2, the `tasks` files on version 1.
#[derive(Debug)]
pub struct Door {
    unified: Option<OwnedFd>,
    tasks: Vec<OwnedFd>,
}

/// Where a controller is.
enum Place<'a> {
    V1(&'a Path),
    V2(&'a Path),
}

impl Cgroup {
    /// Makes the folders at the absolute `path` in every hierarchy, with missing parents, and hands on to it all
    /// controllers that its parents have. Folders that exist are taken as they are.
    ///
    /// # Errors
    /// [`CgroupError::BadPath`], [`CgroupError::Make`], [`CgroupError::Write`].
    pub fn create(layout: &Layout, path: &str) -> Result<Self, CgroupError> {
        let cgroup = Self::at(layout, path)?;
        if let (Some(root), Some(folder)) = (&layout.unified, &cgroup.unified) {
            files::make_unified(root, folder)?;
        }
        for (hierarchy, own) in layout.v1.iter().zip(&cgroup.v1) {
            files::make_v1(&hierarchy.folder, own)?;
        }
        Ok(cgroup)
    }

    /// The cgroup at `path`, whether it exists or not.
    ///
    /// # Errors
    /// [`CgroupError::BadPath`].
    pub fn at(layout: &Layout, path: &str) -> Result<Self, CgroupError> {
        let below = below_root(path)?;
        let v1 = layout
            .v1
            .iter()
            .map(|h| Hierarchy { folder: h.folder.join(&below), controllers: h.controllers.clone() });
        Ok(Self {
            path: path.to_owned(),
            layout: layout.clone(),
            unified: layout.unified.as_ref().map(|root| root.join(&below)),
            v1: v1.collect(),
        })
    }

    /// Its absolute path below each hierarchy's root.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The hierarchies that it is in.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Its folder on version 2.
    pub fn unified(&self) -> Option<&Path> {
        self.unified.as_deref()
    }

    /// Its folders on version 1.
    pub fn v1(&self) -> &[Hierarchy] {
        &self.v1
    }

    /// Opens the way in.
    ///
    /// # Errors
    /// [`CgroupError::Read`] where a folder or file cannot be opened.
    pub fn door(&self) -> Result<Door, CgroupError> {
        let open = |path: PathBuf, flags: OFlags| {
            rustix::fs::open(&path, flags | OFlags::CLOEXEC, Mode::empty())
                .map_err(|e| CgroupError::Read { file: path, source: e.into() })
        };
        let unified = self.unified.clone().map(|p| open(p, OFlags::PATH | OFlags::DIRECTORY)).transpose()?;
        let tasks = self.v1.iter().map(|h| open(h.folder.join("tasks"), OFlags::WRONLY));
        Ok(Door { unified, tasks: tasks.collect::<Result<_, _>>()? })
    }

    /// The controller's place; version 1 first, because a controller is in one hierarchy only.
    fn place(&self, controller: &'static str) -> Result<Place<'_>, CgroupError> {
        if let Some(h) = self.v1.iter().find(|h| h.controllers.iter().any(|c| c == controller)) {
            return Ok(Place::V1(&h.folder));
        }
        match &self.unified {
            Some(folder) if files::has_word(&read(&folder.join("cgroup.controllers"))?, controller) => {
                Ok(Place::V2(folder))
            }
            _ => Err(CgroupError::NoController(controller)),
        }
    }
}

impl Door {
    /// What `CLONE_INTO_CGROUP` takes.
    pub fn unified(&self) -> Option<BorrowedFd<'_>> {
        self.unified.as_ref().map(AsFd::as_fd)
    }

    /// Enters the version 1 hierarchies. The caller must have one thread only: each write moves the calling thread.
    ///
    /// # Errors
    /// Those of write(2).
    pub fn enter_v1(&self) -> io::Result<()> {
        for tasks in &self.tasks {
            rustix::io::write(tasks, b"0")?;
        }
        Ok(())
    }

    /// The descriptors that [`Door::enter_v1`] needs.
    pub fn tasks(&self) -> Vec<BorrowedFd<'_>> {
        self.tasks.iter().map(AsFd::as_fd).collect()
    }

    /// The descriptors to write `0` to.
    pub(crate) fn raw_files(&self) -> Vec<RawFd> {
        self.tasks.iter().map(AsRawFd::as_raw_fd).collect()
    }
}

/// The path without its leading slash; it must not leave the root.
fn below_root(path: &str) -> Result<PathBuf, CgroupError> {
    let fail = || CgroupError::BadPath(path.to_owned());
    let below = Path::new(path).strip_prefix("/").map_err(|_| fail())?;
    let plain = below.components().all(|c| matches!(c, Component::Normal(_)));
    if plain && !below.as_os_str().is_empty() { Ok(below.to_owned()) } else { Err(fail()) }
}

#[cfg(test)]
mod tests;
