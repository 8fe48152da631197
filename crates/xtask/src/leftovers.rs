//! What a run of the tests leaves on this host: nothing, whether they pass or fail.
//!
//! Other programs, and other runs of the same tests, change the host meanwhile. So only what is known to be of this run
//! counts: its temporary folder with all that is mounted or made below it, processes that carry its mark in their
//! environment, and things that did not exist before, are named as tests name theirs, and whose process has ended.

use anyhow::{Context, Result};
use sampan_testkit::soon;
use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names a run in the environment of all its processes.
const MARK: &str = "SAMPAN_TEST_RUN";
const CGROUPS: &str = "/sys/fs/cgroup";
const LINKS: &str = "/sys/class/net";
/// Where the tests' cgroups, network links and firewall tables have their process's number: behind one of these.
const NAMES: [(&str, u32); 4] =
    [("sampan-sbt", 16), ("sbt", 16), ("sampan-test-", 10), ("sampan-monitor-test-", 10)];
/// How deep below a hierarchy a test's cgroup is looked for.
const DEPTH: usize = 3;

/// A run of tests.
pub(crate) struct Run {
    folder: PathBuf,
    before: BTreeSet<String>,
}

impl Run {
    /// Begins one: makes its temporary folder, and looks at what is there already.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub(crate) fn begin() -> Result<Self> {
        let folder = env::temp_dir().join(format!("sampan-{:x}", std::process::id()));
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self { folder, before: named() })
    }

    /// Makes a command part of it.
    pub(crate) fn mark<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.env("TMPDIR", &self.folder).env(MARK, &self.folder)
    }

    /// Waits until nothing is left, for a while, and removes the folder. Returns a line for all that is left.
    pub(crate) fn end(self) -> Vec<String> {
        let mut left = Vec::new();
        soon(|| {
            left = self.left();
            left.is_empty()
        });
        drop(fs::remove_dir_all(&self.folder));
        left
    }

    fn left(&self) -> Vec<String> {
        let mut left: Vec<String> =
            mounts(&self.folder).into_iter().map(|point| format!("mount {point}")).collect();
        left.extend(names_in(&self.folder).map(|name| format!("file {}", self.folder.join(name).display())));
        left.extend(self.processes());
        let new = named().into_iter().filter(|line| !self.before.contains(line));
        left.extend(new.filter(|line| line.rsplit('/').next().and_then(owner).is_none_or(|pid| !lives(pid))));
        left
    }

    /// The processes with the run's mark, or that mention its folder.
    fn processes(&self) -> Vec<String> {
        let pids = names_in(Path::new("/proc")).filter_map(|name| name.parse::<u32>().ok());
        pids.filter(|pid| *pid != std::process::id() && self.is_of(*pid)).map(shown).collect()
    }

    fn is_of(&self, pid: u32) -> bool {
        let folder = self.folder.to_string_lossy();
        let read = |file| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let marked = format!("{MARK}={folder}");
        read("environ").split(|byte| *byte == 0).any(|variable| variable == marked.as_bytes())
            || String::from_utf8_lossy(&read("cmdline")).contains(&*folder)
    }
}

/// A line for everything on the host that has a name as tests give them, whoever's it is.
fn named() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    cgroups(Path::new(CGROUPS), DEPTH, &mut found);
    let links = names_in(Path::new(LINKS)).filter(|name| owner(name).is_some());
    found.extend(links.map(|name| format!("link {LINKS}/{name}")));
    found.extend(tables().into_iter().map(|name| format!("firewall table /{name}")));
    let run = names_in(Path::new("/run")).filter(|name| name.starts_with("sampan"));
    found.extend(run.map(|name| format!("file /run/{name}")));
    found
}

/// The number of the process that this is of, if it is named as tests name theirs.
fn owner(name: &str) -> Option<u32> {
    let (rest, radix) =
        NAMES.iter().find_map(|(prefix, radix)| Some((name.strip_prefix(prefix)?, *radix)))?;
    let end = rest.find(|c: char| !c.is_digit(radix)).unwrap_or(rest.len());
    u32::from_str_radix(&rest[..end], radix).ok()
}

fn cgroups(folder: &Path, depth: usize, found: &mut BTreeSet<String>) {
    for name in names_in(folder) {
        let path = folder.join(&name);
        if owner(&name).is_some() {
            found.insert(format!("cgroup {}", path.display()));
        } else if depth > 0 && path.is_dir() && !path.is_symlink() {
            cgroups(&path, depth - 1, found);
        }
    }
}

/// The firewall's tables in this network name space that tests have made.
fn tables() -> Vec<String> {
    let listed = Command::new("nft").args(["list", "tables"]).output().map(|done| done.stdout);
    let listed = listed.unwrap_or_default();
    let listed = String::from_utf8_lossy(&listed);
    let names = listed.lines().filter_map(|line| line.rsplit(' ').next());
    names.filter(|name| owner(name).is_some()).map(str::to_owned).collect()
}

fn mounts(folder: &Path) -> Vec<String> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let points = table.lines().filter_map(|line| line.split(' ').nth(4));
    points.filter(|point| Path::new(point).starts_with(folder)).map(str::to_owned).collect()
}

fn names_in(folder: &Path) -> impl Iterator<Item = String> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned())
}

fn lives(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

fn shown(pid: u32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    format!("process {pid} {}", String::from_utf8_lossy(&line).replace('\0', " "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Stdio;

    #[test]
    fn names_tell_their_process() {
        for (name, want) in [
            ("sampan-sbt1fx0", Some(31)),
            ("sbtax2", Some(10)),
            ("sampan-test-12", Some(12)),
            ("sampan-monitor-test-7", Some(7)),
            ("sampan0", None),
            ("sampan-sbNAME0", None),
            ("eth0", None),
        ] {
            assert_eq!(owner(name), want, "{name}");
        }
    }

    #[test]
    fn what_is_left_is_named() {
        let run = Run { folder: tempfile_folder(), before: named() };
        assert!(run.left().is_empty(), "{:?}", run.left());
        fs::write(run.folder.join("forgotten"), "").unwrap();
        let mut command = Command::new("sleep");
        let mut sleeper = run.mark(&mut command).arg("1000").stdin(Stdio::null()).spawn().unwrap();
        let found = soon(|| run.left().len() == 2);
        let left = run.left();
        sleeper.kill().and_then(|()| sleeper.wait()).unwrap();
        assert!(found && left[0].ends_with("/forgotten") && left[1].ends_with("sleep 1000 "), "{left:?}");
        fs::remove_file(run.folder.join("forgotten")).unwrap();
        assert!(run.end().is_empty());
    }

    fn tempfile_folder() -> PathBuf {
        let folder = env::temp_dir().join(format!("sampan-leftovers-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        folder
    }
}
