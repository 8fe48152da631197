//! `cargo xtask long soak`: containers come and go by all verbs, and nothing grows: neither the daemon, nor the monitor of
//! a container that lives through it all, nor what there is of either on the host.

use crate::run;
use crate::speed::kib_of;
use anyhow::{Context, Result, ensure};
use sampan_testkit::{Cli, Daemon, Programs, docker_archive, eventually, pids_mentioning, root_file_system};
use std::fs;
use std::path::Path;

/// Rounds before the first look: caches are full then, and more exec processes have ended than are remembered.
const WARM_UP: u32 = 30;
/// Rounds between the first look and the last.
const ROUNDS: u32 = 200;
/// A daemon is killed after so many rounds of the second part.
const KILL_EVERY: u32 = 10;
/// How much memory may grow by from the first look to the last, in KiB: what the allocator's pieces differ by.
const MEMORY_GROWTH: u64 = 512;
/// The container that stays.
const KEPT: &str = "kept";

/// The verbs of a round. `kept` stays, all others are gone at the end.
const SCRIPT: &[(i32, &[&str])] = &[
    (0, &["run", "--rm", "-p", "18080:80", "bb", "true"]),
    (3, &["run", "--rm", "--network", "none", "bb", "sh", "-c", "exit 3"]),
    (127, &["run", "--rm", "bb", "no-such-program"]),
    (125, &["run", "--rm", "-v", "/no/such/place:relative", "bb", "true"]),
    (
        0,
        &[
            "create",
            "--name",
            "one",
            "-m",
            "64m",
            "-p",
            "127.0.0.1::90",
            "bb",
            "sh",
            "-c",
            "echo a; exec sleep 1000",
        ],
    ),
    (0, &["start", "one"]),
    (0, &["exec", "one", "echo", "inside"]),
    (0, &["logs", "one"]),
    (0, &["inspect", "one"]),
    (0, &["stop", "-t", "0", "one"]),
    (0, &["start", "one"]),
    (0, &["kill", "one"]),
    (0, &["wait", "one"]),
    (0, &["rm", "one"]),
    (0, &["run", "-d", "--name", "two", "-v", "/tmp:/host:ro", "bb", "sleep", "1000"]),
    (0, &["exec", KEPT, "true"]),
    (127, &["exec", KEPT, "no-such-program"]),
    (0, &["exec", "-t", KEPT, "echo", "terminal"]),
    (0, &["logs", "--tail", "1", KEPT]),
    (0, &["ps", "-a"]),
    (0, &["rm", "-f", "two"]),
    (1, &["rm", "no-such-container"]),
];

/// Does `rounds`, and as many again under daemons that are killed.
///
/// # Errors
/// When something has grown.
pub(crate) fn soak(rounds: Option<u32>) -> Result<()> {
    let rounds = rounds.unwrap_or(ROUNDS);
    let built = run::build()?;
    let mut daemon = Daemon::start(Programs { sampan: built.sampan, runtime: built.runtime });
    daemon.import_busybox();
    daemon.sampan(&["run", "-d", "--name", KEPT, "-p", "18081:80", "bb", "sleep", "1000000"]);
    (0..WARM_UP).try_for_each(|_| round(&daemon))?;
    let before = Look::at(&daemon)?;
    (0..rounds).try_for_each(|_| round(&daemon))?;
    let settled = Look::at(&daemon)?;
    let mut kept = before.compare(&settled, &format!("{rounds} rounds"));
    for _ in 0..rounds.div_ceil(KILL_EVERY) {
        daemon.kill9();
        daemon.start_again();
        (0..KILL_EVERY).try_for_each(|_| round(&daemon))?;
    }
    // Another daemon's memory says nothing about this one's.
    let last = Look { daemon: settled.daemon, ..Look::at(&daemon)? };
    kept &= settled.compare(&last, "as many with kills of the daemon");
    daemon.sampan(&["rm", "-f", KEPT]);
    daemon.nothing_is_left();
    ensure!(kept, "something grows");
    Ok(())
}

fn round(daemon: &Daemon) -> Result<()> {
    for (code, words) in SCRIPT {
        step(daemon, Cli::Sampan, *code, words)?;
    }
    step(daemon, Cli::Docker, 0, &["run", "--rm", "bb", "true"])?;
    step(daemon, Cli::Docker, 0, &["exec", KEPT, "true"])?;
    let archive = docker_archive("loaded:1", &root_file_system(), &["true"]);
    daemon.run_with(Cli::Sampan, &["load"], &archive).ok();
    step(daemon, Cli::Sampan, 0, &["rmi", "loaded:1"])
}

fn step(daemon: &Daemon, cli: Cli, code: i32, words: &[&str]) -> Result<()> {
    let output = daemon.run(cli, words);
    ensure!(output.code == code, "{cli:?} {words:?}, expected {code}: {output:?}");
    Ok(())
}

/// What there is at a moment.
struct Look {
    daemon: Process,
    monitor: Process,
    /// Files and folders in the daemon's two folders.
    files: u64,
    /// Mounts, links, firewall elements, cgroups, processes, records of all containers, sorted.
    host: Vec<String>,
}

#[derive(Clone, Copy)]
struct Process {
    /// Anonymous memory in KiB.
    memory: u64,
    descriptors: u64,
    threads: u64,
}

impl Look {
    /// Waits until only the kept container is there, then looks.
    fn at(daemon: &Daemon) -> Result<Self> {
        let monitors = || pids_mentioning(&daemon.exec_root().join("containers"));
        eventually("only one monitor is left", || monitors().len() == 1);
        let (monitor, _) = monitors().into_iter().next().context("there is no monitor")?;
        let mut host = daemon.leftovers();
        host.sort();
        Ok(Self {
            daemon: Process::of(daemon.pid())?,
            monitor: Process::of(monitor)?,
            files: files(&daemon.data_root()) + files(&daemon.exec_root()),
            host,
        })
    }

    /// Prints how all has changed. Returns whether it is well.
    fn compare(&self, later: &Self, after: &str) -> bool {
        println!("after {after}:");
        let mut well = self.daemon.compare(&later.daemon, "daemon");
        well &= self.monitor.compare(&later.monitor, "monitor");
        well &= grows("files at rest", self.files, later.files, 0);
        well &= grows("on the host", self.host.len() as u64, later.host.len() as u64, 0);
        let new = later.host.iter().filter(|line| !self.host.contains(line));
        new.for_each(|line| println!("  new: {line}"));
        well
    }
}

impl Process {
    fn of(pid: i32) -> Result<Self> {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).context("the process is gone")?;
        let threads = fs::read_dir(format!("/proc/{pid}/task")).context("the process is gone")?;
        Ok(Self {
            memory: kib_of(&format!("/proc/{pid}/status"), &["RssAnon:"])?,
            descriptors: descriptors.count() as u64,
            threads: threads.count() as u64,
        })
    }

    fn compare(&self, later: &Self, name: &str) -> bool {
        let mut well = grows(&format!("{name}: memory, KiB"), self.memory, later.memory, MEMORY_GROWTH);
        well &= grows(&format!("{name}: descriptors"), self.descriptors, later.descriptors, 0);
        // Threads that block wait a while for more work.
        well & grows(&format!("{name}: threads"), self.threads, later.threads, 8)
    }
}

fn grows(name: &str, before: u64, after: u64, most: u64) -> bool {
    let well = after <= before + most;
    println!("  {name:24} {before:7} -> {after:7}{}", if well { "" } else { "  GROWS" });
    well
}

fn files(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let below = |path: &Path| if path.is_dir() && !path.is_symlink() { files(path) } else { 0 };
    entries.map(|entry| 1 + below(&entry.path())).sum()
}
