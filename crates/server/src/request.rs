//! A request on its way to a verb: what the path and query say, and how its body is read.

use crate::daemon::Daemon;
use crate::error::{Error, with_sources};
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use sampan_api::query::Query;
use sampan_api::{ApiVersion, Filters, json};
use sampan_engine::Engine;
use sampan_spec::{ParsePlatformError, Platform};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::io;
use std::sync::Arc;

/// A JSON body is at most this long: an exec's environment can reach a few megabytes.
const BODY_MAX: usize = 16 << 20;

/// A request whose endpoint is known.
pub(crate) struct Call {
    /// The daemon that was asked.
    pub(crate) daemon: Arc<Daemon>,
    /// The client's version.
    pub(crate) version: ApiVersion,
    /// What stands for `{name}` in the path.
    pub(crate) name: String,
    /// The parameters.
    pub(crate) query: Query,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) body: Incoming,
}

impl Call {
    pub(crate) fn engine(&self) -> &Engine {
        &self.daemon.engine
    }

    /// The `filters` parameter, of which only these names are known.
    pub(crate) fn filters(&self, names: &[&str]) -> Result<Filters, Error> {
        let filters = Filters::parse(self.query.text("filters"))?;
        filters.only(names)?;
        Ok(filters)
    }

    /// The `platform` parameter: `linux/arm64`.
    pub(crate) fn platform(&self) -> Result<Option<Platform>, Error> {
        match self.query.text("platform") {
            "" => Ok(None),
            text => Ok(Some(text.parse().map_err(|e: ParsePlatformError| Error::Invalid(e.to_string()))?)),
        }
    }

    /// Whether the client wants its connection to become a stream by upgrade (`Upgrade: tcp`).
    pub(crate) fn upgrades(&self) -> bool {
        self.headers.contains_key(header::UPGRADE)
    }

    /// Reads the body as JSON, without the members that are `null`.
    pub(crate) async fn json(&mut self) -> Result<Value, Error> {
        let bytes = self.bytes().await?;
        parse(content_type(&self.headers), &bytes)
    }

    /// As [`Self::json`], for an endpoint whose body may be missing.
    pub(crate) async fn json_or_default<T: DeserializeOwned + Default>(&mut self) -> Result<T, Error> {
        let bytes = self.bytes().await?;
        if bytes.is_empty() { Ok(T::default()) } else { typed(parse(content_type(&self.headers), &bytes)?) }
    }

    async fn bytes(&mut self) -> Result<Bytes, Error> {
        let limited = Limited::new(&mut self.body, BODY_MAX).collect().await;
        Ok(limited.map_err(|error| body_error(&*error))?.to_bytes())
    }
}

fn body_error(error: &(dyn std::error::Error + 'static)) -> Error {
    if error.is::<LengthLimitError>() {
        return Error::BodyTooLarge(BODY_MAX);
    }
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    let cut = |error: &io::Error| error.kind() == io::ErrorKind::UnexpectedEof;
    if causes.any(|cause| cause.downcast_ref().is_some_and(cut)) {
        return Error::BodyCut;
    }
    Error::Body(with_sources(error))
}

/// A document as a typed body.
pub(crate) fn typed<T: DeserializeOwned>(value: Value) -> Result<T, Error> {
    serde_json::from_value(value).map_err(|error| Error::Json(error.to_string()))
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default()
}

fn parse(kind: &str, bytes: &[u8]) -> Result<Value, Error> {
    let media_type = kind.split(';').next().unwrap_or_default().trim();
    let nothing = media_type.is_empty() && bytes.is_empty();
    if !nothing && media_type.is_empty() {
        return Err(Error::NoContentType(kind.to_owned()));
    }
    if !nothing && !media_type.eq_ignore_ascii_case("application/json") {
        return Err(Error::ContentType(kind.to_owned()));
    }
    if bytes.trim_ascii().is_empty() {
        return Err(Error::EmptyBody);
    }
    let wrong = |error| Error::Json(json::syntax_error(&error, bytes));
    let mut documents = serde_json::Deserializer::from_slice(bytes).into_iter::<Value>();
    let mut value = documents.next().ok_or(Error::EmptyBody)?.map_err(wrong)?;
    if !bytes[documents.byte_offset()..].trim_ascii().is_empty() {
        return Err(Error::AfterJson);
    }
    json::drop_nulls(&mut value);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bodies_that_are_no_good_are_refused_as_docker_does() {
        for (kind, body, text) in [
            ("text/plain", "{}", "unsupported Content-Type header (text/plain): must be 'application/json'"),
            ("", "{}", "malformed Content-Type header (): mime: no media type"),
            (";x", "{}", "malformed Content-Type header (;x): mime: no media type"),
            ("application/json", "", "invalid JSON: got EOF while reading request body"),
            ("", "", "invalid JSON: got EOF while reading request body"),
            (
                "application/json",
                "{nope",
                "invalid JSON: invalid character 'n' looking for beginning of object key string",
            ),
            ("application/json", "{\"a\":", "invalid JSON: unexpected EOF"),
            ("application/json", "{} {}", "unexpected content after JSON"),
            ("application/json", "{}x", "unexpected content after JSON"),
        ] {
            assert_eq!(parse(kind, body.as_bytes()).unwrap_err().to_string(), text);
        }
        assert!(
            parse("application/json; charset=utf-8", b"{\"a\":null}")
                .unwrap()
                .as_object()
                .unwrap()
                .is_empty()
        );
    }

    proptest! {
        #[test]
        fn any_body_is_read_or_refused(kind in "(application/json)?[; a-z/]{0,8}", body in "[\\[\\]{}:,\"a1ä\n]{0,20}") {
            if let Ok(value) = parse(&kind, body.as_bytes()) {
                let written = value.to_string();
                prop_assert_eq!(parse("application/json", written.as_bytes()).unwrap(), value);
            }
        }
    }
}
