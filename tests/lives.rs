//! What is done to a container between its start and its end: with our command line and with Docker's, as Docker does it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod script;

use sampan_testkit::{Cli, Daemon, Session, eventually, programs};
use script::{Act, act, equal_with_both, exits, same};
use std::fs;

const BOTH: [Cli; 2] = [Cli::Sampan, Cli::Docker];

fn frozen() -> Vec<Act> {
    vec![
        exits("run -d --name p1 bb sleep 1000", 0),
        exits("run -d --name p2 bb sleep 1000", 0),
        act("pause p1 p2", 0, "p1\np2"),
        act("pause p1", 1, ""),
        act("exec p1 true", 1, ""),
        act("attach p1", 1, ""),
        act("start p1", 1, ""),
        act("ps --filter name=^/p[12] --format '{{.Names}} {{.State}}'", 0, "p2 paused\np1 paused"),
        act(
            "inspect --format '{{.State.Status}} {{.State.Running}} {{.State.Paused}}' p1",
            0,
            "paused true true",
        ),
        same("ps --filter name=^/p"),
        exits("ps -q --filter status=paused --filter name=p1", 0),
        act("unpause p1", 0, "p1"),
        act("unpause p1", 1, ""),
        act("exec p1 echo goes on", 0, "goes on"),
        // A paused container can be stopped, killed and removed.
        act("pause p1", 0, "p1"),
        act("stop -t 1 p1", 0, "p1"),
        act("wait p1", 0, "137"),
        act("kill p2", 0, "p2"),
        act("wait p2", 0, "137"),
        act("pause p1", 1, ""),
        act("unpause p1", 1, ""),
        act("start p1", 0, "p1"),
        act("container pause p1", 0, "p1"),
        act("container unpause p1", 0, "p1"),
        act("pause p1", 0, "p1"),
        act("rm -f p1 p2", 0, "p1\np2"),
        act("pause nobody", 1, ""),
        act("unpause nobody", 1, ""),
        act("pause", 1, ""),
    ]
}

fn names() -> Vec<Act> {
    vec![
        exits("create --name n1 bb true", 0),
        exits("create --name n2 bb true", 0),
        act("rename n1 n2", 1, ""),
        act("rename n1 n1", 1, ""),
        act("rename n1 /n1", 1, ""),
        act("rename n1 a/b", 1, ""),
        act("rename n1 ''", 1, ""),
        act("rename nobody x", 1, ""),
        act("rename n1", 1, ""),
        act("rename n1 n3", 0, ""),
        act("inspect n1", 1, "[]"),
        act("inspect --format '{{.Name}}' n3", 0, "/n3"),
        exits("create --name n1 bb true", 0),
        act("container rename n3 /n4", 0, ""),
        act("ps -a --filter name=^/n --format '{{.Names}}'", 0, "n1\nn2\nn4"),
        act("start -a n4", 0, ""),
        act("rm n1 n2 n4", 0, "n1\nn2\nn4"),
    ]
}

fn again() -> Vec<Act> {
    vec![
        exits(
            "run -d --name r1 -p 127.0.0.1:18080:80 bb sh -c 'trap \"exit 3\" TERM; trap \"exit 4\" INT; while :; do sleep 0.05; done'",
            0,
        ),
        act("restart r1", 0, "r1"),
        act("inspect --format '{{.State.Status}} {{.RestartCount}}' r1", 0, "running 0"),
        act("restart -s INT -t 5 r1", 0, "r1"),
        act("port r1", 0, "80/tcp -> 127.0.0.1:18080"),
        act("port r1 80", 0, "127.0.0.1:18080"),
        act("port r1 80/tcp", 0, "127.0.0.1:18080"),
        act("port r1 80/udp", 1, ""),
        act("port r1 x", 1, ""),
        act("port nobody", 1, ""),
        act("pause r1", 0, "r1"),
        act("restart r1", 0, "r1"),
        act("exec r1 echo runs", 0, "runs"),
        act("stop r1", 0, "r1"),
        act("wait r1", 0, "3"),
        act("port r1", 0, ""),
        act("container restart -t 0 r1", 0, "r1"),
        act("restart -t 0 r1", 0, "r1"),
        act("exec r1 echo runs", 0, "runs"),
        act("restart nobody", 1, ""),
        act("restart -s NOPE r1", 1, ""),
        act("rm -f r1", 0, "r1"),
        // Its end is no end: it stays.
        exits("run -d --rm --name r2 bb sleep 1000", 0),
        act("restart -t 0 r2", 0, "r2"),
        act("exec r2 echo runs", 0, "runs"),
        act("stop -t 0 r2", 0, "r2"),
    ]
}

fn updates() -> Vec<Act> {
    vec![
        exits("run -d --name u1 bb sleep 1000", 0),
        act("update u1", 1, ""),
        act("update --memory 1m u1", 1, ""),
        act("update -m 64m u1", 1, ""),
        act("update --cpus 0.5 --pids-limit 50 -c 512 u1", 0, "u1"),
        act("update --cpu-quota 1000 u1", 1, ""),
        act("update --restart nonsense u1", 1, ""),
        act("update --cpuset-cpus 77 u1", 1, ""),
        act("update --restart on-failure:3 u1", 0, "u1"),
        act(
            "inspect --format '{{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}} {{.HostConfig.CpuShares}} {{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}' u1",
            0,
            "500000000 50 512 on-failure 3",
        ),
        act("update --cpus 0.5 nobody", 1, ""),
        act("container update --cpuset-cpus 0 u1", 0, "u1"),
        act("rm -f u1", 0, "u1"),
        exits("run -d --rm --name u2 bb sleep 1000", 0),
        act("update --restart always u2", 1, ""),
        act("update --pids-limit 20 u2", 0, "u2"),
        act("rm -f u2", 0, "u2"),
    ]
}

#[test]
fn updates_are_equal() {
    equal_with_both(updates);
}

/// What a container's control group says of processes and of processor time.
fn limits(daemon: &Daemon) -> String {
    let script = "cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null || { cat /sys/fs/cgroup/pids.max; cut -d' ' -f1 /sys/fs/cgroup/cpu.max; }";
    daemon.sampan(&["exec", "c1", "sh", "-c", script]).replace('\n', " ")
}

#[test]
fn updated_limits_hold_at_once_and_after_each_start() {
    let mut daemon = Daemon::start(programs!());
    daemon.import_busybox();
    daemon.sampan(&["run", "-d", "--name", "c1", "bb", "sleep", "1000"]);
    daemon.sampan(&["update", "--pids-limit", "77", "--cpus", "0.5", "c1"]);
    assert_eq!(limits(&daemon), "77 50000");
    daemon.sampan(&["restart", "-t", "0", "c1"]);
    assert_eq!(limits(&daemon), "77 50000");
    daemon.kill9();
    daemon.start_again();
    daemon.sampan(&["stop", "-t", "0", "c1"]);
    daemon.sampan(&["update", "--pids-limit", "78", "c1"]);
    daemon.sampan(&["start", "c1"]);
    assert_eq!(limits(&daemon), "78 50000");
    daemon.sampan(&["update", "--pids-limit", "-1", "c1"]);
    assert_eq!(limits(&daemon), "max 50000");
    daemon.sampan(&["rm", "-f", "c1"]);
    daemon.nothing_is_left();
}

#[test]
fn an_updated_restart_policy_holds_at_the_next_end() {
    let daemon = Daemon::start(programs!());
    daemon.import_busybox();
    daemon.sampan(&[
        "run",
        "-d",
        "--name",
        "c1",
        "bb",
        "sh",
        "-c",
        "trap 'exit 3' USR1; while :; do sleep 0.05; done",
    ]);
    daemon.sampan(&["update", "--restart", "always", "c1"]);
    daemon.sampan(&["exec", "c1", "kill", "-USR1", "1"]);
    let restarted = || daemon.sampan(&["inspect", "--format", "{{.RestartCount}}", "c1"]) == "1";
    eventually("it was restarted", restarted);
    daemon.sampan(&["rm", "-f", "c1"]);
    daemon.nothing_is_left();
}

#[test]
fn pauses_are_equal() {
    equal_with_both(frozen);
}

#[test]
fn renames_are_equal() {
    equal_with_both(names);
}

#[test]
fn restarts_are_equal() {
    equal_with_both(again);
}

/// What the scripts expect is what Docker does.
#[cfg(feature = "peers")]
#[test]
fn docker_does_the_same() {
    // Docker takes a signal that does not exist for none.
    let foreign = |act: &Act| act.words.iter().any(|word| word == "NOPE");
    let all = [frozen(), names(), again(), updates()].into_iter().flatten();
    script::docker_does(all.filter(|act| !foreign(act)));
}

#[test]
fn a_restart_keeps_address_and_ports_and_starts_anew() {
    let daemon = Daemon::start(programs!());
    daemon.import_busybox();
    let run = "echo $$ >>/kept; touch /dev/shm/gone; trap 'exit 0' TERM; while :; do sleep 0.05; done";
    daemon.sampan(&["run", "-d", "--name", "c1", "bb", "sh", "-c", run]);
    let seen = |format: &str| daemon.sampan(&["inspect", "--format", format, "c1"]);
    let address = seen("{{.NetworkSettings.IPAddress}}");
    let pid = seen("{{.State.Pid}}");
    eventually("it has begun", || daemon.sampan(&["exec", "c1", "wc", "-l", "/kept"]).starts_with("1 "));
    daemon.sampan(&["restart", "c1"]);
    assert_eq!(seen("{{.NetworkSettings.IPAddress}}"), address);
    assert_ne!(seen("{{.State.Pid}}"), pid);
    eventually("it runs again", || daemon.sampan(&["exec", "c1", "wc", "-l", "/kept"]).starts_with("2 "));
    let shown = daemon.sampan(&["exec", "c1", "ip", "-o", "-4", "address", "show", "eth0"]);
    assert!(shown.contains(&format!("inet {address}/")), "{shown}");
    daemon.sampan(&["rm", "-f", "c1"]);
    daemon.nothing_is_left();
}

#[test]
fn a_restart_ends_the_restarts_by_policy_and_counts_anew() {
    let daemon = Daemon::start(programs!());
    daemon.import_busybox();
    daemon.sampan(&[
        "run",
        "-d",
        "--name",
        "c1",
        "--restart",
        "always",
        "bb",
        "sh",
        "-c",
        "sleep 0.1; exit 7",
    ]);
    let counted =
        || daemon.sampan(&["inspect", "--format", "{{.RestartCount}}", "c1"]).parse::<u32>().unwrap();
    eventually("it was restarted", || counted() >= 3);
    let waiting = || daemon.sampan(&["ps", "--format", "{{.Status}}"]).starts_with("Restarting (7) ");
    eventually("it waits to be started", waiting);
    for refused in [&["pause", "c1"][..], &["exec", "c1", "true"], &["top", "c1"]] {
        eventually("it is refused while it waits", || {
            let output = daemon.run(Cli::Sampan, refused);
            output.code == 1 && output.stderr.contains("is restarting, wait until the container is running")
        });
    }
    daemon.sampan(&["restart", "c1"]);
    assert!(counted() <= 1);
    daemon.sampan(&["rm", "-f", "c1"]);
    daemon.nothing_is_left();
}

#[test]
fn a_restart_goes_on_when_its_daemon_is_killed() {
    let mut daemon = Daemon::start(programs!());
    daemon.import_busybox();
    let stubborn = "echo up >>/log; trap '' TERM; while :; do sleep 0.05; done";
    daemon.sampan(&["run", "-d", "--name", "c1", "bb", "sh", "-c", stubborn]);
    let lines = |daemon: &Daemon| daemon.sampan(&["exec", "c1", "wc", "-l", "/log"]);
    eventually("it has begun", || lines(&daemon).starts_with("1 "));
    let id = daemon.sampan(&["inspect", "--format", "{{.Id}}", "c1"]);
    let client = Session::start(daemon.client(Cli::Sampan, &["restart", "-t", "2", "c1"]));
    let journal = daemon.data_root().join("containers").join(id).join("journal");
    let noted = || fs::read_to_string(&journal).unwrap().contains("restart-requested");
    eventually("the monitor has begun", noted);
    daemon.kill9();
    drop(client);
    daemon.start_again();
    eventually("it runs again", || {
        daemon.run(Cli::Sampan, &["exec", "c1", "wc", "-l", "/log"]).text().starts_with("2 ")
    });
    daemon.sampan(&["rm", "-f", "c1"]);
    daemon.nothing_is_left();
}

#[test]
fn a_pause_outlives_the_daemon() {
    let mut daemon = Daemon::start(programs!());
    daemon.import_busybox();
    let counting = "while :; do echo x; sleep 0.02; done";
    daemon.sampan(&["run", "-d", "--name", "c1", "bb", "sh", "-c", counting]);
    daemon.sampan(&["pause", "c1"]);
    let logged = |daemon: &Daemon| daemon.sampan(&["logs", "c1"]).len();
    let before = logged(&daemon);
    daemon.kill9();
    daemon.start_again();
    assert_eq!(daemon.sampan(&["ps", "--format", "{{.State}}"]), "paused");
    assert_eq!(logged(&daemon), before);
    daemon.sampan(&["unpause", "c1"]);
    eventually("it goes on", || logged(&daemon) > before);
    daemon.sampan(&["rm", "-f", "c1"]);
    daemon.nothing_is_left();
}

#[test]
fn a_new_name_outlives_the_daemon() {
    let mut daemon = Daemon::start(programs!());
    daemon.import_busybox();
    daemon.sampan(&["run", "-d", "--rm", "--name", "c1", "bb", "sleep", "1000"]);
    daemon.sampan(&["create", "--name", "c2", "bb", "true"]);
    daemon.sampan(&["rename", "c1", "d1"]);
    daemon.sampan(&["rename", "c2", "d2"]);
    daemon.kill9();
    daemon.start_again();
    assert_eq!(daemon.sampan(&["ps", "-a", "--format", "{{.Names}}"]), "d2\nd1");
    daemon.sampan(&["rm", "-f", "d1", "d2"]);
    daemon.nothing_is_left();
}

#[test]
fn top_shows_the_processes_of_the_container() {
    let daemon = Daemon::start(programs!());
    daemon.import_busybox();
    daemon.sampan(&["run", "-d", "--name", "c1", "bb", "sh", "-c", "sleep 777; true"]);
    eventually("its child runs", || daemon.sampan(&["top", "c1"]).contains("sleep 777"));
    for cli in BOTH {
        let shown = daemon.run(cli, &["top", "c1"]).ok();
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines.len(), 3, "{shown}");
        assert_eq!(
            lines[0].split_whitespace().collect::<Vec<_>>().join(" "),
            "UID PID PPID C STIME TTY TIME CMD"
        );
        assert!(lines[1].starts_with("root                "), "{shown}");
        assert!(lines[1].ends_with("sh -c sleep 777; true") && lines[2].ends_with("sleep 777"), "{shown}");
        let chosen = daemon.run(cli, &["container", "top", "c1", "-o", "pid,comm"]).ok();
        assert!(
            chosen.starts_with("PID                 COMMAND\n") && chosen.ends_with(" sleep"),
            "{chosen}"
        );
        let refused = daemon.run(cli, &["top", "c1", "--nonsense"]);
        assert!(
            refused.code == 1 && refused.stderr.starts_with("Error response from daemon: ps: "),
            "{refused:?}"
        );
    }
    assert_eq!(
        daemon.run(Cli::Docker, &["top", "c1"]).stdout,
        daemon.run(Cli::Sampan, &["top", "c1"]).stdout
    );
    daemon.sampan(&["rm", "-f", "c1"]);
    daemon.nothing_is_left();
}
