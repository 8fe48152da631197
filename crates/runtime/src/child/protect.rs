//! Paths that the container may not see, or not change (runtime specification, config-linux.md "Masked Paths" and
//! "Readonly Paths"). All is done on open places, so that no link in between leads elsewhere.

use super::attach::{filesystem, put_on};
use super::resolve;
use crate::failure::{OrFail, failure, stage};
use crate::options::Options;
use crate::plan::Plan;
use rustix::fs::{AtFlags, CWD, FileType, makedev, statat};
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};
use sampan_spec::journal::Failure;
use sampan_sys::mount::{Attributes, change};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

pub(super) fn paths(plan: &Plan, root: BorrowedFd<'_>) -> Result<(), Failure> {
    for path in &plan.read_only_paths {
        if let Some(place) = find(root, path)? {
            make_read_only(&place).or_fail(stage::MOUNT, || format!("make {path} read-only"))?;
        }
    }
    let mut masks = Masks { root, folder: None, null: None };
    for path in &plan.masked {
        if let Some(place) = find(root, path)? {
            masks.put(&place, path)?;
        }
    }
    Ok(())
}

/// The place of a path; what does not exist needs no protection.
fn find(root: BorrowedFd<'_>, path: &str) -> Result<Option<OwnedFd>, Failure> {
    match resolve::place(root, Path::new(path)) {
        Ok(place) => Ok(Some(place)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(e) => Err(e).or_fail(stage::MOUNT, || format!("open {path} to protect it")),
    }
}

fn make_read_only(place: &OwnedFd) -> std::io::Result<()> {
    let copy = copy_of(place, true)?;
    change(&copy, Attributes::READ_ONLY, Attributes::empty(), None, true)?;
    Ok(put_on(place, &copy)?)
}

fn copy_of(place: &OwnedFd, recursive: bool) -> rustix::io::Result<OwnedFd> {
    let mut flags =
        OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::AT_EMPTY_PATH;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    open_tree(place, "", flags)
}

/// What is put over masked paths: an empty read-only folder, made once and copied; or the null device.
struct Masks<'a> {
    root: BorrowedFd<'a>,
    folder: Option<OwnedFd>,
    null: Option<OwnedFd>,
}

impl Masks<'_> {
    fn put(&mut self, place: &OwnedFd, path: &str) -> Result<(), Failure> {
        let status =
            statat(place, "", AtFlags::EMPTY_PATH).or_fail(stage::MOUNT, || format!("stat {path}"))?;
        let is_folder = FileType::from_raw_mode(status.st_mode) == FileType::Directory;
        let mask = if is_folder { self.folder()? } else { self.null()? };
        put_on(place, &mask).or_fail(stage::MOUNT, || format!("mask {path}"))
    }

    fn folder(&mut self) -> Result<OwnedFd, Failure> {
        if let Some(first) = &self.folder {
            return copy_of(first, false).or_fail(stage::MOUNT, || "copy the mask");
        }
        let mut options = Options::default();
        options.attributes.set = Attributes::READ_ONLY;
        options.data = vec![("size".into(), Some("4k".into())), ("nr_inodes".into(), Some("1".into()))];
        let made = filesystem("tmpfs", Path::new("tmpfs"), &options);
        let made =
            made.map_err(|(e, why)| crate::failure::system(stage::MOUNT, format!("make a mask {why}"), e))?;
        self.folder = Some(made.try_clone().or_fail(stage::MOUNT, || "copy the mask")?);
        Ok(made)
    }

    fn null(&mut self) -> Result<OwnedFd, Failure> {
        let null = match self.null.take() {
            Some(null) => null,
            None => null_device(self.root)?,
        };
        let copy = copy_of(&null, false).or_fail(stage::MOUNT, || "copy /dev/null");
        self.null = Some(null);
        copy
    }
}

/// The container's null device if it is one, else the host's.
fn null_device(root: BorrowedFd<'_>) -> Result<OwnedFd, Failure> {
    let host = || rustix::fs::openat(CWD, "/dev/null", rustix::fs::OFlags::PATH, rustix::fs::Mode::empty());
    let found = [resolve::place(root, Path::new("/dev/null")), host()];
    let mut real = found.into_iter().flatten().filter(|place| is_null(place.as_fd()));
    real.next().ok_or_else(|| failure(stage::MOUNT, "there is no null device to mask files with"))
}

fn is_null(place: BorrowedFd<'_>) -> bool {
    statat(place, "", AtFlags::EMPTY_PATH).is_ok_and(|s| {
        FileType::from_raw_mode(s.st_mode) == FileType::CharacterDevice && s.st_rdev == makedev(1, 3)
    })
}
