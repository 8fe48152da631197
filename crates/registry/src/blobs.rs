//! Blobs as streams that outlive their connections (OCI distribution specification, "Pulling blobs").

use crate::error::Error;
use crate::redirect::Arrived;
use crate::registry::Registry;
use crate::request;
use bytes::{Buf, Bytes};
use http::{HeaderValue, StatusCode, header};
use hyper::body::Incoming;
use sampan_spec::Digest;
use std::sync::Arc;
use std::time::Duration;

/// How often a transfer that does not get on is tried again.
const ATTEMPTS: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// A blob on its way. Its digest is not verified here.
pub struct Blob {
    registry: Arc<Registry>,
    digest: Digest,
    size: u64,
    offset: u64,
    /// The address that is asked, then all after it.
    place: usize,
    stream: Option<Stream>,
    /// How often it failed since something came.
    failures: u32,
    wait: Duration,
}

struct Stream {
    body: Incoming,
    url: String,
    /// Bytes to pass over, where the server sends all again.
    skip: u64,
}

/// What happens to a blob.
#[derive(Debug)]
pub enum Event {
    /// Its next bytes.
    Bytes(Bytes),
    /// The transfer broke; after this time it goes on.
    Retrying(Duration),
    /// All of it has come.
    End,
}

/// A blob of `size` bytes, from `offset` on. `place` is where its manifest was had.
pub fn open(registry: Arc<Registry>, place: usize, digest: Digest, size: u64, offset: u64) -> Blob {
    let wait = Duration::ZERO;
    Blob { registry, digest, size, offset, place, stream: None, failures: 0, wait }
}

/// Waits for what happens next.
///
/// # Errors
/// When the registry refuses, or the transfer failed several times without getting on.
pub async fn next(blob: &mut Blob) -> Result<Event, Error> {
    if blob.offset == blob.size {
        return Ok(Event::End);
    }
    match advance(blob).await {
        Ok(bytes) => {
            blob.failures = 0;
            Ok(Event::Bytes(bytes))
        }
        Err(error) => after_failure(blob, error),
    }
}

/// The whole of a small blob.
///
/// # Errors
/// As [`next`]; [`Error::TooLarge`] and [`Error::Digest`].
pub async fn read(blob: Blob, limit: u64) -> Result<Vec<u8>, Error> {
    let mut blob = blob;
    if blob.size > limit {
        return Err(Error::TooLarge { url: blob.digest.to_string(), limit });
    }
    let mut whole = Vec::with_capacity(blob.size as usize);
    loop {
        match next(&mut blob).await? {
            Event::Bytes(bytes) => whole.extend_from_slice(&bytes),
            Event::Retrying(_) => {}
            Event::End => break,
        }
    }
    match sampan_image::sha256(&whole) {
        actual if actual == blob.digest => Ok(whole),
        actual => Err(Error::Digest { expected: blob.digest, actual }),
    }
}

/// What passes is tried again, and longer and longer waited for; then the next address is asked.
fn after_failure(blob: &mut Blob, error: Error) -> Result<Event, Error> {
    blob.stream = None;
    tracing::info!("{}: {}", blob.digest, crate::dial::chain(&error));
    if error.passes() && blob.failures < ATTEMPTS {
        blob.wait = FIRST_WAIT * 2_u32.pow(blob.failures);
        blob.failures += 1;
        return Ok(Event::Retrying(blob.wait));
    }
    let is_last = blob.place + 1 >= blob.registry.places.len();
    if is_last || !blob.registry.places[blob.place].endpoint.mirror {
        return Err(error);
    }
    blob.place += 1;
    blob.failures = 0;
    Ok(Event::Retrying(Duration::ZERO))
}

async fn advance(blob: &mut Blob) -> Result<Bytes, Error> {
    tokio::time::sleep(std::mem::take(&mut blob.wait)).await;
    let mut stream = match blob.stream.take() {
        Some(stream) => stream,
        None => ask(blob).await?,
    };
    loop {
        let Some(mut bytes) = request::next(&mut stream.body, &stream.url).await? else {
            return Err(Error::Truncated { url: stream.url, got: blob.offset, size: blob.size });
        };
        let passed_over = stream.skip.min(bytes.len() as u64);
        bytes.advance(passed_over as usize);
        stream.skip -= passed_over;
        if bytes.is_empty() {
            continue;
        }
        if bytes.len() as u64 > blob.size - blob.offset {
            return Err(Error::TooLarge { url: stream.url, limit: blob.size });
        }
        blob.offset += bytes.len() as u64;
        blob.stream = Some(stream);
        return Ok(bytes);
    }
}

/// Asks for what is missing.
async fn ask(blob: &Blob) -> Result<Stream, Error> {
    let mut headers = request::headers();
    if blob.offset > 0 {
        let range = HeaderValue::try_from(format!("bytes={}-", blob.offset));
        headers.extend(range.map(|range| (header::RANGE, range)));
    }
    let place = &blob.registry.places[blob.place];
    let what = format!("blobs/{}", blob.digest);
    let arrived = request::get(&blob.registry, place, &what, &headers).await?;
    let skip = skip(&arrived, blob.offset)?;
    Ok(Stream { body: arrived.response.into_body(), url: arrived.url, skip })
}

/// How many bytes of an answer are there already. A server need not know ranges (RFC 9110, section 14.2).
fn skip(arrived: &Arrived, offset: u64) -> Result<u64, Error> {
    let (status, headers) = (arrived.response.status(), arrived.response.headers());
    if status != StatusCode::PARTIAL_CONTENT {
        return Ok(offset);
    }
    let range = headers.get(header::CONTENT_RANGE).and_then(|range| range.to_str().ok()).unwrap_or_default();
    match range_start(range) {
        Some(start) if start <= offset => Ok(offset - start),
        _ => Err(Error::Range { url: arrived.url.clone(), offset, range: range.to_owned() }),
    }
}

/// `bytes 3-9/10` starts at 3.
fn range_start(range: &str) -> Option<u64> {
    let (start, _) = range.trim().strip_prefix("bytes")?.trim_start().split_once('-')?;
    start.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_tell_where_they_start() {
        for (range, want) in [
            ("bytes 3-9/10", Some(3)),
            ("bytes 0-0/*", Some(0)),
            ("bytes */10", None),
            ("bytes=3-9", None),
            ("", None),
        ] {
            assert_eq!(range_start(range), want, "{range}");
        }
    }

    proptest! {
        #[test]
        fn any_range_ends(range in "[bytes0-9 */=-]{0,20}") {
            range_start(&range);
        }
    }
}
