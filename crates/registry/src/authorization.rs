//! Who one is, as far as a registry asks: nothing, a password, or a token of a token server
//! (Docker's registry documentation, "Token Authentication Specification").

use crate::challenge::{self, Challenge};
use crate::error::Error;
use crate::redirect;
use crate::registry::{Credentials, Place, Registry};
use crate::token::{self, Token};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use std::sync::{MutexGuard, PoisonError};
use std::time::Instant;

/// What is known of a place.
#[derive(Default)]
pub(crate) struct Access {
    greeted: bool,
    challenge: Option<Challenge>,
    token: Option<Token>,
}

impl Place {
    fn access(&self) -> MutexGuard<'_, Access> {
        self.access.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks once whether anybody is there, and how he wants to be convinced (OCI distribution specification, end-1).
pub(crate) async fn greet(place: &Place) -> Result<(), Error> {
    if place.access().greeted {
        return Ok(());
    }
    let arrived = redirect::follow(&place.transport, &place.root(), &crate::request::headers(), None).await?;
    let refused = arrived.response.status() == StatusCode::UNAUTHORIZED && !arrived.elsewhere;
    let challenge = if refused { choose(arrived.response.headers()) } else { None };
    let mut access = place.access();
    access.challenge = challenge;
    access.greeted = true;
    Ok(())
}

/// The header to send, if the place is known to want one.
pub(crate) async fn header(registry: &Registry, place: &Place) -> Result<Option<HeaderValue>, Error> {
    let credentials = registry.credentials(place);
    if let Credentials::Token(token) = credentials {
        return Ok(bearer(token));
    }
    let (challenge, token) = {
        let access = place.access();
        let token = access.token.as_ref().filter(|token| token.until > Instant::now());
        (access.challenge.clone(), token.map(|token| token.value.clone()))
    };
    match (challenge, token) {
        (None, _) => Ok(None),
        (Some(_), Some(token)) => Ok(bearer(&token)),
        (Some(challenge), None) if challenge.scheme == BEARER => {
            let scope = format!("repository:{}:pull", registry.name.path());
            let token = token::fetch(place, &challenge, credentials, Some(&scope)).await?;
            let header = bearer(&token.value);
            place.access().token = Some(token);
            Ok(header)
        }
        (Some(_), None) => match basic(credentials) {
            None => Err(Error::NoCredentials { url: place.root() }),
            header => Ok(header),
        },
    }
}

/// The header that shows a registry who one is, and what its token server gave to be shown instead of the password.
pub(crate) async fn prove(
    place: &Place,
    credentials: &Credentials,
) -> Result<(Option<HeaderValue>, Option<String>), Error> {
    let challenge = place.access().challenge.clone();
    match (challenge, basic(credentials)) {
        (Some(challenge), _) if challenge.scheme == BEARER => {
            let token = token::fetch(place, &challenge, credentials, None).await?;
            Ok((bearer(&token.value), token.identity))
        }
        (Some(_), None) => Err(Error::NoCredentials { url: place.root() }),
        (_, header) => Ok((header, None)),
    }
}

/// The header to send after a refusal, if that says how to do better.
pub(crate) async fn renew(
    registry: &Registry,
    place: &Place,
    refusal: &HeaderMap,
) -> Result<Option<HeaderValue>, Error> {
    let Some(challenge) = choose(refusal) else { return Ok(None) };
    {
        let mut access = place.access();
        // A password that was refused is not right the second time.
        if challenge.scheme == BASIC && access.challenge.as_ref() == Some(&challenge) {
            return Ok(None);
        }
        access.challenge = Some(challenge);
        access.token = None;
    }
    header(registry, place).await
}

const BEARER: &str = "bearer";
const BASIC: &str = "basic";

/// A token rather than a password.
fn choose(headers: &HeaderMap) -> Option<Challenge> {
    let texts = headers.get_all(header::WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let all: Vec<Challenge> = texts.flat_map(challenge::parse).collect();
    let of = |scheme: &str| all.iter().find(|challenge| challenge.scheme == scheme).cloned();
    of(BEARER).or_else(|| of(BASIC))
}

fn bearer(token: &str) -> Option<HeaderValue> {
    secret(format!("Bearer {token}"))
}

/// The header with a user's name and password, if there are any.
pub(crate) fn basic(credentials: &Credentials) -> Option<HeaderValue> {
    let Credentials::Basic { username, password } = credentials else { return None };
    secret(format!("Basic {}", BASE64_STANDARD.encode(format!("{username}:{password}"))))
}

fn secret(text: String) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
