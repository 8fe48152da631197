//! Software as people run it: Debian from a registry, and its packages installed in a container from Debian's mirror.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use sampan_testkit::registry::{self, Image, LayerBlob};
use sampan_testkit::{Cli, Daemon, Output, Session, programs, tools, within};
use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A mirror far away, and a machine with other things to do.
const LIMIT: Duration = Duration::from_secs(600);
const WEB: u16 = 18080;
const INSTALL: &str =
    "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install";

/// A daemon with a way out that has pulled Debian from Debian's registry, and the image's name.
fn debian() -> (Daemon, String) {
    let mut daemon = Daemon::start(programs!());
    daemon.reach_out();
    let root = fs::read(tools!().join("debian12.tar")).expect("cargo xtask setup makes it");
    let image = Image::new(vec![LayerBlob::gzip(&root)], &["bash"]);
    let _registry = registry::debians(&daemon);
    daemon.network().inside(|| registry::push(registry::DEBIANS, "debian", "12", &image));
    let name = format!("{}/debian:12", registry::DEBIANS);
    patiently(&daemon, &["pull", "-q", &name]);
    (daemon, name)
}

/// Runs a command that takes longer.
#[track_caller]
fn patiently(daemon: &Daemon, words: &[&str]) -> String {
    Session::start(daemon.client(Cli::Sampan, words)).finish_within(LIMIT).ok()
}

/// What a server in a container answers to the host.
fn page(daemon: &Daemon, path: &str) -> io::Result<String> {
    daemon.network().inside(|| {
        let mut stream = TcpStream::connect(("127.0.0.1", WEB))?;
        write!(stream, "GET {path} HTTP/1.0\r\nUser-Agent: a test\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map(|_| answer)
    })
}

#[track_caller]
fn serves(daemon: &Daemon, path: &str) {
    let mut last = None;
    let served = || {
        last = Some(page(daemon, path));
        matches!(&last, Some(Ok(answer)) if answer.contains("200 OK") && answer.contains("Welcome to nginx"))
    };
    assert!(within(LIMIT, served), "{last:?}\n{}", daemon.sampan(&["logs", "web"]));
}

#[test]
fn nginx_serves_the_host() {
    let (daemon, debian) = debian();
    let script = format!(
        "{INSTALL} nginx && ln -sf /dev/stdout /var/log/nginx/access.log && exec nginx -g 'daemon off;'"
    );
    let port = format!("{WEB}:80");
    daemon.sampan(&["run", "-d", "--name", "web", "-p", &port, &debian, "sh", "-c", &script]);
    serves(&daemon, "/?first");
    let logs = daemon.sampan(&["logs", "web"]);
    assert!(logs.contains("Setting up nginx") && logs.contains("\"GET /?first HTTP/1.0\" 200"), "{logs}");
    daemon.sampan(&["stop", "web"]);
    assert_eq!(daemon.sampan(&["inspect", "-f", "{{.State.ExitCode}}", "web"]), "0");
    assert!(page(&daemon, "/").is_err());
    daemon.sampan(&["start", "web"]);
    serves(&daemon, "/?second");
    daemon.sampan(&["stop", "web"]);
    daemon.sampan(&["rm", "web"]);
    daemon.nothing_is_left();
}

/// Runs a statement in a database that may still be starting.
#[track_caller]
fn sql(daemon: &Daemon, container: &str, statement: &str) -> String {
    let words = ["exec", "-u", "postgres", container, "psql", "-q", "-t", "-A", "-c", statement];
    let mut last = None::<Output>;
    let done = || last.insert(daemon.run(Cli::Sampan, &words)).code == 0;
    let done = within(LIMIT, done);
    let last = last.unwrap();
    assert!(done, "{last:?}\n{:?}", daemon.run(Cli::Sampan, &["logs", container]));
    last.text()
}

/// An image with PostgreSQL, as somebody makes it who has no Dockerfile.
fn with_postgres(daemon: &Daemon, debian: &str) {
    let script = format!("{INSTALL} postgresql");
    daemon.sampan(&["run", "-d", "--name", "base", debian, "sleep", "infinity"]);
    patiently(daemon, &["exec", "base", "sh", "-c", &script]);
    let pack = ["exec", "base", "tar", "-C", "/", "--one-file-system", "-c", "."];
    let tree = Session::start(daemon.client(Cli::Sampan, &pack)).finish_within(LIMIT);
    daemon.run_with(Cli::Sampan, &["import", "-", "postgres"], &tree.stdout).ok();
    daemon.sampan(&["rm", "-f", "base"]);
}

/// Runs a database with its data on a volume.
fn database(daemon: &Daemon, name: &str) {
    let program = "/usr/lib/postgresql/15/bin/postgres";
    let config = "config_file=/etc/postgresql/15/main/postgresql.conf";
    let run = [
        "run",
        "-d",
        "--name",
        name,
        "-u",
        "postgres",
        "--stop-signal",
        "INT",
        "-v",
        "data:/var/lib/postgresql",
    ];
    daemon.sampan(&[&run[..], &["postgres", program, "-c", config]].concat());
}

#[test]
fn postgres_keeps_its_data() {
    let (mut daemon, debian) = debian();
    with_postgres(&daemon, &debian);
    database(&daemon, "db");
    sql(&daemon, "db", "create table kept (line text); insert into kept values ('one')");
    assert_eq!(daemon.run(Cli::Docker, &["restart", "db"]).ok(), "db");
    sql(&daemon, "db", "insert into kept values ('two')");
    daemon.kill9();
    daemon.start_again();
    sql(&daemon, "db", "insert into kept values ('three')");
    daemon.sampan(&["stop", "db"]);
    assert_eq!(daemon.sampan(&["inspect", "-f", "{{.State.ExitCode}}", "db"]), "0", "a fast shutdown");
    daemon.sampan(&["rm", "db"]);
    database(&daemon, "again");
    assert_eq!(sql(&daemon, "again", "select string_agg(line, ' ') from kept"), "one two three");
    daemon.sampan(&["rm", "-f", "again"]);
    daemon.sampan(&["volume", "rm", "data"]);
    daemon.nothing_is_left();
}
