//! What happened, as Docker tells it: in its order and words, and each thing once, whatever became of daemons.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use sampan_testkit::{Cli, Daemon, eventually, pids_mentioning, programs};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{SystemTime, UNIX_EPOCH};

/// The next whole second, as Docker's command line passes no more on.
fn soon() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    (now.as_secs() + 1).to_string()
}

/// Everything since the beginning, a line each: type, action, and what `about` adds.
fn told(daemon: &Daemon, cli: Cli, about: &str) -> Vec<String> {
    let format = format!("{{{{.Type}}}} {{{{.Action}}}}{about}");
    let all = daemon.run(cli, &["events", "--since", "1", "--until", &soon(), "--format", &format]);
    all.ok().lines().map(str::to_owned).collect()
}

/// Waits until the container has set its trap so many times.
fn ready(daemon: &Daemon, name: &str, times: usize) {
    let lines = || daemon.run(Cli::Sampan, &["logs", name]).ok().lines().count();
    eventually("it has set its trap", || lines() == times);
}

/// One container through everything, as Docker 28 told it.
#[test]
fn the_order_and_the_words_are_dockers() {
    let daemon = Daemon::start(programs!());
    daemon.import_busybox();
    let ok = |words: &[&str]| daemon.run(Cli::Sampan, words).ok();
    let script = "trap 'exit 3' TERM; echo ready; while :; do sleep 0.1; done";
    ok(&["run", "-d", "--name", "aa", "-l", "k=v", "bb", "sh", "-c", script]);
    ready(&daemon, "aa", 1);
    ok(&["exec", "aa", "true"]);
    assert_eq!(daemon.run(Cli::Sampan, &["exec", "aa", "sh", "-c", "exit 4"]).code, 4);
    ok(&["pause", "aa"]);
    ok(&["unpause", "aa"]);
    ok(&["rename", "aa", "ba"]);
    ok(&["restart", "ba"]);
    ready(&daemon, "ba", 2);
    ok(&["stop", "ba"]);
    ok(&["start", "ba"]);
    ok(&["kill", "ba"]);
    ok(&["rm", "ba"]);
    ok(&["run", "--rm", "--network", "none", "bb", "true"]);
    ok(&["tag", "bb", "t:1"]);
    ok(&["rmi", "t:1"]);
    ok(&["volume", "create", "v1"]);
    ok(&["volume", "rm", "v1"]);
    let want = [
        "image tag",
        "image import",
        "container create",
        "network connect",
        "container start",
        "container exec_create: true ",
        "container exec_start: true ",
        "container exec_die 0",
        "container exec_create: sh -c exit 4",
        "container exec_start: sh -c exit 4",
        "container exec_die 4",
        "container pause",
        "container unpause",
        "container rename",
        "container kill",
        "network disconnect",
        "container stop",
        "container die 3",
        "network connect",
        "container start",
        "container restart",
        "container kill",
        "network disconnect",
        "container stop",
        "container die 3",
        "network connect",
        "container start",
        "container kill",
        "network disconnect",
        "container die 137",
        "container destroy",
        "container create",
        "container attach",
        "network connect",
        "container start",
        "network disconnect",
        "container die 0",
        "container destroy",
        "image tag",
        "image untag",
        "volume create",
        "volume destroy",
    ];
    let code = "{{with .Actor.Attributes}}{{if index . \"exitCode\"}} {{index . \"exitCode\"}}{{end}}{{end}}";
    assert_eq!(told(&daemon, Cli::Docker, code), want);
    let bare: Vec<String> = told(&daemon, Cli::Sampan, "");
    assert_eq!(bare.len(), want.len());
    let filtered = ["events", "--since", "1", "--until", &soon(), "-f", "container=ba", "-f", "event=die"];
    for cli in [Cli::Sampan, Cli::Docker] {
        assert_eq!(daemon.run(cli, &filtered).ok().lines().count(), 3);
    }
}

/// A container that ends while there is no daemon is told of by the next one, with the time at which it ended; daemons
/// that come after that tell nothing twice.
#[test]
fn what_happened_without_a_daemon_is_told_once() {
    let mut daemon = Daemon::start(programs!());
    daemon.import_busybox();
    let ended = daemon.scratch().join("ended");
    let bind = format!("{}:/s", daemon.scratch().display());
    let script = "until [ -e /s/end ]; do sleep 0.05; done; touch /s/ended";
    daemon.run(Cli::Sampan, &["run", "-d", "--name", "aa", "-v", &bind, "bb", "sh", "-c", script]).ok();
    daemon
        .run(Cli::Sampan, &["run", "-d", "--rm", "--name", "ba", "-v", &bind, "bb", "sh", "-c", script])
        .ok();
    daemon.kill9();
    std::fs::write(daemon.scratch().join("end"), "").unwrap();
    eventually("it has ended", || ended.exists());
    let monitors = daemon.exec_root().join("containers");
    eventually("nothing runs", || {
        let a = |(_, words): &(i32, String)| words.contains("touch");
        !pids_mentioning(&monitors).iter().any(a)
    });
    let mut told_before = Vec::new();
    for _ in 0..3 {
        daemon.start_again();
        let all = told(&daemon, Cli::Sampan, " {{.Actor.Attributes.name}}");
        let count = |line: &str| all.iter().filter(|told| *told == line).count();
        for line in ["container create aa", "container start aa", "container die aa", "container die ba"] {
            assert_eq!(count(line), 1, "{line}: {all:#?}");
        }
        assert_eq!((count("container destroy aa"), count("container destroy ba")), (0, 1), "{all:#?}");
        if !told_before.is_empty() {
            assert_eq!(all, told_before);
        }
        told_before = all;
        daemon.kill9();
    }
    daemon.start_again();
    daemon.run(Cli::Sampan, &["rm", "aa"]).ok();
}

/// A client that does not read holds nobody up, and has missed nothing when it reads again.
#[test]
fn a_slow_reader_misses_nothing() {
    const MANY: usize = 800;
    let daemon = Daemon::start(programs!());
    daemon.import_busybox();
    let connect = || UnixStream::connect(daemon.scratch().join("sock")).unwrap();
    let mut slow = connect();
    slow.write_all(b"GET /events?filters=%7B%22event%22%3A%5B%22tag%22%5D%7D HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let mut head = [0; 12];
    slow.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    // Long names, so that they do not all fit between the daemon and the client.
    let (repository, mut busy) = ("r".repeat(200), BufReader::new(connect()));
    for i in 0..MANY {
        let line = format!(
            "POST /images/bb/tag?repo={repository}&tag={i} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
        );
        busy.get_mut().write_all(line.as_bytes()).unwrap();
        let mut answer = String::new();
        while !answer.ends_with("\r\n\r\n") {
            assert!(busy.read_line(&mut answer).unwrap() > 0);
        }
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    }
    let mut lines = BufReader::new(slow).lines().map_while(Result::ok).filter(|line| line.starts_with('{'));
    for i in 0..MANY {
        let line = lines.next().unwrap();
        assert!(line.contains(&format!("r:{i}\"")), "{i}: {line}");
    }
}
