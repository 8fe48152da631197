//! Whole connections, with a fake monitor at one end of a socket pair.

use super::*;
use crate::answer::{Outcome, json};
use crate::connection::serve;
use http::{Request, StatusCode};
use hyper::body::Incoming;
use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use tokio::net::UnixStream;
use tokio::sync::watch;

/// What a monitor was given: the socket, what came early, and the head it is to write.
type Given = Arc<Mutex<Option<(OwnedFd, Vec<u8>, String)>>>;

struct Monitor(Given);

impl Taker for Monitor {
    fn take(self: Box<Self>, socket: OwnedFd, early: Vec<u8>, head: String, _: Framing) -> Taking {
        *self.0.lock().unwrap() = Some((socket, early, head));
        Box::pin(std::future::ready(Ok(())))
    }
}

fn handover(taker: impl Taker + 'static, refusal: Refusal) -> Outcome {
    Outcome::Handover(Box::new(Handover {
        taker: Box::new(taker),
        head: stream_head("101 UPGRADED", &[("Connection", "Upgrade"), ("Upgrade", "tcp")]),
        framing: Framing { multiplexed: true, chunked: false },
        refusal,
    }))
}

async fn outcome(request: Request<Incoming>, given: Given) -> Outcome {
    let (head, body) = request.into_parts();
    // As exec start does: the body belongs to the request, what follows it to the stream.
    drop(body.collect().await);
    match head.uri.path() {
        "/attach" => handover(Monitor(given), Refusal::Status),
        "/refused" => handover(Refuses(Error::NoEndpoint), Refusal::Status),
        "/refused-in-stream" => handover(Refuses(Error::NoEndpoint), Refusal::Stream),
        _ => json(StatusCode::OK, &"plain"),
    }
}

/// Serves a connection over which `sent` comes; gives what a client reads, after the monitor (if it was given the client)
/// has written its head, `hello`, and everything it reads until the end of input.
async fn talk(sent: Vec<u8>, close: bool) -> (Vec<u8>, Option<Vec<u8>>) {
    let (client, server) = std::os::unix::net::UnixStream::pair().unwrap();
    server.set_nonblocking(true).unwrap();
    let given = Given::default();
    let shared = given.clone();
    let (_stop, stopping) = watch::channel(false);
    let asking = std::thread::spawn(move || ask(client, &sent, close));
    let socket = Socket::Unix(UnixStream::from_std(server).unwrap());
    serve(socket, |request| outcome(request, shared.clone()), stopping).await;
    let taken = given.lock().unwrap().take();
    let early = taken.map(|(socket, early, head)| {
        let mut socket = std::os::unix::net::UnixStream::from(socket);
        socket.set_nonblocking(false).unwrap();
        socket.write_all(head.as_bytes()).unwrap();
        let mut all = early;
        socket.read_to_end(&mut all).unwrap();
        socket.write_all(b"hello").unwrap();
        all
    });
    (tokio::task::spawn_blocking(move || asking.join().unwrap()).await.unwrap(), early)
}

fn ask(mut client: std::os::unix::net::UnixStream, sent: &[u8], close: bool) -> Vec<u8> {
    client.write_all(sent).unwrap();
    if close {
        client.shutdown(std::net::Shutdown::Write).unwrap();
    }
    let mut read = Vec::new();
    // A refused client with unread input may be reset after the last byte.
    let _ = client.read_to_end(&mut read);
    read
}

fn upgrade(path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

fn plain(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes()
}

#[tokio::test]
async fn every_early_byte_reaches_the_monitor_once() {
    for size in [0, 1, 100, 5_000, 300_000, 3_000_000] {
        let input: Vec<u8> = (0..size).map(|i: u32| (i % 251) as u8).collect();
        let (read, early) = talk([upgrade("/attach", ""), input.clone()].concat(), true).await;
        assert_eq!(early.as_deref(), Some(&input[..]), "{size} bytes");
        let text = String::from_utf8(read).unwrap();
        assert!(text.starts_with("HTTP/1.1 101 UPGRADED\r\n") && text.ends_with("\r\n\r\nhello"), "{text}");
    }
}

#[tokio::test]
async fn requests_before_it_and_a_body_are_not_part_of_the_stream() {
    let sent =
        [plain("/other"), plain("/other"), upgrade("/attach", "{\"Detach\":false}"), b"input".to_vec()]
            .concat();
    let (read, early) = talk(sent, true).await;
    assert_eq!(early.as_deref(), Some(&b"input"[..]));
    let text = String::from_utf8(read).unwrap();
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 2, "{text}");
    assert_eq!(text.matches("HTTP/1.1 101").count(), 1, "{text}");
}

#[tokio::test]
async fn no_upgrade_is_needed() {
    let sent = b"POST /attach HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\nabc".to_vec();
    let (_, early) = talk(sent, true).await;
    assert_eq!(early.as_deref(), Some(&b"abc"[..]));
}

#[tokio::test]
async fn a_monitor_that_refuses_leaves_the_answer_to_the_server() {
    let (read, early) = talk([upgrade("/refused", ""), b"unread input".to_vec()].concat(), true).await;
    assert_eq!(early, None);
    let text = String::from_utf8(read).unwrap();
    assert!(text.starts_with("HTTP/1.1 404 Not Found\r\n"), "{text}");
    assert!(text.ends_with("\r\n\r\n{\"message\":\"page not found\"}\n"), "{text}");
    let (read, _) = talk(upgrade("/refused-in-stream", ""), true).await;
    let text = String::from_utf8(read).unwrap();
    assert!(text.starts_with("HTTP/1.1 101 UPGRADED\r\n"), "{text}");
    assert!(text.ends_with("\r\n\r\n\u{1}\0\0\0\0\0\0\u{10}page not found\r\n"), "{text:?}");
}

#[tokio::test]
async fn a_half_closed_client_gets_its_answer() {
    let (read, _) = talk(plain("/other"), true).await;
    assert!(read.ends_with(b"\"plain\"\n"));
}

#[tokio::test]
async fn garbage_is_answered_or_dropped() {
    for garbage in [
        &b"\0\x01\x02\r\n\r\n"[..],
        b"GET",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\0\x01",
        b"\r\n\r\n\r\n",
    ] {
        let (read, early) = talk(garbage.to_vec(), true).await;
        assert!(read.is_empty() || read.starts_with(b"HTTP/1."), "{read:?}");
        assert_eq!(early, None);
    }
}

#[tokio::test]
async fn a_tcp_client_is_handed_over_as_well() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asking = std::thread::spawn(move || {
        let mut client = std::net::TcpStream::connect(address).unwrap();
        client.write_all(&upgrade("/attach", "")).unwrap();
        let mut read = String::new();
        client.read_to_string(&mut read).unwrap();
        read
    });
    let given = Given::default();
    let (_stop, stopping) = watch::channel(false);
    let (stream, _) = listener.accept().await.unwrap();
    serve(Socket::Tcp(stream), |request| outcome(request, given.clone()), stopping).await;
    let (socket, _, head) = given.lock().unwrap().take().unwrap();
    let mut socket = std::net::TcpStream::from(socket);
    socket.write_all(head.as_bytes()).unwrap();
    drop(socket);
    let read = tokio::task::spawn_blocking(move || asking.join().unwrap()).await.unwrap();
    assert!(read.starts_with("HTTP/1.1 101 UPGRADED\r\n"), "{read}");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]
    /// Whatever comes before and behind the request, the monitor has exactly what is behind.
    #[test]
    fn any_head_and_any_early_bytes(
        before in 0_usize..3,
        header in "[a-zA-Z0-9 ,;=]{0,60}",
        body in "[a-z{}\n\r]{0,40}",
        input in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..600),
    ) {
        let request = String::from_utf8(upgrade("/attach", &body)).unwrap();
        let request = request.replacen("Host: x", &format!("Host: x\r\nX-Any: {header}"), 1);
        let sent = [plain("/other").repeat(before), request.into_bytes(), input.clone()].concat();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (read, early) = runtime.block_on(talk(sent, true));
        proptest::prop_assert_eq!(early, Some(input));
        let read = String::from_utf8(read).unwrap();
        proptest::prop_assert_eq!(read.matches("HTTP/1.1 200 OK").count(), before);
        proptest::prop_assert!(read.ends_with("\r\n\r\nhello"), "{}", read);
    }

    #[test]
    fn garbage_reaches_no_monitor(sent in "[A-Z]{0,5} ?/?[a-z ]{0,12}( HTTP/1.1)?(\r\n)?[a-zA-Z: 0-9\r\n]{0,40}") {
        proptest::prop_assume!(!sent.contains("/attach"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (_, early) = runtime.block_on(talk(sent.into_bytes(), true));
        proptest::prop_assert_eq!(early, None);
    }
}
