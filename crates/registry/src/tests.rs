//! Connections: who must prove who he is, and which proxy is asked.

use crate::dial::Dialer;
use crate::error::{DialError, Error};
use crate::transport::{self, Transport};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::client::proxy::matcher::Matcher;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A server whose certificate nobody has signed. Gives its address.
async fn self_signed() -> String {
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let config = builder.with_single_cert(vec![own.cert.der().clone()], key).unwrap();
    let (acceptor, listener) =
        (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        }
    });
    address
}

async fn ask(url: &str, careless: bool) -> Result<u16, Error> {
    ask_through(Dialer::new(), url, careless).await
}

async fn ask_through(dialer: Dialer, url: &str, careless: bool) -> Result<u16, Error> {
    let transport = Transport::new(dialer, "test.example", careless).unwrap();
    let mut request = Request::new(Full::<Bytes>::default());
    *request.uri_mut() = url.parse().unwrap();
    Ok(transport::send(&transport, request).await?.status().as_u16())
}

fn reason(result: Result<u16, Error>) -> DialError {
    match result {
        Err(Error::Connect { source, .. }) => source,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_registry_proves_who_it_is_or_is_insecure() {
    let url = format!("https://{}/", self_signed().await);
    assert_eq!(ask(&url, true).await.unwrap(), 200);
    assert_eq!(
        reason(ask(&url, false).await).to_string(),
        "tls: failed to verify certificate: x509: certificate signed by unknown authority"
    );
}

#[tokio::test]
async fn a_registry_without_tls_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/v2/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        // Until the client goes: closing with unread input would reset the connection.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    assert_eq!(reason(ask(&url, true).await).to_string(), "http: server gave HTTP response to HTTPS client");
}

/// A proxy that lets nothing through. Gives its address, and the first line and all of each head that it gets.
async fn proxy() -> (String, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sender, heads) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            sender.send(String::from_utf8(head).unwrap()).unwrap();
            stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        }
    });
    (address, heads)
}

#[tokio::test]
async fn a_proxy_is_asked_and_told_who_asks() {
    let (address, mut heads) = proxy().await;
    let proxied = format!("http://u:p@{address}");
    let dialer = || Dialer::with(Matcher::builder().all(proxied.as_str()).build());
    assert_eq!(ask_through(dialer(), "http://far.example/v2/", true).await.unwrap(), 403);
    let head = heads.recv().await.unwrap().to_lowercase();
    assert!(head.starts_with("get http://far.example/v2/ http/1.1\r\n"), "{head}");
    assert!(head.contains("proxy-authorization: basic dtpw\r\n"), "{head}");
    let refused = reason(ask_through(dialer(), "https://far.example/v2/", true).await);
    assert!(matches!(refused, DialError::Proxy { .. }), "{refused:?}");
    let head = heads.recv().await.unwrap().to_lowercase();
    assert!(head.starts_with("connect far.example:443 http/1.1\r\n"), "{head}");
    assert!(head.contains("proxy-authorization: basic dtpw\r\n"), "{head}");
    // What is on this machine is not asked for through it.
    let nobody = reason(ask_through(dialer(), "http://127.0.0.1:1/", true).await);
    assert_eq!(nobody.to_string(), "dial tcp 127.0.0.1:1: connect: connection refused");
    assert!(heads.try_recv().is_err());
}
