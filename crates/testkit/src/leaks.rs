//! What a daemon and its containers may leave on a host, read from outside.

use crate::daemon::Daemon;
use crate::network::OUT;
use crate::process::pids_mentioning;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const CGROUPS: &str = "/sys/fs/cgroup";
/// How deep below a hierarchy a container's cgroup is looked for.
const DEPTH: usize = 4;

/// A line for everything that is left of these containers.
pub(crate) fn list(daemon: &Daemon, containers: &BTreeSet<String>) -> Vec<String> {
    let folder = daemon.scratch();
    let mut left: Vec<String> = mounts(folder).iter().map(|m| format!("mount {}", m.display())).collect();
    let foreign = |line: &(i32, String)| Some(line.0) != daemon.running() && !line.1.contains(" -H unix:");
    left.extend(
        pids_mentioning(folder).into_iter().filter(foreign).map(|(pid, l)| format!("process {pid} {l}")),
    );
    for id in containers {
        left.extend(cgroups(id).iter().map(|c| format!("cgroup {}", c.display())));
        left.extend(processes(id).iter().map(|pid| format!("process {pid} of container {id}")));
    }
    left.extend(links(daemon));
    left.extend(firewall(daemon));
    left.extend(records(daemon));
    left.extend(daemon.running().into_iter().flat_map(descriptors));
    left
}

/// The mount points at or below a folder, deepest first.
pub(crate) fn mounts(folder: &Path) -> Vec<PathBuf> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let points = table.lines().filter_map(|line| line.split(' ').nth(4)).map(PathBuf::from);
    let mut found: Vec<PathBuf> = points.filter(|point| point.starts_with(folder)).collect();
    found.reverse();
    found
}

/// A container's cgroups in all hierarchies.
fn cgroups(id: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    find(Path::new(CGROUPS), id, DEPTH, &mut found);
    found
}

fn find(folder: &Path, name: &str, depth: usize, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        if entry.file_name() == name {
            found.push(entry.path());
        } else if depth > 0 {
            find(&entry.path(), name, depth - 1, found);
        }
    }
}

/// The processes in a container's cgroups.
pub(crate) fn processes(id: &str) -> BTreeSet<i32> {
    let lists =
        cgroups(id).into_iter().filter_map(|cgroup| fs::read_to_string(cgroup.join("cgroup.procs")).ok());
    lists.flat_map(|list| list.lines().filter_map(|pid| pid.parse().ok()).collect::<Vec<i32>>()).collect()
}

/// Removes the cgroups of this name and all in them. Says whether none is left: a process that has lost its memory, and so
/// its command line, holds its cgroup for another moment.
pub(crate) fn remove_cgroups(name: &str) -> bool {
    for cgroup in cgroups(name) {
        let entries = fs::read_dir(&cgroup).into_iter().flatten().flatten();
        entries.filter(|e| e.path().is_dir()).for_each(|entry| drop(fs::remove_dir(entry.path())));
        drop(fs::remove_dir(cgroup));
    }
    cgroups(name).is_empty()
}

/// The links in the daemon's network besides `lo`, the bridge and the way out.
fn links(daemon: &Daemon) -> Vec<String> {
    let listed = daemon.network().output(&["ip", "-oneline", "link", "show"]);
    let names = listed
        .lines()
        .filter_map(|line| line.split(": ").nth(1))
        .map(|name| name.split('@').next().unwrap_or(name));
    names
        .filter(|name| !["lo", OUT, daemon.bridge()].contains(name))
        .map(|name| format!("link {name}"))
        .collect()
}

/// The elements of sets and maps in the daemon's firewall that name a container.
fn firewall(daemon: &Daemon) -> Vec<String> {
    let rules = daemon.network().output(&["nft", "list", "ruleset"]);
    let of_container = |word: &&str| word.trim_matches('"').split(['/', ':', ' ']).any(is_id);
    rules
        .lines()
        .filter(|l| l.split_whitespace().any(|w| of_container(&w)))
        .map(|l| format!("rule {}", l.trim()))
        .collect()
}

fn is_id(word: &str) -> bool {
    word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit())
}

/// What is written down of containers, and what was half-done.
fn records(daemon: &Daemon) -> Vec<String> {
    let folders = ["containers", "tmp"].map(|name| daemon.data_root().join(name));
    let folders = folders.into_iter().chain([daemon.exec_root().join("containers")]);
    let entries = folders.flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
    entries.map(|entry| format!("record {}", entry.path().display())).collect()
}

/// The daemon's own descriptors of containers' name spaces and processes.
fn descriptors(pid: i32) -> Vec<String> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let targets =
        entries.filter_map(|entry| fs::read_link(entry.path()).ok()).map(|t| t.display().to_string());
    targets
        .filter(|t| t.starts_with("net:[") || t.contains("[pidfd]"))
        .map(|t| format!("descriptor {t}"))
        .collect()
}
