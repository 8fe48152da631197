//! One request, one answer, over connections that are kept for the next.

use crate::dial::{Dialer, causes, chain};
use crate::error::{DialError, Error};
use crate::tls;
use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::{Client, Error as SendError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::time::Duration;
use tokio::time::timeout;

/// How long a registry may think about an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);
/// How long a connection is kept for another request.
const IDLE: Duration = Duration::from_secs(30);

/// Sends requests; with certificates checked, or not.
pub(crate) struct Transport {
    dialer: Dialer,
    http: Client<HttpsConnector<Dialer>, Full<Bytes>>,
}

impl Transport {
    /// For the registry `domain`. Reads files.
    pub(crate) fn new(dialer: Dialer, domain: &str, careless: bool) -> Result<Self, Error> {
        let connector = HttpsConnector::from((dialer.clone(), tls::config(domain, careless)?));
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE);
        Ok(Self { dialer, http: builder.build(connector) })
    }
}

/// Sends a request and waits for the head of its answer.
pub(crate) async fn send(
    transport: &Transport,
    mut request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, Error> {
    let url = request.uri().to_string();
    if let Some(authorization) = transport.dialer.proxy_authorization(request.uri()) {
        request.headers_mut().insert(header::PROXY_AUTHORIZATION, authorization);
    }
    match timeout(ANSWER_TIMEOUT, transport.http.request(request)).await {
        Err(_) => Err(Error::Silent { url }),
        Ok(Err(error)) if error.is_connect() => Err(Error::Connect { url, source: dial_error(&error) }),
        Ok(Err(source)) => Err(Error::Send { url, source }),
        Ok(Ok(response)) => Ok(response),
    }
}

/// Why no connection came about: our own error or TLS's, which hyper has wrapped.
fn dial_error(error: &SendError) -> DialError {
    let found = causes(error).find_map(|e| match e.downcast_ref::<rustls::Error>() {
        Some(error) => Some(tls::handshake_error(error)),
        None => e.downcast_ref::<DialError>().cloned(),
    });
    found.unwrap_or_else(|| DialError::Other(chain(error)))
}
