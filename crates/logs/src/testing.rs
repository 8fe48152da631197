//! A disk that can be filled.

use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen,
};
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;

/// A small file system in memory, which no name space sees.
pub(crate) struct SmallDisk(OwnedFd);

impl SmallDisk {
    pub(crate) fn new(size: &str) -> Self {
        Self::with(&[("size", size)])
    }

    pub(crate) fn with(options: &[(&str, &str)]) -> Self {
        let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).unwrap();
        for (name, value) in options {
            fsconfig_set_string(&context, *name, *value).unwrap();
        }
        fsconfig_create(&context).unwrap();
        Self(fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty()).unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/{name}", self.0.as_raw_fd()))
    }

    /// Takes all the room that is left.
    pub(crate) fn fill(&self) {
        let mut file = File::create(self.path("filling")).unwrap();
        while file.write(&[0; 4096]).is_ok() {}
    }

    pub(crate) fn free(&self) {
        fs::remove_file(self.path("filling")).unwrap();
    }
}
