//! A container whose monitor is killed: it ends, the daemon says why, and nothing of it stays.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use sampan_testkit::{Daemon, eventually, pids_mentioning, programs};
use std::process::Command;

fn kill_monitor(daemon: &Daemon, id: &str) {
    let bundle = daemon.exec_root().join("containers").join(id);
    let monitors = pids_mentioning(&bundle);
    assert_eq!(monitors.len(), 1, "{monitors:?}");
    let status = Command::new("kill").args(["-9", &monitors[0].0.to_string()]).status().unwrap();
    assert!(status.success());
    eventually("the monitor has ended", || pids_mentioning(&bundle).is_empty());
}

fn is_exited_137(daemon: &Daemon) {
    eventually("the end is known", || daemon.sampan(&["ps", "-a"]).contains("Exited (137)"));
    let state = daemon.sampan(&["inspect", "c1"]);
    assert!(state.contains("monitor was killed"), "{state}");
}

#[test]
fn the_container_ends_and_can_be_started_again() {
    let daemon = Daemon::start(programs!());
    daemon.import_busybox();
    let id = daemon.sampan(&["run", "-d", "--name", "c1", "-p", "18080:80", "bb", "sleep", "1000"]);
    kill_monitor(&daemon, &id);
    is_exited_137(&daemon);
    assert_eq!(daemon.sampan(&["wait", "c1"]), "137");
    daemon.sampan(&["start", "c1"]);
    assert_eq!(daemon.sampan(&["exec", "c1", "echo", "again"]), "again");
    daemon.sampan(&["rm", "-f", "c1"]);
    daemon.nothing_is_left();
}

#[test]
fn the_next_daemon_finds_out() {
    let mut daemon = Daemon::start(programs!());
    daemon.import_busybox();
    let id = daemon.sampan(&["run", "-d", "--name", "c1", "bb", "sleep", "1000"]);
    let removed = daemon.sampan(&["run", "-d", "--rm", "bb", "sleep", "1000"]);
    daemon.kill9();
    kill_monitor(&daemon, &id);
    kill_monitor(&daemon, &removed);
    daemon.start_again();
    is_exited_137(&daemon);
    assert!(!daemon.sampan(&["ps", "-a", "--no-trunc"]).contains(&removed));
    daemon.sampan(&["rm", "c1"]);
    daemon.nothing_is_left();
}
