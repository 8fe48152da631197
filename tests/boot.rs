//! Another boot, told to the daemon by a variable: which containers come back by their restart policies.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use sampan_testkit::{Cli, Daemon, eventually, pids_mentioning, programs};
use std::process::Command;

const POLICIES: [&str; 4] = ["no", "always", "unless-stopped", "on-failure"];

/// A daemon with a container of each policy that runs, two that their user has stopped, and one that goes with its end.
fn daemon() -> Daemon {
    let daemon = Daemon::start(programs!());
    daemon.import_busybox();
    for policy in POLICIES {
        run(&daemon, policy, policy);
    }
    for policy in ["always", "unless-stopped"] {
        let name = format!("stopped-{policy}");
        run(&daemon, &name, policy);
        daemon.sampan(&["stop", "-t", "0", &name]);
    }
    daemon.sampan(&["run", "-d", "--rm", "--name", "fleeting", "--stop-timeout", "0", "bb", "sleep", "1000"]);
    daemon
}

fn run(daemon: &Daemon, name: &str, policy: &str) {
    let script = "trap 'exit 3' TERM; while :; do sleep 0.1; done";
    daemon.sampan(&["run", "-d", "--name", name, "--restart", policy, "bb", "sh", "-c", script]);
}

/// Starts the daemon as if the host had booted, and expects that exactly these come back.
fn boot(daemon: &mut Daemon, want: &[&str]) {
    daemon.set("SAMPAN_BOOT_ID", "another");
    daemon.start_again();
    let running = || {
        let listed = daemon.sampan(&["ps", "--format", "{{.Names}}"]);
        let mut names: Vec<String> = listed.lines().map(str::to_owned).collect();
        names.sort();
        names
    };
    eventually("those with a policy run", || running() == want);
    let all = daemon.sampan(&["ps", "-aq"]);
    daemon.sampan(&[&["rm", "-f"], &all.lines().collect::<Vec<_>>()[..]].concat());
    daemon.nothing_is_left();
}

#[test]
fn a_shutdown_is_not_the_users_stop() {
    let mut daemon = daemon();
    daemon.terminate();
    let exec_root = daemon.exec_root().display().to_string();
    let stop = ["system", "stop-containers", "--exec-root", &exec_root];
    assert!(daemon.client(Cli::Sampan, &stop).status().unwrap().success());
    let bundles = daemon.exec_root().join("containers");
    eventually("the monitors have ended", || pids_mentioning(&bundles).is_empty());
    boot(&mut daemon, &["always", "on-failure", "stopped-always", "unless-stopped"]);
}

#[test]
fn a_power_cut_ends_all_at_once() {
    let mut daemon = daemon();
    daemon.kill9();
    let bundles = daemon.exec_root().join("containers");
    for (pid, _) in pids_mentioning(&bundles) {
        assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
    }
    eventually("the monitors have ended", || pids_mentioning(&bundles).is_empty());
    boot(&mut daemon, &["always", "on-failure", "stopped-always", "unless-stopped"]);
}
