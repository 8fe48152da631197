//! Tokens of token servers (Docker's registry documentation, "Token Authentication Specification" and "OAuth2").

use crate::authorization;
use crate::challenge::Challenge;
use crate::error::Error;
use crate::redirect::{Arrived, address, follow};
use crate::registry::{Credentials, Place};
use crate::{request, transport};
use bytes::Bytes;
use form_urlencoded::Serializer;
use http::{HeaderValue, Method, Request, header};
use http_body_util::Full;
use serde::Deserialize;
use std::time::{Duration, Instant};

/// A token, and until when it is good.
pub(crate) struct Token {
    pub(crate) value: String,
    pub(crate) until: Instant,
    /// What stands for the password from now on, if that was asked for and the server does so.
    pub(crate) identity: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
    #[serde(default)]
    refresh_token: String,
    expires_in: Option<u64>,
}

/// How long a token is good if its server does not say, and how much earlier a new one is asked for.
const EXPIRES_IN: u64 = 60;
const MARGIN: u64 = 10;
const CLIENT: &str = "sampan";
const ANSWER_MAX: u64 = 1 << 20;

/// Asks the server that the challenge names for a token. `scope` is what for, where the challenge does not say;
/// without one it is a login.
pub(crate) async fn fetch(
    place: &Place,
    challenge: &Challenge,
    credentials: &Credentials,
    scope: Option<&str>,
) -> Result<Token, Error> {
    let realm = challenge.parameter("realm").unwrap_or_default();
    check_realm(place, realm, credentials)?;
    let form = form(challenge, credentials, scope);
    let asked = Instant::now();
    let arrived = match credentials {
        Credentials::Identity(_) => post(place, realm, form).await?,
        _ => get(place, realm, &form, authorization::basic(credentials)).await?,
    };
    read(arrived, asked).await
}

/// What is asked for, and by whom as far as it stands there.
fn form(challenge: &Challenge, credentials: &Credentials, scope: Option<&str>) -> String {
    let mut form = Serializer::new(String::new());
    if let Some(service) = challenge.parameter("service") {
        form.append_pair("service", service);
    }
    match scope {
        Some(scope) => form.append_pair("scope", challenge.parameter("scope").unwrap_or(scope)),
        None => form.append_pair("client_id", CLIENT).append_pair("offline_token", "true"),
    };
    match credentials {
        Credentials::Identity(identity) => {
            form.append_pair("grant_type", "refresh_token").append_pair("refresh_token", identity);
            if scope.is_some() {
                form.append_pair("client_id", CLIENT);
            }
        }
        Credentials::Basic { username, .. } => {
            form.append_pair("account", username);
        }
        Credentials::Anonymous | Credentials::Token(_) => {}
    }
    form.finish()
}

/// Credentials for a registry that proved who it is do not leave in plain text.
fn check_realm(place: &Place, realm: &str, credentials: &Credentials) -> Result<(), Error> {
    let uri = address(realm)?;
    let protected = uri.scheme_str() == Some("https") || place.endpoint.careless;
    if protected || *credentials == Credentials::Anonymous {
        return Ok(());
    }
    Err(Error::Realm { base: place.endpoint.base.clone(), realm: realm.to_owned() })
}

async fn get(
    place: &Place,
    realm: &str,
    query: &str,
    authorization: Option<HeaderValue>,
) -> Result<Arrived, Error> {
    let separator = if realm.contains('?') { '&' } else { '?' };
    let url = format!("{realm}{separator}{query}");
    follow(&place.transport, &url, &request::headers(), authorization.as_ref()).await
}

/// Whoever redirects this does not get it.
async fn post(place: &Place, realm: &str, form: String) -> Result<Arrived, Error> {
    let mut request = Request::new(Full::new(Bytes::from(form)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = address(realm)?;
    *request.headers_mut() = request::headers();
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    request.headers_mut().insert(header::CONTENT_TYPE, kind);
    let response = transport::send(&place.transport, request).await?;
    Ok(Arrived { response, url: realm.to_owned(), elsewhere: false })
}

async fn read(arrived: Arrived, asked: Instant) -> Result<Token, Error> {
    let arrived = request::accepted(arrived).await?;
    let body = request::read(arrived.response.into_body(), &arrived.url, ANSWER_MAX).await?;
    let answer: Answer = serde_json::from_slice(&body).map_err(|_| Error::NoToken)?;
    let value = if answer.token.is_empty() { answer.access_token } else { answer.token };
    if value.is_empty() {
        return Err(Error::NoToken);
    }
    let seconds = answer.expires_in.unwrap_or(EXPIRES_IN).max(EXPIRES_IN);
    let identity = Some(answer.refresh_token).filter(|identity| !identity.is_empty());
    Ok(Token { value, until: asked + Duration::from_secs(seconds.min(MAX) - MARGIN), identity })
}

/// No token is trusted for longer than a day.
const MAX: u64 = 24 * 60 * 60;
