//! Health checks as users see them, by both command lines: `inspect`, `ps`, its filter, and events; and that they go on without
//! a daemon.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use sampan_testkit::{Cli, Daemon, eventually, programs};
use serde_json::{Value, json};

/// A daemon with busybox.
fn daemon() -> Daemon {
    let daemon = Daemon::start(programs!());
    daemon.import_busybox();
    daemon
}

/// `run -d`, with a check each 50 milliseconds.
fn run(daemon: &Daemon, cli: Cli, name: &str, flags: &[&str]) {
    let begin = ["run", "-d", "--name", name, "--health-interval", "50ms"];
    daemon.run(cli, &[&begin, flags, &["bb", "sleep", "1000"]].concat()).ok();
}

fn state(daemon: &Daemon, name: &str) -> Value {
    let text = daemon.sampan(&["inspect", "-f", "{{json .State}}", name]);
    serde_json::from_str(&text).unwrap()
}

fn until(daemon: &Daemon, name: &str, status: &str) {
    eventually(&format!("{name} is {status}"), || state(daemon, name)["Health"]["Status"] == status);
}

/// What `ps` says of it, from the first bracket on.
fn remark(daemon: &Daemon, name: &str) -> String {
    let status =
        daemon.sampan(&["ps", "-a", "--filter", &format!("name=^{name}$"), "--format", "{{.Status}}"]);
    status.find('(').map(|at| status[at..].to_owned()).unwrap_or_default()
}

#[test]
fn it_is_seen_wherever_docker_shows_it() {
    let daemon = daemon();
    for cli in [Cli::Sampan, Cli::Docker] {
        run(&daemon, cli, "h1", &["--health-cmd", "echo said; [ -e /tmp/well ]", "--health-retries", "2"]);
        until(&daemon, "h1", "unhealthy");
        assert_eq!(remark(&daemon, "h1"), "(unhealthy)");
        daemon.sampan(&["exec", "h1", "touch", "/tmp/well"]);
        until(&daemon, "h1", "healthy");
        assert_eq!(remark(&daemon, "h1"), "(healthy)");
        let health = &state(&daemon, "h1")["Health"];
        assert_eq!(health["FailingStreak"], 0);
        let last = &health["Log"][health["Log"].as_array().unwrap().len() - 1];
        assert_eq!((&last["ExitCode"], &last["Output"]), (&json!(0), &json!("said\n")));
        assert!(last["Start"].as_str().unwrap() < last["End"].as_str().unwrap());
        let chosen =
            |filter: &str| daemon.sampan(&["ps", "-a", "--filter", filter, "--format", "{{.Names}}"]);
        daemon.sampan(&["create", "--name", "none", "bb", "true"]);
        assert_eq!((chosen("health=healthy"), chosen("health=none")), ("h1".to_owned(), "none".to_owned()));
        // What is not probed now counts as unhealthy.
        daemon.sampan(&["pause", "h1"]);
        assert_eq!((chosen("health=unhealthy").as_str(), remark(&daemon, "h1").as_str()), ("h1", "(Paused)"));
        daemon.sampan(&["unpause", "h1"]);
        until(&daemon, "h1", "healthy");
        daemon.sampan(&["restart", "-t", "0", "h1"]);
        // The log outlives a restart: more than the new process can have had yet.
        assert!(state(&daemon, "h1")["Health"]["Log"].as_array().unwrap().len() > 2);
        daemon.sampan(&["stop", "-t", "0", "h1"]);
        assert_eq!(state(&daemon, "h1")["Health"]["Status"], "unhealthy");
        daemon.sampan(&["rm", "h1", "none"]);
    }
}

#[test]
fn it_begins_with_starting() {
    let daemon = daemon();
    run(&daemon, Cli::Sampan, "h1", &["--health-cmd", "true", "--health-interval", "1h"]);
    assert_eq!(remark(&daemon, "h1"), "(health: starting)");
    assert_eq!(state(&daemon, "h1")["Health"], json!({"Status": "starting", "FailingStreak": 0, "Log": []}));
}

#[test]
fn the_image_says_what_the_user_does_not() {
    let daemon = daemon();
    let change = "HEALTHCHECK --interval=50ms --timeout=7s CMD echo of-image";
    daemon
        .run_with(Cli::Sampan, &["import", "-c", change, "-", "hc"], &sampan_testkit::root_file_system())
        .ok();
    let check = |name: &str| -> Value {
        serde_json::from_str(&daemon.sampan(&["inspect", "-f", "{{json .Config.Healthcheck}}", name]))
            .unwrap()
    };
    daemon.sampan(&["run", "-d", "--name", "c1", "--health-retries", "4", "hc", "sleep", "1000"]);
    let (interval, timeout) = (50_000_000, 7_000_000_000_u64);
    let test = json!(["CMD-SHELL", "echo of-image"]);
    let want = json!({"Test": test, "Interval": interval, "Timeout": timeout, "Retries": 4});
    assert_eq!(check("c1"), want);
    until(&daemon, "c1", "healthy");
    assert_eq!(state(&daemon, "c1")["Health"]["Log"][0]["Output"], "of-image\n");
    daemon.sampan(&["run", "-d", "--name", "c2", "--no-healthcheck", "hc", "sleep", "1000"]);
    assert_eq!(check("c2"), json!({"Test": ["NONE"], "Interval": interval, "Timeout": timeout}));
    assert_eq!(state(&daemon, "c2").get("Health"), None);
}

#[test]
fn what_can_never_be_right_is_refused() {
    let daemon = daemon();
    for (flags, want) in [
        (&["--health-interval", "10us"][..], "Interval in Healthcheck cannot be less than 1ms"),
        (&["--health-start-period", "10us"], "StartPeriod in Healthcheck cannot be less than 1ms"),
        (&["--health-timeout", "-1s"], "--health-timeout cannot be negative"),
        (
            &["--health-interval", "5"],
            "invalid argument \"5\" for \"--health-interval\" flag: time: missing unit in duration \"5\"",
        ),
        (&["--no-healthcheck", "--health-cmd", "x"], "--no-healthcheck conflicts with --health-* options"),
    ] {
        for cli in [Cli::Sampan, Cli::Docker] {
            let output = daemon.run(cli, &[&["create"], flags, &["bb", "true"]].concat());
            assert!(output.code != 0 && output.stderr.contains(want), "{cli:?} {flags:?}: {output:?}");
        }
    }
}

/// The monitor probes, and the next daemon tells of it with the times of then.
#[test]
fn it_goes_on_without_a_daemon() {
    let mut daemon = daemon();
    run(&daemon, Cli::Sampan, "h1", &["--health-cmd", "[ -e /tmp/well ]", "--health-retries", "1"]);
    let id = daemon.sampan(&["inspect", "-f", "{{.Id}}", "h1"]);
    until(&daemon, "h1", "unhealthy");
    let pid = state(&daemon, "h1")["Pid"].to_string();
    daemon.kill9();
    std::fs::write(format!("/proc/{pid}/root/tmp/well"), "").unwrap();
    let journal = daemon.data_root().join("containers").join(&id).join("journal");
    let healthy = || std::fs::read_to_string(&journal).unwrap().contains("\"status\":\"healthy\"");
    eventually("it was probed without a daemon", healthy);
    daemon.start_again();
    until(&daemon, "h1", "healthy");
    assert_eq!(state(&daemon, "h1")["Pid"].to_string(), pid);
    let actions = |word: &str| {
        let all = daemon.sampan(&["events", "--since", "1", "--until", "0s", "--format", "{{.Action}}"]);
        all.lines().filter(|line| line.starts_with(word)).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(actions("health_status"), ["health_status: unhealthy", "health_status: healthy"]);
    let probes = |word: &str| actions(word).len();
    assert!(probes("exec_create: /bin/sh -c [ -e /tmp/well ]") >= 2 && probes("exec_die") >= 2);
}
