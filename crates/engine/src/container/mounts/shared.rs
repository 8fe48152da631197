//! Whether mounts travel to and from a place of the host: its mount's line in mountinfo (proc_pid_mountinfo(5)).

use crate::{Error, Result};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

const TABLE: &str = "/proc/self/mountinfo";

/// The mount that a path is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostMount {
    pub(super) point: PathBuf,
    /// What is mounted there appears in its copies.
    pub(super) shared: bool,
    /// What is mounted at its master appears there.
    pub(super) slave: bool,
}

/// The mount that an existing path is on.
pub(super) fn of(path: &Path) -> Result<HostMount> {
    let real = std::fs::canonicalize(path).map_err(Error::file("look at", path))?;
    let table = std::fs::read_to_string(TABLE).map_err(Error::file("read", TABLE))?;
    let missing = || Error::MountRefused(format!("{} is on no mount", path.display()));
    find(&table, &real).ok_or_else(missing)
}

/// The last of those with the longest mount point covers the others.
fn find(table: &str, path: &Path) -> Option<HostMount> {
    let covering = table.lines().filter_map(read).filter(|mount| path.starts_with(&mount.point));
    covering.max_by_key(|mount| mount.point.components().count())
}

fn read(line: &str) -> Option<HostMount> {
    let mut fields = line.split(' ');
    let point = plain(fields.nth(4)?);
    let optional: Vec<&str> = fields.skip(1).take_while(|field| *field != "-").collect();
    let has = |name: &str| optional.iter().any(|field| field.starts_with(name));
    Some(HostMount { point, shared: has("shared:"), slave: has("master:") })
}

/// A path of the table, in which blanks and backslashes are written in octal.
fn plain(field: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let octal =
            after.get(..3).filter(|_| *first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[3..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_mount_counts() {
        let table = "20 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
                     21 20 0:5 / /a\\040b rw shared:3 - tmpfs x rw\n\
                     22 20 0:6 / /a\\040b/c rw,relatime shared:4 master:3 - tmpfs y rw\n\
                     23 22 0:7 / /a\\040b/c rw - tmpfs z rw\n\
                     24 20 0:8 / /slave rw master:9 propagate_from:2 - tmpfs z rw\n";
        for (path, point, shared, slave) in [
            ("/a", "/", false, false),
            ("/a b/x", "/a b", true, false),
            ("/a b/c/d", "/a b/c", false, false),
            ("/slave", "/slave", false, true),
            ("/slave2", "/", false, false),
        ] {
            let want = HostMount { point: point.into(), shared, slave };
            assert_eq!(find(table, Path::new(path)), Some(want), "{path}");
        }
        assert_eq!(find("damaged", Path::new("/")), None);
    }
}
