//! A log's files by their names, and how they move up when there is a new one.

use rustix::fs::{Mode, OFlags};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// The name of the `number`th file: the path itself, then `.1`, `.2`, ...
pub(super) fn rotated(path: &Path, number: u32) -> PathBuf {
    if number == 0 { path.to_owned() } else { with_suffix(path, &format!(".{number}")) }
}

/// The same, compressed.
pub(super) fn packed(path: &Path, number: u32) -> PathBuf {
    with_suffix(path, &format!(".{number}.gz"))
}

/// A compressed file in the making.
pub(super) fn packing(path: &Path) -> PathBuf {
    with_suffix(path, ".packing")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Moves every file one on, and the last away: then there is no newest. What fails halfway can be tried again.
pub(super) fn shift(path: &Path, max_files: u32) -> io::Result<()> {
    let last = max_files.saturating_sub(1);
    remove(&rotated(path, last))?;
    if last > 0 {
        remove(&packed(path, last))?;
    }
    let is_there = |number: &u32| rotated(path, *number).exists() || packed(path, *number).exists();
    let count = (1..last).take_while(is_there).count() as u32;
    for number in (0..=count).rev().filter(|number| *number < last) {
        ignore_missing(fs::rename(rotated(path, number), rotated(path, number + 1)))?;
        if number > 0 {
            ignore_missing(fs::rename(packed(path, number), packed(path, number + 1)))?;
        }
    }
    Ok(())
}

pub(super) fn remove(path: &Path) -> io::Result<()> {
    ignore_missing(fs::remove_file(path))
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    result.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// Opens a file to write to its end, or makes it, for its owner and group.
pub(super) fn open(path: &Path, more: OFlags) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::APPEND | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(rustix::fs::open(path, flags | more, Mode::RUSR | Mode::WUSR | Mode::RGRP)?.into())
}
