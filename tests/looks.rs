//! Looking at containers: what they use, what they have changed, how large that is; and removing those that do not run.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod script;

use sampan_testkit::{Cli, Daemon, Session, programs};
use script::{Act, act, equal_with_both, exits};

const BOTH: [Cli; 2] = [Cli::Sampan, Cli::Docker];

fn changes() -> Vec<Act> {
    vec![
        exits("run -d --name d1 bb sleep 1000", 0),
        act("diff d1", 0, ""),
        exits("ps -s --filter name=^/d1$ --format '{{.Size}}'", 0),
        act(
            "exec d1 sh -c 'echo x >/etc/new; rm /etc/group; mkdir /d; echo hi >/d/file; touch /dev/foo; echo a >>/etc/hosts; chmod 700 /root; mkdir /usr/a; rmdir /usr/a; rm -f /tmp/no'",
            0,
            "",
        ),
        act(
            "exec d1 sh -c 'rm -rf /home; mkdir /home; ln -s nowhere /link; mkfifo /pipe; echo more >>/etc/passwd'",
            0,
            "",
        ),
        act("stop -t 0 d1", 0, "d1"),
        exits("container diff d1", 0),
        act("rm d1", 0, "d1"),
        act("diff nobody", 1, ""),
        act("diff", 1, ""),
    ]
}

fn prunes() -> Vec<Act> {
    vec![
        exits("create --name u1 --label prune=yes bb true", 0),
        exits("create --name u2 --label prune=no bb true", 0),
        exits("run -d --name u3 --label prune=yes bb sleep 1000", 0),
        act("container prune -f --filter label=prune=other", 0, "Total reclaimed space: 0B"),
        act("container prune -f --filter label=prune --filter until=10m", 0, "Total reclaimed space: 0B"),
        act("container prune -f --filter until=nonsense", 1, ""),
        act("container prune -f --filter nope=1", 1, ""),
        exits("container prune -f --filter label=prune=yes", 0),
        act("ps -a --filter label=prune --format '{{.Names}}'", 0, "u3\nu2"),
        exits("container prune -f --filter label=prune --filter label!=prune=yes", 0),
        act("ps -a --filter label=prune --format '{{.Names}}'", 0, "u3"),
        act(
            "container prune",
            0,
            "WARNING! This will remove all stopped containers.\nAre you sure you want to continue? [y/N]",
        ),
        act("rm -f u3", 0, "u3"),
    ]
}

#[test]
fn changes_are_equal() {
    equal_with_both(changes);
}

#[test]
fn prunes_are_equal() {
    equal_with_both(prunes);
}

/// What the scripts expect is what Docker does.
#[cfg(feature = "peers")]
#[test]
fn docker_does_the_same() {
    script::docker_does(changes().into_iter().chain(prunes()));
}

#[test]
fn changes_are_those_that_were_made() {
    let daemon = Daemon::start(programs!());
    daemon.import_busybox();
    let script =
        "echo x >/etc/new; rm /etc/group; mkdir /d; echo hi >/d/file; echo a >>/etc/hosts; chmod 700 /root";
    daemon.sampan(&["run", "--name", "c1", "bb", "sh", "-c", script]);
    let want = "A /d\nA /d/file\nC /etc\nD /etc/group\nA /etc/new\nC /root";
    for cli in BOTH {
        assert_eq!(daemon.run(cli, &["diff", "c1"]).ok(), want);
    }
    let size = daemon.sampan(&["ps", "-a", "-s", "--format", "{{.Size}}"]);
    assert!(size.starts_with("5B (virtual "), "{size}");
    assert_eq!(daemon.sampan(&["inspect", "-s", "--format", "{{.SizeRw}}", "c1"]), "5");
    let listed = |cli| daemon.run(cli, &["ps", "-a", "-s"]).ok();
    assert_eq!(listed(Cli::Sampan).replace(' ', ""), listed(Cli::Docker).replace(' ', ""));
    daemon.sampan(&["rm", "c1"]);
    daemon.nothing_is_left();
}

#[test]
fn stats_show_what_a_container_uses() {
    let daemon = Daemon::start(programs!());
    daemon.import_busybox();
    let busy = "sleep 1000 & while :; do :; done";
    daemon.sampan(&["run", "-d", "--name", "busy", "-m", "64m", "bb", "sh", "-c", busy]);
    daemon.sampan(&["create", "--name", "idle", "bb", "true"]);
    let format = "{{.Name}};{{.PIDs}};{{.MemUsage}};{{.CPUPerc}};{{.NetIO}}";
    for cli in BOTH {
        let shown = daemon.run(cli, &["stats", "--no-stream", "--format", format, "busy", "idle"]).ok();
        let (busy, idle) = shown.split_once('\n').unwrap();
        assert_eq!(idle, "idle;0;0B / 0B;0.00%;0B / 0B", "{cli:?}");
        let fields: Vec<&str> = busy.split(';').collect();
        assert_eq!(fields[..2], ["busy", "2"], "{cli:?} {shown}");
        assert!(fields[2].ends_with(" / 64MiB") && !fields[2].starts_with("0B"), "{cli:?} {shown}");
        assert!(fields[3].trim_end_matches('%').parse::<f64>().unwrap() > 1.0, "{cli:?} {shown}");
        let refused = daemon.run(cli, &["stats", "--no-stream", "nobody"]);
        assert_eq!(
            (refused.code, refused.stderr.trim_end()),
            (1, "Error response from daemon: No such container: nobody")
        );
    }
    let table = daemon.sampan(&["stats", "--no-stream"]);
    let heading = table.lines().next().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(heading, "CONTAINER ID NAME CPU % MEM USAGE / LIMIT MEM % NET I/O BLOCK I/O PIDS");
    assert_eq!(table.lines().count(), 2, "{table}");
    daemon.sampan(&["rm", "-f", "busy", "idle"]);
    daemon.nothing_is_left();
}

#[test]
fn stats_count_what_goes_through_the_containers_own_link() {
    let daemon = Daemon::start(programs!());
    daemon.import_busybox();
    daemon.sampan(&["run", "-d", "--name", "c1", "bb", "sleep", "1000"]);
    let address = daemon.sampan(&["inspect", "--format", "{{.NetworkSettings.IPAddress}}", "c1"]);
    daemon.sampan(&["run", "--rm", "bb", "ping", "-c", "10", "-i", "0.1", "-s", "20000", &address]);
    let shown = daemon.sampan(&["stats", "--no-stream", "--format", "{{.NetIO}}", "c1"]);
    for direction in shown.split(" / ") {
        let kilobytes: f64 = direction.strip_suffix("kB").unwrap_or_default().parse().unwrap_or_default();
        assert!((200.0..400.0).contains(&kilobytes), "{shown}");
    }
    daemon.sampan(&["rm", "-f", "c1"]);
    daemon.nothing_is_left();
}

#[test]
fn stats_go_on_until_the_container_goes() {
    let daemon = Daemon::start(programs!());
    daemon.import_busybox();
    daemon.sampan(&["run", "-d", "--name", "c1", "bb", "sleep", "1000"]);
    let sessions = BOTH
        .map(|cli| Session::start(daemon.client(cli, &["stats", "--format", "{{.Name}}: {{.PIDs}}", "c1"])));
    sessions.iter().for_each(|session| session.wait_for_text("c1: 1"));
    daemon.sampan(&["exec", "-d", "c1", "sleep", "1000"]);
    sessions.iter().for_each(|session| session.wait_for_text("c1: 2"));
    daemon.sampan(&["stop", "-t", "0", "c1"]);
    sessions.iter().for_each(|session| session.wait_for_text("c1: 0"));
    daemon.sampan(&["rm", "-f", "c1"]);
    let [ours, dockers] = sessions;
    assert_eq!(ours.finish().code, 0);
    drop(dockers);
    daemon.nothing_is_left();
}
