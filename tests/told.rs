//! What a client was told by a monitor, the daemon does not deny afterwards.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use rustix::process::{Pid, Signal, kill_process};
use sampan_testkit::{Daemon, eventually, programs};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

/// A connection of its own to the daemon.
fn connect(daemon: &Daemon) -> UnixStream {
    UnixStream::connect(daemon.scratch().join("sock")).unwrap()
}

fn ask(client: &mut UnixStream, request: &str) {
    client.write_all(format!("{request} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
}

/// Reads until this has come: all that came.
fn read_until(client: &mut UnixStream, text: &str) -> String {
    let mut got = Vec::new();
    while !String::from_utf8_lossy(&got).contains(text) {
        let mut piece = [0; 4096];
        let length = client.read(&mut piece).unwrap();
        assert_ne!(length, 0, "{text} did not come: {}", String::from_utf8_lossy(&got));
        got.extend_from_slice(&piece[..length]);
    }
    String::from_utf8(got).unwrap()
}

fn signal(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

#[test]
fn who_was_told_of_an_end_does_not_see_it_running() {
    let mut daemon = Daemon::start(programs!());
    daemon.import_busybox();
    for by_a_former_daemon in [false, true] {
        let id = daemon.sampan(&["run", "-d", "--name", "c1", "bb", "sleep", "1000"]);
        let pid = daemon.sampan(&["inspect", "-f", "{{.State.Pid}}", "c1"]).parse().unwrap();
        let (mut waits, mut looks) = (connect(&daemon), connect(&daemon));
        ask(&mut waits, "POST /containers/c1/wait");
        eventually("the monitor has the client", || daemon.sockets_of(&id) == 3);
        if by_a_former_daemon {
            daemon.kill9();
            daemon.start_again();
            looks = connect(&daemon);
        }
        ask(&mut looks, "GET /_ping");
        read_until(&mut looks, "OK");
        // The daemon hears of the end and is asked at the same time.
        signal(daemon.pid(), Signal::STOP);
        signal(pid, Signal::KILL);
        read_until(&mut waits, "\"StatusCode\":137");
        ask(&mut looks, "GET /containers/json?all=1");
        signal(daemon.pid(), Signal::CONT);
        let listed = read_until(&mut looks, "\"Status\"");
        assert!(listed.contains("\"State\":\"exited\""), "{listed}");
        daemon.sampan(&["rm", "c1"]);
    }
    daemon.nothing_is_left();
}
