//! A client of the Engine API over a unix socket or TCP: a connection per request, nothing kept in between, so that a
//! daemon that was replaced meanwhile is no trouble. Works on a current-thread runtime.

mod address;
mod body;
mod hijack;
mod lives;
mod networks;
mod system;
mod verbs;
mod volumes;

pub use address::{Address, DEFAULT_HOST, ParseAddressError};
pub use body::{Body, ByteStream, JsonLines, Pending};
pub use hijack::Hijacked;

use crate::body::ErrorBody;
use crate::{ApiVersion, Error, Result, json};
use body::RequestBody;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::{Mutex, PoisonError};

/// So much is read from a daemon at a time, in bytes: less than what the allocator gets from the system each time anew.
const BUFFER_MAX: usize = 96 << 10;

/// A way to one daemon. Cheap to make; the first request connects.
#[derive(Debug)]
pub struct Client {
    address: Address,
    /// The newest version until an older daemon says otherwise.
    version: Mutex<ApiVersion>,
}

impl Client {
    /// A client of the daemon at an address.
    pub fn new(address: Address) -> Self {
        Self { address, version: Mutex::new(ApiVersion::MAX) }
    }

    /// Where the daemon is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The version that requests are made in.
    pub fn version(&self) -> ApiVersion {
        *self.version.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a request and gives the answer, of which the body is still to come. `path` is the part behind the version,
    /// with its query. An older daemon gets the request once more in its own version.
    ///
    /// # Errors
    /// When the daemon cannot be reached, or answers with a status of 400 and more.
    pub async fn send(&self, method: Method, path: &str, body: Body) -> Result<Response<Incoming>> {
        self.send_with(method, path, body, &[]).await
    }

    /// Sends a request and reads the answer's JSON.
    ///
    /// # Errors
    /// As [`Self::send`], and when the answer has another shape.
    pub async fn json<T: DeserializeOwned>(&self, method: Method, path: &str, body: Body) -> Result<T> {
        let response = self.send(method, path, body).await?;
        let bytes = self.collect(response).await?;
        json::read(&bytes).map_err(|source| Error::Answer { path: path.to_owned(), source })
    }

    /// Sends a request of which only the status matters (204, or 304 for what is so already).
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn done(&self, method: Method, path: &str, body: Body) -> Result<StatusCode> {
        let response = self.send(method, path, body).await?;
        let status = response.status();
        self.collect(response).await?;
        Ok(status)
    }

    /// Sends a request whose answer is a JSON document a line, as they come.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn lines<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Body,
    ) -> Result<JsonLines<T>> {
        Ok(JsonLines::new(self.bytes(method, path, body).await?, path))
    }

    /// Sends a request whose answer is a stream of bytes.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn bytes(&self, method: Method, path: &str, body: Body) -> Result<ByteStream> {
        Ok(ByteStream::new(self.send(method, path, body).await?))
    }

    /// Sends a request that makes a two-way stream of its connection.
    ///
    /// # Errors
    /// As [`Self::send`], and when the daemon did not switch.
    pub async fn hijack(&self, path: &str, body: Body) -> Result<Hijacked> {
        let response = self.send_with(Method::POST, path, body, UPGRADE).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(Error::NoUpgrade { address: self.address.clone(), status: response.status() });
        }
        let broken = |source| self.broken("switching to a stream", source);
        Hijacked::take(response).await.map_err(broken)
    }

    /// As [`Self::lines`], with further headers.
    async fn lines_with<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        headers: Headers<'_>,
    ) -> Result<JsonLines<T>> {
        let response = self.send_with(method, path, Body::Empty, headers).await?;
        Ok(JsonLines::new(ByteStream::new(response), path))
    }

    async fn send_with(
        &self,
        method: Method,
        path: &str,
        body: Body,
        headers: Headers<'_>,
    ) -> Result<Response<Incoming>> {
        let again = body.again();
        if again.is_none() {
            self.negotiate().await?;
        }
        let result = self.send_once(method.clone(), path, body, headers).await;
        match (result, again) {
            (Err(error), Some(body)) if self.learn_version(&error) => {
                self.send_once(method, path, body, headers).await
            }
            (result, _) => result,
        }
    }

    /// Asks for the daemon's version before a request that cannot be sent twice.
    async fn negotiate(&self) -> Result<()> {
        match self.send_once(Method::GET, "/version", Body::Empty, &[]).await {
            Err(error) if !self.learn_version(&error) => Err(error),
            _ => Ok(()),
        }
    }

    /// Takes the daemon's version from its refusal of ours; false if that was not the reason.
    fn learn_version(&self, error: &Error) -> bool {
        const MARK: &str = "is too new. Maximum supported API version is ";
        let Error::Daemon { message, .. } = error else { return false };
        let version = message.split_once(MARK).and_then(|(_, version)| version.trim().parse().ok());
        let Some(version) = version else { return false };
        *self.version.lock().unwrap_or_else(PoisonError::into_inner) = version;
        true
    }

    async fn send_once(
        &self,
        method: Method,
        path: &str,
        body: Body,
        headers: Headers<'_>,
    ) -> Result<Response<Incoming>> {
        let request = self.request(method, path, body, headers)?;
        let socket = self.address.connect().await.map_err(|e| Error::connect(&self.address, e))?;
        let broken = |source| self.broken("sending a request", source);
        let mut http = hyper::client::conn::http1::Builder::new();
        http.max_buf_size(BUFFER_MAX);
        let (mut sender, connection) = http.handshake(TokioIo::new(socket)).await.map_err(broken)?;
        // It ends with the response's body, or with the stream that it becomes; its error shows there.
        tokio::spawn(connection.with_upgrades());
        let response = sender.send_request(request).await.map_err(broken)?;
        if response.status().as_u16() < 400 {
            return Ok(response);
        }
        let status = response.status();
        let text = self.collect(response).await?;
        Err(Error::Daemon { status, message: message_of(status, &text) })
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Body,
        headers: Headers<'_>,
    ) -> Result<Request<RequestBody>> {
        let uri = format!("/v{}{path}", self.version());
        let mut request =
            Request::builder().method(method).uri(uri).header(header::HOST, self.address.host());
        if let Some(kind) = body.content_type() {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let fail = |source| Error::Request { path: path.to_owned(), source };
        request.body(body.into()).map_err(fail)
    }

    async fn collect(&self, response: Response<Incoming>) -> Result<bytes::Bytes> {
        let body = response.into_body().collect().await;
        Ok(body.map_err(|source| self.broken("reading an answer", source))?.to_bytes())
    }

    fn broken(&self, what: &'static str, source: hyper::Error) -> Error {
        Error::Broken { address: self.address.clone(), what, source }
    }
}

/// Headers of one request: names and values.
type Headers<'h> = &'h [(&'h str, &'h str)];

/// A connection is to become a stream.
const UPGRADE: Headers<'static> = &[("Connection", "Upgrade"), ("Upgrade", "tcp")];

/// A body of JSON.
///
/// # Errors
/// When the value has a map whose keys are no strings.
pub(crate) fn to_body(path: &str, value: &impl Serialize) -> Result<Body> {
    let bytes =
        serde_json::to_vec(value).map_err(|source| Error::Answer { path: path.to_owned(), source })?;
    Ok(Body::Json(bytes.into()))
}

/// A refusal's text: Docker's JSON, or a plain text of an older daemon or a proxy.
fn message_of(status: StatusCode, body: &[u8]) -> String {
    let plain = || String::from_utf8_lossy(body).trim().to_owned();
    let message = json::read::<ErrorBody>(body).map_or_else(|_| plain(), |body| body.message);
    if message.is_empty() { format!("the daemon answered {status}") } else { message }
}

#[cfg(test)]
mod tests;
