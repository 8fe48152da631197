//! Containers' logs: each driver with its options, by either command line; while being rotated, compressed, and cut short.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use sampan_testkit::{Cli, Daemon, eventually, pids_mentioning, programs};
use std::fs;
use std::path::PathBuf;

const DRIVERS: [&str; 2] = ["json-file", "local"];
const BOTH: [Cli; 2] = [Cli::Sampan, Cli::Docker];

fn daemon() -> Daemon {
    let daemon = Daemon::start(programs!());
    daemon.import_busybox();
    daemon
}

/// Runs a script to its end in a container `c1`; gives its id.
fn ran(daemon: &Daemon, options: &[&str], script: &str) -> String {
    let words = [&["run", "-d", "--name", "c1"], options, &["bb", "sh", "-c", script]].concat();
    let id = daemon.sampan(&words);
    assert_eq!(daemon.sampan(&["wait", "c1"]), "0");
    id
}

fn files(daemon: &Daemon, id: &str) -> Vec<String> {
    let entries = fs::read_dir(log_folder(daemon, id)).unwrap();
    let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn log_folder(daemon: &Daemon, id: &str) -> PathBuf {
    daemon.data_root().join("containers").join(id).join("log")
}

#[test]
fn what_was_written_is_read() {
    let daemon = daemon();
    for driver in DRIVERS {
        ran(
            &daemon,
            &["--log-driver", driver],
            "echo one; sleep 0.1; echo two >&2; sleep 0.1; printf '\\303\\251<three'",
        );
        for cli in BOTH {
            let logs = |more: &[&str]| daemon.run(cli, &[&["logs"], more, &["c1"]].concat());
            assert_eq!(
                (logs(&[]).ok(), logs(&[]).stderr.trim()),
                ("one\né<three".to_owned(), "two"),
                "{driver}"
            );
            assert_eq!(logs(&["--tail", "1"]).ok(), "é<three");
            assert_eq!(logs(&["--details"]).ok(), " one\n é<three");
            let timed = logs(&["-t"]).ok();
            let time = timed.lines().nth(1).unwrap().split(' ').next().unwrap();
            assert_eq!((time.len(), logs(&["--since", time]).ok()), (30, "é<three".to_owned()), "{driver}");
            assert_eq!(logs(&["--until", "2020-01-01T00:00:00Z"]).ok(), "");
            assert_eq!(logs(&["-f"]).ok(), "one\né<three");
        }
        daemon.sampan(&["rm", "c1"]);
    }
    daemon.nothing_is_left();
}

#[test]
fn lines_bear_what_was_asked_for() {
    let daemon = daemon();
    let options = "--label a=1 --label b=x&y -e V=2 --log-opt labels=a --log-opt labels-regex=^b --log-opt env=V \
                   --log-opt tag={{.Name}}/{{.ImageName}}";
    let options: Vec<&str> = options.split_whitespace().collect();
    let id = ran(&daemon, &options, "echo hi");
    let text = fs::read_to_string(log_folder(&daemon, &id).join(format!("{id}-json.log"))).unwrap();
    let want =
        r#"{"log":"hi\n","stream":"stdout","attrs":{"V":"2","a":"1","b":"x\u0026y","tag":"c1/bb"},"time":""#;
    assert!(text.starts_with(want), "{text}");
    for cli in BOTH {
        assert_eq!(daemon.run(cli, &["logs", "--details", "c1"]).ok(), "V=2,a=1,b=x%26y,tag=c1%2Fbb hi");
    }
    daemon.sampan(&["rm", "c1"]);
    daemon.nothing_is_left();
}

#[test]
fn no_log() {
    let daemon = daemon();
    let id = ran(&daemon, &["--log-driver", "none"], "echo hi");
    for cli in BOTH {
        for words in [&["logs", "c1"][..], &["logs", "-f", "c1"]] {
            let output = daemon.run(cli, words);
            assert_eq!(output.code, 1);
            let text = "Error response from daemon: configured logging driver does not support reading";
            assert_eq!(output.stderr.trim(), text);
        }
    }
    assert!(files(&daemon, &id).is_empty());
    daemon.sampan(&["rm", "c1"]);
    daemon.nothing_is_left();
}

#[test]
fn what_cannot_be_is_refused_in_dockers_words() {
    let daemon = daemon();
    for (option, text) in [
        ("--log-driver=foo", "error looking up logging plugin foo: plugin \"foo\" not found"),
        ("--log-opt=x=y", "unknown log opt 'x' for json-file log driver"),
        ("--log-opt=mode=foo", "logger: logging mode not supported: foo"),
    ] {
        let output = daemon.run(Cli::Docker, &["create", option, "bb", "true"]);
        assert_eq!(
            (output.code, output.stderr.lines().next().unwrap()),
            (1, &*format!("Error response from daemon: {text}"))
        );
    }
    daemon.sampan(&["create", "--name", "c1", "--log-opt", "max-size=x", "bb", "true"]);
    let text = "failed to create task for container: failed to initialize logging driver: invalid size: 'x'";
    for cli in BOTH {
        let output = daemon.run(cli, &["start", "c1"]);
        assert!(output.code == 1 && output.stderr.contains(text), "{}", output.stderr);
    }
    assert_eq!(
        daemon.sampan(&["inspect", "-f", "{{.State.Status}} {{.State.ExitCode}} {{.State.Error}}", "c1"]),
        format!("created 128 {text}")
    );
    daemon.sampan(&["rm", "c1"]);
    daemon.nothing_is_left();
}

#[test]
fn the_daemons_own_driver_and_options() {
    let own = ["--log-driver", "local", "--log-opt", "max-size=1m"];
    let daemon = Daemon::start_told(programs!(), &own);
    daemon.import_busybox();
    let shown = |options: &[&str]| {
        ran(&daemon, options, "echo hi");
        assert_eq!(daemon.sampan(&["logs", "c1"]), "hi");
        let format = "{{.HostConfig.LogConfig.Type}} {{.HostConfig.LogConfig.Config}}";
        let shown = daemon.sampan(&["inspect", "-f", format, "c1"]);
        daemon.sampan(&["rm", "c1"]);
        shown
    };
    assert_eq!(shown(&[]), "local map[max-size:1m]");
    assert_eq!(shown(&["--log-opt", "max-file=2"]), "local map[max-file:2 max-size:1m]");
    assert_eq!(shown(&["--log-driver", "json-file"]), "json-file map[]");
    assert_eq!(daemon.sampan(&["info", "-f", "{{.LoggingDriver}}"]), "local");
    daemon.nothing_is_left();
}

/// Whatever is cut short, what is left of the log is its last lines, each whole.
#[test]
fn a_killed_monitor_costs_no_line_that_was_written() {
    let daemon = daemon();
    for driver in DRIVERS {
        let options = ["--log-driver", driver, "--log-opt", "max-size=200k", "--log-opt", "max-file=4"];
        let compress = ["--log-opt", "compress=true", "--restart", "no"];
        let script = "i=0; touch /n; while read x; do i=$x; done < /n; \
                      while :; do i=$((i+3000)); echo $i >> /n; seq $((i+1)) $((i+3000)); done";
        let words =
            [&["run", "-d", "--name", "c1"], &options[..], &compress, &["bb", "sh", "-c", script]].concat();
        let id = daemon.sampan(&words);
        for _ in 0..3 {
            let packed = || files(&daemon, &id).iter().any(|name| name.ends_with(".gz"));
            eventually("a file is compressed", packed);
            let bundle = daemon.exec_root().join("containers").join(&id);
            let (monitor, _) = pids_mentioning(&bundle)[0];
            rustix::process::kill_process(
                rustix::process::Pid::from_raw(monitor).unwrap(),
                rustix::process::Signal::KILL,
            )
            .unwrap();
            eventually("the end is known", || daemon.sampan(&["ps", "-a"]).contains("Exited (137)"));
            has_whole_lines_in_order(&daemon);
            daemon.sampan(&["start", "c1"]);
        }
        daemon.sampan(&["rm", "-f", "c1"]);
    }
    daemon.nothing_is_left();
}

/// From number to number, or on to the first one behind another start.
fn has_whole_lines_in_order(daemon: &Daemon) {
    let text = daemon.sampan(&["logs", "c1"]);
    let numbers: Vec<u64> = text.lines().map(|line| line.parse().expect(line)).collect();
    assert!(numbers.len() > 1000, "{}", numbers.len());
    for pair in numbers.windows(2).filter(|pair| pair[1] != pair[0] + 1) {
        assert!(pair[1] > pair[0] && pair[1] % 3000 == 1, "{pair:?}");
    }
}
