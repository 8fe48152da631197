//! The client against a server that says what a test tells it to.

use super::*;
use crate::body::Progress;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Answers one connection after the other with these bytes; gives what was asked.
async fn server(answers: Vec<&'static str>) -> (Client, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap()).parse().unwrap();
    let asked = tokio::spawn(async move {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            asked.push(String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned());
        }
        asked
    });
    (Client::new(address), asked)
}

#[tokio::test]
async fn an_older_daemon_is_asked_again_in_its_version() {
    let too_new = "HTTP/1.1 400 Bad Request\r\nContent-Length: 83\r\n\r\n\
                   {\"message\":\"client version 1.51 is too new. Maximum supported API version is 1.43\"}";
    let (client, asked) = server(vec![too_new, "HTTP/1.1 204 No Content\r\n\r\n"]).await;
    client.container_start("a/b").await.unwrap();
    assert_eq!(
        asked.await.unwrap(),
        ["POST /v1.51/containers/a%2Fb/start HTTP/1.1", "POST /v1.43/containers/a%2Fb/start HTTP/1.1"]
    );
    assert_eq!(client.version().to_string(), "1.43");
}

#[tokio::test]
async fn refusals_are_told_as_the_daemon_words_them() {
    for (answer, text) in [
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 18\r\n\r\n{\"message\":\"gone\"}", "gone"),
        ("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\nproxy\n", "proxy"),
        ("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", "the daemon answered 500 Internal Server Error"),
    ] {
        let (client, _asked) = server(vec![answer]).await;
        assert_eq!(client.info().await.unwrap_err().to_string(), text);
    }
}

#[tokio::test]
async fn nobody_there_is_said_with_advice() {
    let client = Client::new("unix:///nonexistent/x.sock".parse().unwrap());
    let text = client.info().await.unwrap_err().to_string();
    assert!(
        text.starts_with("Cannot connect to the daemon at unix:///nonexistent/x.sock. Is it running?"),
        "{text}"
    );
}

#[tokio::test]
async fn streams_of_json_come_line_by_line() {
    let answer = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"stream\":\"a\"}\r\n\r\n{\"error\":\"b\",\"aux\":null}";
    let (client, _asked) = server(vec![answer]).await;
    let mut lines = client.lines::<Progress>(Method::GET, "/x", Body::Empty).await.unwrap();
    assert_eq!(lines.next().await.unwrap().unwrap().stream.as_deref(), Some("a"));
    assert_eq!(lines.next().await.unwrap().unwrap().error.as_deref(), Some("b"));
    assert!(lines.next().await.unwrap().is_none());
}

#[tokio::test]
async fn a_hijacked_stream_begins_with_what_came_with_the_head() {
    let answer = "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\n\
                  Connection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly";
    let (client, _asked) = server(vec![answer]).await;
    let mut stream = client.container_attach("c", &crate::query::Query::default()).await.unwrap();
    assert!(stream.is_multiplexed());
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "early");
}
