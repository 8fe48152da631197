//! HTTP as bad clients speak it: each gets an answer, Docker's where Docker has one, and nobody else is held up.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use sampan_testkit::{Daemon, programs};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

const PING: &str = "GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n";

fn connect(daemon: &Daemon) -> UnixStream {
    UnixStream::connect(daemon.scratch().join("sock")).unwrap()
}

/// Everything that is answered to a client that sends this and no more.
fn talk(daemon: &Daemon, request: &str) -> String {
    let mut stream = connect(daemon);
    stream.write_all(request.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A create request with these headers and this body.
fn create(headers: &str, body: &str) -> String {
    format!("POST /containers/create HTTP/1.1\r\nHost: d\r\n{headers}\r\n{body}")
}

#[test]
fn bad_requests_are_answered() {
    let daemon = Daemon::start(programs!());
    let json =
        |rest: &str, body: &str| create(&format!("Content-Type: application/json\r\n{rest}\r\n"), body);
    for (request, status, text) in [
        (PING.to_owned(), "200", "OK"),
        (PING.replace("GET", "HEAD"), "200", ""),
        (PING.replace("/_ping", "/v1.23/_ping"), "400", "client version 1.23 is too old. Minimum"),
        (PING.replace("/_ping", "/v9/_ping"), "400", "client version 9 is too new. Maximum"),
        (PING.replace("/_ping", "/nope"), "404", "{\"message\":\"page not found\"}"),
        (PING.replace("GET /_ping", "HEAD /version"), "404", ""),
        (PING.replace("GET", "DELETE"), "404", "{\"message\":\"page not found\"}"),
        ("garbage\r\n\r\n".to_owned(), "400", ""),
        (format!("GET /{} HTTP/1.1\r\nHost: d\r\n\r\n", "a".repeat(70_000)), "414", ""),
        (json("Content-Length: 5", "{nope"), "400", "invalid JSON: invalid character 'n'"),
        (json("Content-Length: 50", "{\"Im"), "400", "invalid JSON: unexpected EOF"),
        (json("Transfer-Encoding: chunked", "10\r\n{\"Im"), "400", "invalid JSON: unexpected EOF"),
        (json("Transfer-Encoding: chunked", "zz\r\n{}\r\n"), "400", "cannot read the request's body"),
        (json("Transfer-Encoding: chunked", "2\r\n{}\r\n0\r\n\r\n"), "400", "config cannot be empty"),
        (create("Content-Length: 2\r\n", "{}"), "400", "malformed Content-Type header (): mime"),
        (
            create("Content-Type: a/b\r\nContent-Length: 2\r\n", "{}"),
            "400",
            "unsupported Content-Type header",
        ),
    ] {
        let answer = talk(&daemon, &request);
        let shown = &request[..request.len().min(100)];
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{shown}: {answer}");
        assert!(answer.contains(text), "{shown}: {answer}");
    }
}

#[test]
fn requests_in_a_row_are_answered_in_a_row() {
    let daemon = Daemon::start(programs!());
    let unread = "POST /nope HTTP/1.1\r\nHost: d\r\nContent-Length: 9\r\n\r\nGET /_pin";
    let answer = talk(&daemon, &[PING, unread, PING, PING].concat());
    let statuses: Vec<&str> = answer
        .lines()
        .filter(|line| line.contains("HTTP/1.1 "))
        .map(|line| &line[line.len() - 9..])
        .collect();
    assert_eq!(statuses.len(), 4, "{answer}");
    assert_eq!(statuses[1], "Not Found", "{answer}");
}

#[test]
fn idle_and_slow_clients_hold_up_nobody() {
    let daemon = Daemon::start(programs!());
    let half = "POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 9\r\n\r\n{";
    let mut clients: Vec<UnixStream> = (0..300).map(|_| connect(&daemon)).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.write_all(["", "GET /_pi", half][number % 3].as_bytes()).unwrap();
    }
    assert!(daemon.sampan(&["ps", "-a"]).starts_with("CONTAINER ID"));
    for client in clients.iter_mut().skip(1).step_by(3) {
        client.write_all(b"ng HTTP/1.1\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with("OK"), "{answer}");
    }
}
