//! The default bridge, as containers and their clients meet it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use sampan_testkit::{Cli, Daemon, Output, eventually, programs};
use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

/// The bridge's address: one of the host's.
const HOST: &str = "10.213.0.1";

/// Starts a container that answers each connection to its port 80 with its name.
fn server(daemon: &Daemon, name: &str, options: &[&str]) {
    let command = ["bb", "nc", "-ll", "-p", "80", "-e", "echo", name];
    daemon.sampan(&[&["run", "-d", "--name", name], options, &command].concat());
}

/// What is answered on a port of the host, if anything is.
fn ask(daemon: &Daemon, address: &str, port: u16) -> Option<String> {
    daemon.network().inside(|| {
        let to = format!("{address}:{port}").parse().unwrap();
        let mut stream = TcpStream::connect_timeout(&to, Duration::from_millis(500)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer.trim_end().to_owned())
    })
}

#[track_caller]
fn answers(daemon: &Daemon, port: u16, name: &str) {
    eventually("the port answers", || ask(daemon, HOST, port).as_deref() == Some(name));
    assert_eq!(ask(daemon, "127.0.0.1", port).as_deref(), Some(name));
}

fn remove_bridge(daemon: &Daemon) {
    daemon.network().output(&["ip", "link", "delete", daemon.bridge()]);
}

#[test]
fn a_bridge_that_somebody_removes_comes_back() {
    let mut daemon = Daemon::start(programs!());
    daemon.import_busybox();
    server(&daemon, "web", &["-p", "18080:80"]);
    answers(&daemon, 18080, "web");
    for _ in 0..3 {
        // The next container may come before the daemon has noticed.
        remove_bridge(&daemon);
        daemon.sampan(&["run", "--rm", "bb", "true"]);
        answers(&daemon, 18080, "web");
    }
    remove_bridge(&daemon);
    answers(&daemon, 18080, "web");

    daemon.kill9();
    remove_bridge(&daemon);
    daemon.start_again();
    answers(&daemon, 18080, "web");
    let at_web = ["run", "--rm", "bb", "nc", HOST, "18080"];
    assert_eq!(daemon.sampan(&at_web), "web", "from another container");
    daemon.sampan(&["rm", "-f", "web"]);
    daemon.nothing_is_left();
}

#[test]
fn what_a_killed_daemon_left_goes_with_its_record() {
    let mut daemon = Daemon::start(programs!());
    daemon.import_busybox();
    let id = daemon.sampan(&["run", "-d", "-p", "18081:80", "bb", "sleep", "1000"]);
    daemon.kill9();
    remove_bridge(&daemon);
    std::fs::remove_dir_all(daemon.data_root().join("containers").join(&id)).unwrap();
    daemon.start_again();
    daemon.nothing_is_left();
}

#[test]
fn a_port_is_free_as_soon_as_its_container_is_gone() {
    let daemon = Daemon::start(programs!());
    daemon.import_busybox();
    for round in 0..200 {
        let output = daemon.run(
            Cli::Sampan,
            &["run", "--rm", "--name", "x1", "-p", "8080:80", "-p", "8080:80/udp", "bb", "true"],
        );
        assert_eq!(output.code, 0, "round {round}: {output:?}");
    }
    daemon.nothing_is_left();
}

#[test]
fn many_start_at_once() {
    const CONTAINERS: u16 = 100;
    const AT_ONCE: u16 = 8;
    let daemon = Daemon::start(programs!());
    daemon.import_busybox();
    let start = &|n: u16| server(&daemon, &format!("c{n}"), &["-p", &format!("{}:80", 18000 + n)]);
    std::thread::scope(|scope| {
        for lane in 0..AT_ONCE {
            scope.spawn(move || (lane..CONTAINERS).step_by(AT_ONCE.into()).for_each(start));
        }
    });
    (0..CONTAINERS).for_each(|n| answers(&daemon, 18000 + n, &format!("c{n}")));
    let names: Vec<String> = (0..CONTAINERS).map(|n| format!("c{n}")).collect();
    let remove: Vec<&str> = ["rm", "-f"].into_iter().chain(names.iter().map(String::as_str)).collect();
    daemon.sampan(&remove);
    daemon.nothing_is_left();
}

#[test]
fn ranges_and_exposed_ports_are_published() {
    let daemon = Daemon::start(programs!());
    daemon.import_busybox();
    server(&daemon, "a1", &["-p", "18000-18001:80", "-p", "18010-18011:79-80", "-P", "--expose", "90"]);
    answers(&daemon, 18000, "a1");
    answers(&daemon, 18011, "a1");
    let listed = daemon.sampan(&["port", "a1"]);
    let ephemeral = listed.lines().find_map(|line| line.strip_prefix("90/tcp -> 0.0.0.0:")).unwrap();
    assert!((32768..=60999).contains(&ephemeral.parse::<u16>().unwrap()), "{listed}");
    server(&daemon, "a2", &["-p", "18000-18001:80"]);
    answers(&daemon, 18001, "a2");
    let full = daemon.run(Cli::Sampan, &["run", "--rm", "-p", "18000-18001:80", "bb", "true"]);
    assert_eq!(full.code, 125);
    assert!(full.stderr.contains("all ports are allocated"), "{full:?}");
    daemon.sampan(&["rm", "-f", "a1", "a2"]);
    daemon.nothing_is_left();
}

#[test]
fn a_subnet_that_the_host_uses_is_refused_before_anything_is_made() {
    let mut daemon = Daemon::start(programs!());
    let network = daemon.network();
    network.output(&["ip", "link", "add", "taken0", "type", "veth", "peer", "name", "taken1"]);
    network.output(&["ip", "address", "add", "10.77.5.1/24", "dev", "taken0"]);
    network.output(&["ip", "link", "set", "taken0", "up"]);
    network.output(&["ip", "link", "set", "taken1", "up"]);
    network.output(&["ip", "route", "add", "10.78.0.0/16", "via", "10.77.5.9"]);
    let folder = daemon.scratch().join("other");
    for (bip, text) in [
        (
            "10.77.0.1/16",
            "the subnet 10.77.0.0/16 of --bip overlaps 10.77.5.0/24, to which the host has a way through taken0",
        ),
        (
            "10.78.0.1/15",
            "the subnet 10.78.0.0/15 of --bip overlaps 10.78.0.0/16, to which the host has a way through taken0",
        ),
        (
            "10.78.3.1/16",
            "the subnet 10.78.0.0/16 of --bip overlaps 10.78.0.0/16, to which the host has a way through taken0",
        ),
        ("10.213.0.129/25", "the subnet 10.213.0.128/25 of --bip overlaps 10.213.0.0/24"),
    ] {
        let mut command = network.command(&programs!().sampan.to_string_lossy());
        let socket = format!("unix://{}", folder.join("sock").display());
        command
            .args(["daemon", "--bridge", "refused0", "--bip", bip, "-H", &socket, "--data-root"])
            .arg(folder.join("data"));
        command.arg("--exec-root").arg(folder.join("run")).env("SAMPAN_RUNTIME", programs!().runtime);
        let output = Output::of(command, &[]);
        assert!(output.code == 1 && output.stderr.contains(text), "{bip}: {output:?}");
        assert!(!network.output(&["ip", "-o", "link"]).contains("refused0"));
        let hierarchies = std::fs::read_dir("/sys/fs/cgroup").unwrap().map(|entry| entry.unwrap().path());
        let mut roots = std::iter::once("/sys/fs/cgroup".into()).chain(hierarchies);
        assert!(!roots.any(|root: std::path::PathBuf| root.join("sampan-refused0").exists()));
    }
    // The daemon's own subnet is a part of these: the longer prefix counts.
    network.output(&["ip", "route", "add", "10.0.0.0/8", "via", "10.77.5.9"]);
    network.output(&["ip", "route", "add", "10.192.0.0/10", "dev", "taken0"]);
    daemon.terminate();
    daemon.network().output(&["ip", "link", "delete", daemon.bridge()]);
    daemon.start_again();
    daemon.network().output(&["ip", "link", "delete", "taken0"]);
    daemon.nothing_is_left();
}
