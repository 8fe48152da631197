//! Each step of create, start, rename, update and rm fails in turn, and the daemon dies after each step in turn: nothing half-done stays.
//!
//! A debug build of the engine fails, or ends, after the step that an environment variable names.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use sampan_testkit::{Cli, Daemon, Output, Session, eventually, programs};
use std::fs;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

const CREATE: [&str; 5] = ["create.name", "create.home", "create.user", "create.volumes", "create.record"];
const START: [&str; 10] = [
    "monitor.bundle",
    "monitor.launch",
    "start.monitor",
    "start.ready",
    "start.mounts",
    "start.address",
    "start.ports",
    "start.prepare",
    "start.network",
    "start.go",
];
const REMOVE: [&str; 4] = ["remove.record", "remove.volumes", "remove.name", "remove.answer"];
const RENAME: [&str; 2] = ["rename.name", "rename.record"];
/// A container with a port, a volume without a name, and one with.
const CREATE_C1: &[&str] =
    &["create", "--name", "c1", "-p", "18080:80", "-v", "/etc", "-v", "named:/n", "bb", "sleep", "1000"];
const UPDATE: [&str; 2] = ["update.record", "update.live"];
const FAIL: &str = "SAMPAN_FAIL_AFTER";
const DIE: &str = "SAMPAN_DIE_AFTER";

/// A daemon of which one step fails, and which can be had again without that.
struct Trial {
    daemon: Daemon,
}

impl Trial {
    fn new() -> Self {
        let daemon = Daemon::start(programs!());
        daemon.import_busybox();
        Self { daemon }
    }

    /// Starts the daemon again with `variable` set to `step`; an empty step is none.
    fn restart(&mut self, variable: &str, step: &str) {
        self.daemon.terminate();
        self.daemon.set(variable, step);
        self.daemon.start_again();
    }

    fn create(&self) -> Output {
        self.act("create")
    }

    /// The verb that has this step, on a container that is ready for it.
    fn act(&self, step: &str) -> Output {
        self.daemon.run(Cli::Sampan, command(step))
    }

    /// Makes what the verb that has this step needs.
    fn make_ready(&self, step: &str) {
        if !step.starts_with("create") {
            self.create().ok();
        }
        if step.starts_with("remove") {
            self.daemon.sampan(&["start", "c1"]);
        }
    }

    /// Nothing is left but the volume with a name: those without one go with their container.
    #[track_caller]
    fn nothing_is_left(&self) {
        self.daemon.nothing_is_left();
        let volumes = fs::read_dir(self.daemon.data_root().join("volumes")).unwrap();
        let nameless: Vec<_> =
            volumes.map(|v| v.unwrap().file_name()).filter(|name| name != "named").collect();
        assert_eq!(nameless, [""; 0]);
    }

    /// The names of all containers.
    fn names(&self) -> Vec<String> {
        let listed = self.daemon.sampan(&["ps", "-a", "--format", "{{.Names}}"]);
        listed.lines().map(str::to_owned).collect()
    }

    /// The whole life of a container still works, and leaves nothing.
    fn all_is_well(&self) {
        self.create().ok();
        self.daemon.sampan(&["start", "c1"]);
        assert_eq!(self.daemon.sampan(&["exec", "c1", "echo", "well"]), "well");
        self.daemon.sampan(&["rm", "-f", "-v", "c1"]);
        self.nothing_is_left();
    }
}

/// What there is of a container that was created and does not run.
fn only_records(left: &[String]) -> bool {
    left.iter().all(|line| line.starts_with("record "))
}

#[test]
fn a_failed_step_of_create_leaves_nothing() {
    let mut trial = Trial::new();
    for step in CREATE {
        trial.restart(FAIL, step);
        let output = trial.act(step);
        assert_ne!(output.code, 0, "{step}: {output:?}");
        trial.nothing_is_left();
        trial.restart(FAIL, "");
        trial.all_is_well();
    }
}

#[test]
fn a_failed_step_of_start_leaves_a_container_that_can_be_started() {
    let mut trial = Trial::new();
    for step in START {
        trial.restart(FAIL, step);
        trial.make_ready(step);
        let output = trial.act(step);
        assert_ne!(output.code, 0, "{step}: {output:?}");
        eventually("only its record is left", || only_records(&trial.daemon.leftovers()));
        trial.restart(FAIL, "");
        trial.daemon.sampan(&["start", "c1"]);
        trial.daemon.sampan(&["rm", "-f", "-v", "c1"]);
        trial.nothing_is_left();
        trial.all_is_well();
    }
}

#[test]
fn a_failed_step_of_start_leaves_nothing_of_a_run_with_rm() {
    let mut trial = Trial::new();
    // A container whose attach fails was never started, and stays.
    for step in START.into_iter().filter(|step| step.starts_with("start.")) {
        trial.restart(FAIL, step);
        let output = trial.daemon.run(Cli::Sampan, &["run", "--rm", "-p", "18080:80", "bb", "true"]);
        assert_eq!(output.code, 125, "{step}: {output:?}");
        trial.nothing_is_left();
    }
}

#[test]
fn a_failed_step_of_rm_is_finished_by_the_next_daemon() {
    let mut trial = Trial::new();
    for step in REMOVE {
        trial.restart(FAIL, step);
        trial.make_ready(step);
        trial.act(step);
        trial.restart(FAIL, "");
        trial.act(step);
        trial.nothing_is_left();
        trial.all_is_well();
    }
}

#[test]
fn a_daemon_that_dies_after_a_step_leaves_its_work_to_the_next() {
    let mut trial = Trial::new();
    for step in CREATE.into_iter().chain(START).chain(REMOVE) {
        trial.make_ready(step);
        trial.restart(DIE, step);
        let client = Session::start(trial.daemon.client(Cli::Sampan, command(step)));
        trial.daemon.wait();
        trial.daemon.set(DIE, "");
        trial.daemon.start_again();
        drop(client);
        trial.daemon.run(Cli::Sampan, &["rm", "-f", "-v", "c1"]);
        trial.nothing_is_left();
        trial.all_is_well();
    }
}

/// A client that lets a container have a monitor before its start.
fn wait_for_next_exit(trial: &Trial) -> UnixStream {
    let mut client = UnixStream::connect(trial.daemon.scratch().join("sock")).unwrap();
    client.write_all(b"POST /containers/c1/wait?condition=next-exit HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    client
}

/// A connection to a container's monitor besides the daemon's: as long as it is there, the monitor does not know that
/// its daemon died.
fn hold_monitor(trial: &Trial, id: &str) -> UnixStream {
    let folder = File::open(trial.daemon.exec_root().join("containers").join(id)).unwrap();
    UnixStream::connect(format!("/proc/self/fd/{}/monitor.sock", folder.as_raw_fd())).unwrap()
}

#[test]
fn a_prepared_process_that_nobody_started_is_not_in_the_way() {
    let mut trial = Trial::new();
    let steps = ["start.prepare", "start.network"];
    for (network, step) in ["none", "host", "bridge"].into_iter().flat_map(|n| steps.map(|step| (n, step))) {
        let create = ["create", "--name", "c1", "--network", network, "bb", "sleep", "1000"];
        let id = trial.daemon.sampan(&create);
        let waiting = wait_for_next_exit(&trial);
        eventually("a client waits for the start", || trial.daemon.sockets_of(&id) == 3);
        let held = hold_monitor(&trial, &id);
        trial.restart(DIE, step);
        let client = Session::start(trial.daemon.client(Cli::Sampan, &["start", "c1"]));
        trial.daemon.wait();
        trial.daemon.set(DIE, "");
        trial.daemon.start_again();
        drop(client);
        trial.daemon.sampan(&["start", "c1"]);
        assert_eq!(trial.daemon.sampan(&["exec", "c1", "echo", "well"]), "well", "{network}, {step}");
        drop((waiting, held));
        trial.daemon.sampan(&["rm", "-f", "-v", "c1"]);
        trial.nothing_is_left();
    }
}

#[test]
fn a_failed_step_of_rename_leaves_the_old_name() {
    let mut trial = Trial::new();
    for step in RENAME {
        trial.restart(FAIL, step);
        trial.create().ok();
        assert_ne!(trial.act(step).code, 0, "{step}");
        assert_eq!(trial.names(), ["c1"], "{step}");
        trial.restart(FAIL, "");
        assert_eq!(trial.names(), ["c1"], "{step}");
        trial.daemon.sampan(&["create", "--name", "c2", "bb", "true"]);
        trial.daemon.sampan(&["rm", "-v", "c1", "c2"]);
        trial.all_is_well();
    }
}

#[test]
fn a_daemon_that_dies_in_a_rename_leaves_one_name() {
    let mut trial = Trial::new();
    for (step, left, free) in [(RENAME[0], "c1", "c2"), (RENAME[1], "c2", "c1")] {
        trial.create().ok();
        trial.restart(DIE, step);
        let client = Session::start(trial.daemon.client(Cli::Sampan, command(step)));
        trial.daemon.wait();
        trial.daemon.set(DIE, "");
        trial.daemon.start_again();
        drop(client);
        assert_eq!(trial.names(), [left], "{step}");
        trial.daemon.sampan(&["create", "--name", free, "bb", "true"]);
        trial.daemon.sampan(&["rm", "-v", "c1", "c2"]);
        trial.all_is_well();
    }
}

/// The limit of processes in a container's record, and in its control group.
fn pids(daemon: &Daemon) -> (String, String) {
    let script = "cat /sys/fs/cgroup/pids/pids.max 2>/dev/null || cat /sys/fs/cgroup/pids.max";
    let live = daemon.sampan(&["exec", "c1", "sh", "-c", script]);
    (daemon.sampan(&["inspect", "--format", "{{json .HostConfig.PidsLimit}}", "c1"]), live)
}

#[test]
fn an_update_is_done_whole_or_not_at_all() {
    let mut trial = Trial::new();
    for step in UPDATE {
        trial.create().ok();
        trial.daemon.sampan(&["start", "c1"]);
        let before = pids(&trial.daemon);
        if step == "update.record" {
            trial.restart(FAIL, step);
            assert_ne!(trial.act(step).code, 0, "{step}");
            assert_eq!(pids(&trial.daemon), before, "{step}");
            trial.restart(FAIL, "");
        }
        trial.restart(DIE, step);
        let client = Session::start(trial.daemon.client(Cli::Sampan, command(step)));
        trial.daemon.wait();
        trial.daemon.set(DIE, "");
        trial.daemon.start_again();
        drop(client);
        assert_eq!(pids(&trial.daemon), ("77".to_owned(), "77".to_owned()), "{step}");
        trial.daemon.sampan(&["rm", "-f", "-v", "c1"]);
        trial.all_is_well();
    }
}

/// The verb that has this step, as a command.
fn command(step: &str) -> &'static [&'static str] {
    match step.split('.').next() {
        Some("create") => CREATE_C1,
        Some("update") => &["update", "--pids-limit", "77", "c1"],
        Some("rename") => &["rename", "c1", "c2"],
        Some("remove") => &["rm", "-f", "-v", "c1"],
        _ => &["start", "c1"],
    }
}
