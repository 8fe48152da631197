//! The limit of open files: the daemon raises its own, containers have the one that it was started with, as with Docker.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sampan_testkit::{Daemon, programs};
use std::fs;

#[test]
fn the_daemon_raises_its_own_limit_only() {
    let hard = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(600), maximum: hard }).unwrap();
    let daemon = Daemon::start(programs!());
    setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard }).unwrap();
    let limits = fs::read_to_string(format!("/proc/{}/limits", daemon.pid())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let numbers: Vec<_> = line.split_whitespace().skip(3).take(2).collect();
    assert_eq!(numbers[0], numbers[1], "{line}");
    daemon.import_busybox();
    assert_eq!(daemon.sampan(&["run", "--rm", "bb", "sh", "-c", "ulimit -n"]), "600");
}
