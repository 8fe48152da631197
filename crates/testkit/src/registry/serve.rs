//! One request and its answer.

use super::{Faults, Request, Shared};
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

/// What is sent at once: misbehaviour begins between two of these.
const PIECE: usize = 16 << 10;

/// A client that goes away is none of ours.
pub(super) fn answer(stream: &TcpStream, shared: &Arc<Shared>) {
    let _ = read(stream).and_then(|request| respond(stream, &request, shared));
}

fn read(stream: &TcpStream) -> io::Result<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").and_then(|length: &String| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Request { method, path, headers, body: String::from_utf8_lossy(&body).into_owned() })
}

fn respond(stream: &TcpStream, request: &Request, shared: &Shared) -> io::Result<()> {
    let faults = {
        let mut state = shared.state.lock().unwrap();
        state.requests.push(request.clone());
        state.faults.clone()
    };
    if let Some((status, body)) = &faults.broken {
        return whole(stream, *status, &[], body.as_bytes());
    }
    let path = request.path.split('?').next().unwrap_or_default();
    if path == "/token" {
        return token(stream, request, &faults);
    }
    if let Some(login) = &faults.login
        && request.headers.get("authorization") != Some(&login.wanted)
    {
        return refuse(stream, 401, "UNAUTHORIZED", &[("WWW-Authenticate", &login.challenge)]);
    }
    let path = path.strip_prefix("/v2/").unwrap_or_default();
    match (path.rsplit_once("/manifests/"), path.rsplit_once("/blobs/")) {
        _ if path.is_empty() => whole(stream, 200, &[], b"{}"),
        (Some((name, reference)), _) => manifest(stream, &format!("{name}/{reference}"), &faults, shared),
        (_, Some((_, digest))) => blob(stream, request, digest, &faults, shared),
        _ => refuse(stream, 404, "UNSUPPORTED", &[]),
    }
}

fn token(stream: &TcpStream, request: &Request, faults: &Faults) -> io::Result<()> {
    let wanted = faults.login.as_ref().map(|login| login.at_token.as_str()).unwrap_or_default();
    let got = request.headers.get("authorization").map(String::as_str).unwrap_or_default();
    let offline = request.path.contains("offline_token=true");
    match wanted.is_empty() || wanted == got || request.body.contains(wanted) {
        true if offline => whole(stream, 200, &[], br#"{"token":"t0ken","refresh_token":"id3ntity"}"#),
        true => whole(stream, 200, &[], br#"{"token":"t0ken","expires_in":300}"#),
        false => whole(stream, 401, &[], br#"{"details":"incorrect username or password"}"#),
    }
}

fn manifest(stream: &TcpStream, key: &str, faults: &Faults, shared: &Shared) -> io::Result<()> {
    let found = shared.state.lock().unwrap().manifests.get(key).cloned();
    let Some((kind, bytes)) = found else { return refuse(stream, 404, "MANIFEST_UNKNOWN", &[]) };
    let digest = faults.digest_header.clone().unwrap_or_else(|| super::content::digest(&bytes));
    whole(stream, 200, &[("Content-Type", &kind), ("Docker-Content-Digest", &digest)], &bytes)
}

fn blob(
    stream: &TcpStream,
    request: &Request,
    digest: &str,
    faults: &Faults,
    shared: &Shared,
) -> io::Result<()> {
    if let Some(elsewhere) = &faults.redirect {
        return whole(stream, 307, &[("Location", &format!("{elsewhere}{}", request.path))], b"");
    }
    let kept = shared.state.lock().unwrap().blobs.get(digest).cloned();
    let Some(bytes) = faults.instead.get(digest).cloned().or(kept) else {
        return refuse(stream, 404, "BLOB_UNKNOWN", &[]);
    };
    let range = request.headers.get("range").filter(|_| !faults.ignores_ranges);
    let start = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    match start {
        Some(start) if start < bytes.len() => {
            let range = format!("bytes {start}-{}/{}", bytes.len() - 1, bytes.len());
            head(stream, 206, &[("Content-Range", &range)], bytes.len() - start)?;
            send(stream, digest, &bytes, start, shared)
        }
        _ => {
            head(stream, 200, &[], bytes.len())?;
            send(stream, digest, &bytes, 0, shared)
        }
    }
}

/// Sends a blob from `start` on, and counts what was sent.
fn send(mut stream: &TcpStream, digest: &str, bytes: &[u8], start: usize, shared: &Shared) -> io::Result<()> {
    let mut at = start;
    while at < bytes.len() {
        let Some(end) = allowed(digest, at, bytes.len(), shared) else { return Ok(()) };
        if is_gone(stream)? {
            return Ok(());
        }
        stream.write_all(&bytes[at..end])?;
        *shared.state.lock().unwrap().sent.entry(digest.to_owned()).or_default() += (end - at) as u64;
        at = end;
    }
    Ok(())
}

/// Whether the client has closed its end: what is sent now would be counted, and nobody would get it.
fn is_gone(stream: &TcpStream) -> io::Result<bool> {
    stream.set_nonblocking(true)?;
    let peeked = stream.peek(&mut [0]);
    stream.set_nonblocking(false)?;
    Ok(!peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock))
}

/// How far may be sent now; waits while it is held. `None`: the connection is to break.
fn allowed(digest: &str, at: usize, length: usize, shared: &Shared) -> Option<usize> {
    let mut state = shared.state.lock().unwrap();
    let holds =
        |faults: &Faults| faults.hold.as_ref().filter(|(held, _)| held == digest).map(|(_, after)| *after);
    while holds(&state.faults).is_some_and(|after| at >= after) {
        state = shared.released.wait(state).unwrap();
    }
    let mut end = length.min(at + PIECE);
    if let Some(after) = holds(&state.faults) {
        end = end.min(after);
    }
    if let Some((after, times)) = state.faults.cut.get_mut(digest).filter(|(_, times)| *times > 0) {
        if at >= *after {
            *times -= 1;
            return None;
        }
        end = end.min(*after);
    }
    Some(end)
}

fn refuse(stream: &TcpStream, status: u16, code: &str, headers: &[(&str, &str)]) -> io::Result<()> {
    let message = code.to_lowercase().replace('_', " ");
    let body = format!(r#"{{"errors":[{{"code":"{code}","message":"{message}","detail":null}}]}}"#);
    whole(stream, status, headers, body.as_bytes())
}

fn whole(mut stream: &TcpStream, status: u16, headers: &[(&str, &str)], body: &[u8]) -> io::Result<()> {
    head(stream, status, headers, body.len())?;
    stream.write_all(body)
}

fn head(mut stream: &TcpStream, status: u16, headers: &[(&str, &str)], length: usize) -> io::Result<()> {
    let lines = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
    let lines = lines.collect::<String>();
    write!(stream, "HTTP/1.1 {status} -\r\nConnection: close\r\nContent-Length: {length}\r\n{lines}\r\n")
}
