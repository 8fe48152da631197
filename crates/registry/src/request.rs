//! One question to a registry: authorised, redirected, and refused with its reasons.

use crate::authorization;
use crate::error::Error;
use crate::problem::{BODY_MAX, Problems};
use crate::redirect::{Arrived, follow};
use crate::registry::{Place, Registry};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::time::Duration;
use tokio::time::timeout;

/// How long nothing may come of an answer that has begun.
pub(crate) const STALL: Duration = Duration::from_secs(60);

/// The headers that all requests have.
pub(crate) fn headers() -> HeaderMap {
    let agent = concat!("sampan/", env!("CARGO_PKG_VERSION"));
    HeaderMap::from_iter([(header::USER_AGENT, HeaderValue::from_static(agent))])
}

/// Asks one place for something of the repository.
pub(crate) async fn get(
    registry: &Registry,
    place: &Place,
    what: &str,
    headers: &HeaderMap,
) -> Result<Arrived, Error> {
    authorization::greet(place).await?;
    let url = place.url(&registry.name, what);
    let header = authorization::header(registry, place).await?;
    let arrived = follow(&place.transport, &url, headers, header.as_ref()).await?;
    if arrived.response.status() != StatusCode::UNAUTHORIZED || arrived.elsewhere {
        return accepted(arrived).await;
    }
    match authorization::renew(registry, place, arrived.response.headers()).await? {
        None => accepted(arrived).await,
        header => accepted(follow(&place.transport, &url, headers, header.as_ref()).await?).await,
    }
}

/// The answer, unless it is a refusal.
pub(crate) async fn accepted(arrived: Arrived) -> Result<Arrived, Error> {
    let status = arrived.response.status();
    if status.is_success() {
        return Ok(arrived);
    }
    // The reasons are worth something, but not a second error.
    let body = read(arrived.response.into_body(), &arrived.url, BODY_MAX as u64).await.unwrap_or_default();
    let problems = Problems::parse(&body);
    match (problems.is_empty(), status) {
        (false, _) => Err(Error::Refused { status, problems }),
        (true, StatusCode::UNAUTHORIZED) => {
            Err(Error::Refused { status, problems: Problems::of("UNAUTHORIZED", "authentication required") })
        }
        (true, _) => Err(Error::Status { status }),
    }
}

/// The whole of an answer, which must not be larger than `limit` bytes.
pub(crate) async fn read(mut body: Incoming, url: &str, limit: u64) -> Result<Bytes, Error> {
    let mut whole = BytesMut::new();
    while let Some(piece) = next(&mut body, url).await? {
        whole.extend_from_slice(&piece);
        if whole.len() as u64 > limit {
            return Err(Error::TooLarge { url: url.to_owned(), limit });
        }
    }
    Ok(whole.freeze())
}

/// The next piece of an answer.
pub(crate) async fn next(body: &mut Incoming, url: &str) -> Result<Option<Bytes>, Error> {
    loop {
        let frame = timeout(STALL, body.frame()).await;
        let frame = frame.map_err(|_| Error::Stalled { url: url.to_owned(), seconds: STALL.as_secs() })?;
        let Some(frame) = frame else { return Ok(None) };
        let frame = frame.map_err(|source| Error::Body { url: url.to_owned(), source })?;
        if let Ok(bytes) = frame.into_data() {
            return Ok(Some(bytes));
        }
    }
}
