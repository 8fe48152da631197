//! Going where one is sent, without telling anybody there who one is.

use crate::error::Error;
use crate::transport::{self, Transport};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::Full;
use hyper::body::Incoming;

const REDIRECTS_MAX: usize = 10;

/// An answer, and where it came from in the end.
pub(crate) struct Arrived {
    pub(crate) response: Response<Incoming>,
    pub(crate) url: String,
    /// Whether another host was asked on the way: what it refuses is not for who one is.
    pub(crate) elsewhere: bool,
}

/// Asks for `url` and follows redirects. `authorization` goes to its own host only, and to nobody once one was sent
/// elsewhere.
pub(crate) async fn follow(
    transport: &Transport,
    url: &str,
    headers: &HeaderMap,
    authorization: Option<&HeaderValue>,
) -> Result<Arrived, Error> {
    let first = address(url)?;
    let (mut at, mut elsewhere) = (first.clone(), false);
    for _ in 0..=REDIRECTS_MAX {
        let mut request = Request::new(Full::<Bytes>::default());
        *request.uri_mut() = at.clone();
        *request.headers_mut() = headers.clone();
        if let Some(authorization) = authorization.filter(|_| !elsewhere) {
            request.headers_mut().insert(header::AUTHORIZATION, authorization.clone());
        }
        let response = transport::send(transport, request).await?;
        let Some(location) = location(&response) else {
            return Ok(Arrived { response, url: at.to_string(), elsewhere });
        };
        let bad = || Error::Location { url: url.to_owned(), location: location.clone() };
        at = resolve(&at, &location).ok_or_else(bad)?;
        elsewhere |= origin(&at) != origin(&first);
    }
    Err(Error::Redirects { url: url.to_owned() })
}

/// A URL that was put together.
pub(crate) fn address(url: &str) -> Result<Uri, Error> {
    url.parse().map_err(|source: http::uri::InvalidUri| Error::Address {
        url: url.to_owned(),
        source: source.into(),
    })
}

fn location(response: &Response<Incoming>) -> Option<String> {
    let redirects = matches!(
        response.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let location = response.headers().get(header::LOCATION).filter(|_| redirects)?;
    Some(String::from_utf8_lossy(location.as_bytes()).into_owned())
}

/// Scheme, host and port.
fn origin(uri: &Uri) -> (Option<&str>, Option<String>, u16) {
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    (uri.scheme_str(), uri.host().map(str::to_lowercase), port)
}

/// A reference in the context of a URL (RFC 3986, section 5.2, without dot segments). Only HTTP will do.
fn resolve(base: &Uri, reference: &str) -> Option<Uri> {
    let reference = reference.split('#').next()?;
    let scheme = base.scheme_str()?;
    let text = match reference {
        absolute if absolute.contains("://") && !absolute.starts_with('/') => absolute.to_owned(),
        host if host.starts_with("//") => format!("{scheme}:{host}"),
        path if path.starts_with('/') => format!("{scheme}://{}{path}", base.authority()?),
        query if query.starts_with('?') => format!("{scheme}://{}{}{query}", base.authority()?, base.path()),
        beside => {
            let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{scheme}://{}{folder}/{beside}", base.authority()?)
        }
    };
    let uri: Uri = text.parse().ok()?;
    (matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some()).then_some(uri)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn references_are_relative_to_where_they_are() {
        let base: Uri = "https://a.example:1/v2/x/blobs/sha256:0?y=1".parse().unwrap();
        for (reference, want) in [
            ("https://b.example/c?d=e", Some("https://b.example/c?d=e")),
            ("http://b.example", Some("http://b.example/")),
            ("//b.example/c", Some("https://b.example/c")),
            ("/c?x=https://z", Some("https://a.example:1/c?x=https://z")),
            ("c", Some("https://a.example:1/v2/x/blobs/c")),
            ("?d=e", Some("https://a.example:1/v2/x/blobs/sha256:0?d=e")),
            ("/c#fragment", Some("https://a.example:1/c")),
            ("ftp://b.example/", None),
            ("https://", None),
            ("/a b", None),
        ] {
            assert_eq!(resolve(&base, reference).map(|uri| uri.to_string()).as_deref(), want, "{reference}");
        }
    }

    #[test]
    fn hosts_are_told_apart_with_scheme_and_port() {
        let same = |a: &str, b: &str| origin(&a.parse().unwrap()) == origin(&b.parse().unwrap());
        assert!(same("https://A.example/x", "https://a.example:443/y"));
        for other in
            ["http://a.example", "https://a.example:444", "https://b.a.example", "https://a.example.b"]
        {
            assert!(!same("https://a.example", other), "{other}");
        }
    }

    proptest! {
        #[test]
        fn any_reference_ends_in_a_host_or_nowhere(reference in "[a-z/:?#@. %]{0,30}") {
            let base = Uri::from_static("https://a.example/x/y");
            if let Some(uri) = resolve(&base, &reference) {
                prop_assert!(uri.host().is_some());
            }
        }
    }
}
