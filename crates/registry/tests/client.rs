//! The client against a registry that misbehaves.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use sampan_registry::blobs::{self, Event};
use sampan_registry::manifests::{self, Target};
use sampan_registry::{Config, Credentials, Error, Registry};
use sampan_spec::{Digest, ImageName, Tag};
use sampan_testkit::registry::{Image, LayerBlob, Login, Registry as Server};
use std::sync::Arc;

const CONTENT: usize = 200_000;

/// An image `a:1` with one layer, whose bytes and digest these are.
fn filled() -> (Server, Vec<u8>, String) {
    let server = Server::start();
    let content: Vec<u8> = (0..CONTENT).map(|i| (i % 251) as u8).collect();
    let layer = LayerBlob::plain(&content);
    let digest = layer.digest();
    server.put_image("a", "1", &Image::new(vec![layer], &["true"]));
    (server, content, digest)
}

fn open(server: &Server, credentials: Credentials) -> Arc<Registry> {
    let name: ImageName = format!("{}/a", server.host()).parse().unwrap();
    Arc::new(sampan_registry::open(&Config::default(), &name, credentials).unwrap())
}

fn tag(text: &str) -> Target {
    Target::Tag(text.parse::<Tag>().unwrap())
}

async fn get(server: &Server, credentials: Credentials) -> Result<Digest, Error> {
    let registry = open(server, credentials);
    Ok(manifests::get(&registry, &tag("1")).await?.document.digest().clone())
}

/// The whole blob, and how often it was tried again.
async fn read(server: &Server, digest: &str, offset: u64) -> Result<(Vec<u8>, usize), Error> {
    let registry = open(server, Credentials::Anonymous);
    let place = manifests::get(&registry, &tag("1")).await?.place;
    let mut blob = blobs::open(registry, place, digest.parse().unwrap(), CONTENT as u64, offset);
    let (mut all, mut retries) = (Vec::new(), 0);
    loop {
        match blobs::next(&mut blob).await? {
            Event::Bytes(bytes) => all.extend_from_slice(&bytes),
            Event::Retrying(_) => retries += 1,
            Event::End => return Ok((all, retries)),
        }
    }
}

fn basic() -> Credentials {
    Credentials::Basic { username: "u".into(), password: "p".into() }
}

/// `u:p`.
const BASIC: &str = "Basic dTpw";

#[tokio::test]
async fn who_asks_says_so_as_he_is_asked() {
    let (server, ..) = filled();
    let realm = format!("Bearer realm=\"http://{}/token\",service=\"test\"", server.host());
    let basically =
        Login { challenge: "Basic realm=\"x\"".into(), wanted: BASIC.into(), at_token: String::new() };
    let by_token = |at_token: &str| Login {
        challenge: realm.clone(),
        wanted: "Bearer t0ken".into(),
        at_token: at_token.into(),
    };
    let identity = || Credentials::Identity("identity".into());
    for (login, credentials, refusal) in [
        (None, Credentials::Anonymous, None),
        (None, basic(), None),
        (Some(basically.clone()), basic(), None),
        (Some(basically.clone()), Credentials::Anonymous, Some("no basic auth credentials")),
        (Some(Login { wanted: "other".into(), ..basically }), basic(), Some("unauthorized: unauthorized")),
        (Some(by_token("")), Credentials::Anonymous, None),
        (Some(by_token(BASIC)), basic(), None),
        (Some(by_token(BASIC)), Credentials::Anonymous, Some("incorrect username or password")),
        (Some(by_token("refresh_token=identity")), identity(), None),
        (Some(by_token("")), Credentials::Token("t0ken".into()), None),
    ] {
        let told = format!("{login:?} {credentials:?}");
        server.misbehave(|faults| faults.login = login);
        match (get(&server, credentials).await, refusal) {
            (Ok(_), None) => {}
            (Err(error), Some(text)) => assert!(error.to_string().contains(text), "{told}: {error}"),
            (got, _) => panic!("{told}: {got:?}"),
        }
    }
    let asked = server.requests();
    let token = asked.iter().find(|request| request.path.starts_with("/token?")).unwrap();
    assert_eq!(token.path, "/token?service=test&scope=repository%3Aa%3Apull");
}

#[tokio::test]
async fn one_token_is_good_for_all() {
    let (server, content, digest) = filled();
    let challenge = format!("Bearer realm=\"http://{}/token\"", server.host());
    let login = Login { challenge, wanted: "Bearer t0ken".into(), at_token: String::new() };
    server.misbehave(|faults| faults.login = Some(login));
    assert_eq!(read(&server, &digest, 0).await.unwrap(), (content, 0));
    let tokens = server.requests().iter().filter(|request| request.path.starts_with("/token")).count();
    assert_eq!(tokens, 1);
}

#[tokio::test]
async fn nobody_else_is_told_who_asks() {
    let (server, content, digest) = filled();
    let (elsewhere, ..) = filled();
    let login = Login { challenge: "Basic realm=x".into(), wanted: BASIC.into(), at_token: String::new() };
    server.misbehave(|faults| {
        faults.login = Some(login);
        faults.redirect = Some(format!("http://{}", elsewhere.host()));
    });
    let registry = open(&server, basic());
    let place = manifests::get(&registry, &tag("1")).await.unwrap().place;
    let blob = blobs::open(registry, place, digest.parse().unwrap(), CONTENT as u64, 0);
    assert_eq!(blobs::read(blob, CONTENT as u64).await.unwrap(), content);
    assert!(server.requests().iter().any(|request| request.headers.contains_key("authorization")));
    let there = elsewhere.requests();
    assert_eq!(there.len(), 1);
    assert!(!there[0].headers.contains_key("authorization"), "{there:?}");
    // What is asked for there is not answered with a password.
    let login = Login { challenge: "Basic realm=x".into(), wanted: BASIC.into(), at_token: String::new() };
    elsewhere.misbehave(|faults| faults.login = Some(login));
    let registry = open(&server, basic());
    let place = manifests::get(&registry, &tag("1")).await.unwrap().place;
    let blob = blobs::open(registry, place, digest.parse().unwrap(), CONTENT as u64, 0);
    assert!(matches!(blobs::read(blob, CONTENT as u64).await, Err(Error::Refused { .. })));
    assert!(elsewhere.requests().iter().all(|request| !request.headers.contains_key("authorization")));
}

#[tokio::test]
async fn a_transfer_that_breaks_goes_on() {
    let (server, content, digest) = filled();
    server.misbehave(|faults| faults.cut = [(digest.clone(), (70_000, 2))].into());
    assert_eq!(read(&server, &digest, 0).await.unwrap(), (content.clone(), 2));
    assert_eq!(server.sent(&digest), CONTENT as u64);
    let ranges: Vec<String> =
        server.requests().iter().filter_map(|request| request.headers.get("range").cloned()).collect();
    assert_eq!(ranges, ["bytes=70000-", "bytes=70000-"]);
    // One that knows no ranges sends all again.
    server.misbehave(|faults| {
        faults.cut.insert(digest.clone(), (70_000, 1));
        faults.ignores_ranges = true;
    });
    assert_eq!(read(&server, &digest, 0).await.unwrap(), (content.clone(), 1));
    assert_eq!(read(&server, &digest, 150_000).await.unwrap(), (content[150_000..].to_vec(), 0));
}

#[tokio::test]
async fn a_manifest_is_the_one_that_was_asked_for() {
    let (server, ..) = filled();
    let digest = get(&server, Credentials::Anonymous).await.unwrap();
    let registry = open(&server, Credentials::Anonymous);
    assert!(manifests::get(&registry, &Target::Digest(digest.clone())).await.is_ok());
    let other: Digest = format!("sha256:{}", "0".repeat(64)).parse().unwrap();
    let error = manifests::get(&registry, &Target::Digest(other.clone())).await.unwrap_err();
    assert_eq!(error.to_string(), "manifest unknown: manifest unknown");
    server.misbehave(|faults| faults.digest_header = Some(other.to_string()));
    assert!(matches!(get(&server, Credentials::Anonymous).await, Err(Error::Header { .. })));
    let large = vec![b' '; 5 << 20];
    server.put_manifest("a", "1", "application/json", &large);
    assert!(matches!(get(&server, Credentials::Anonymous).await, Err(Error::TooLarge { .. })));
}

#[tokio::test]
async fn mirrors_are_asked_first_and_told_nothing() {
    let (mirror, ..) = filled();
    let image = Image::new(vec![LayerBlob::plain(b"x")], &["true"]);
    mirror.put_image("library/a", "1", &image);
    let broken = Server::start();
    broken.misbehave(|faults| faults.broken = Some((500, "no".into())));
    let mirrors = [&broken, &mirror].map(|server| format!("http://{}", server.host()).parse().unwrap());
    let config = Config { mirrors: mirrors.into(), ..Config::default() };
    let name: ImageName = "docker.io/library/a".parse().unwrap();
    let registry = Arc::new(sampan_registry::open(&config, &name, basic()).unwrap());
    let fetched = manifests::get(&registry, &tag("1")).await.unwrap();
    assert_eq!(fetched.place, 1);
    let told = |server: &Server| server.requests().iter().any(|r| r.headers.contains_key("authorization"));
    assert!(!told(&broken) && !told(&mirror));
    assert!(!broken.requests().is_empty());
}

#[tokio::test]
async fn who_answers_nonsense_is_named() {
    let (server, ..) = filled();
    for (status, body, want) in [
        (500, "<html>", "received unexpected HTTP status: 500 Internal Server Error"),
        (404, "", "received unexpected HTTP status: 404 Not Found"),
        (403, r#"{"errors":[{"code":"DENIED","message":"no"}]}"#, "denied: no"),
        (
            429,
            r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}"#,
            "toomanyrequests: slow down",
        ),
        (401, "", "unauthorized: authentication required"),
    ] {
        server.misbehave(|faults| faults.broken = Some((status, body.into())));
        assert_eq!(get(&server, Credentials::Anonymous).await.unwrap_err().to_string(), want);
    }
    let host = server.host();
    drop(server);
    let name: ImageName = format!("{host}/a").parse().unwrap();
    let registry = sampan_registry::open(&Config::default(), &name, Credentials::Anonymous).unwrap();
    let error = manifests::get(&registry, &tag("1")).await.unwrap_err();
    let Error::Connect { url, source } = error else { panic!("{error:?}") };
    assert_eq!(url, format!("http://{host}/v2/"));
    assert_eq!(source.to_string(), format!("dial tcp {host}: connect: connection refused"));
}
