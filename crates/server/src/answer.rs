//! Answers: heads that say which API is spoken, and bodies at once or piece by piece.

use crate::error::{Error, with_sources};
use crate::handover::Handover;
use bytes::Bytes;
use http::{Response, StatusCode, header};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use sampan_api::body::ErrorBody;
use sampan_api::version::Unsupported;
use serde::Serialize;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// What becomes of a request.
pub(crate) enum Outcome {
    /// It is answered here.
    Answer(Response<Body>),
    /// Its connection goes to a monitor.
    Handover(Box<Handover>),
}

/// An answer's body.
#[derive(Debug)]
pub(crate) enum Body {
    /// All at once.
    Whole(Option<Bytes>),
    /// As it comes; ends when the sender is dropped.
    Pieces(mpsc::Receiver<Bytes>),
}

/// The names and values that every answer of the API carries.
pub(crate) const API_HEADERS: [(&str, &str); 4] = [
    ("Api-Version", "1.51"),
    ("Docker-Experimental", "false"),
    ("Ostype", "linux"),
    ("Server", concat!("Sampan/", env!("CARGO_PKG_VERSION"), " (linux)")),
];

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// A JSON document, with a line end as Docker writes it.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Outcome {
    Outcome::Answer(json_response(status, value))
}

/// Nothing but a status.
pub(crate) fn empty(status: StatusCode) -> Outcome {
    Outcome::Answer(response(status, None, Body::Whole(None)))
}

/// A plain text.
pub(crate) fn text(status: StatusCode, text: &'static str) -> Outcome {
    Outcome::Answer(response(status, Some(TEXT), whole(text)))
}

/// A body that comes in pieces.
pub(crate) fn pieces(kind: &'static str, pieces: mpsc::Receiver<Bytes>) -> Outcome {
    Outcome::Answer(response(StatusCode::OK, Some(kind), Body::Pieces(pieces)))
}

/// A refusal.
pub(crate) fn refusal(error: &Error) -> Response<Body> {
    let status = error.status();
    if status == StatusCode::NOT_MODIFIED {
        return response(status, None, Body::Whole(None));
    }
    let message = with_sources(error);
    if matches!(status, StatusCode::INTERNAL_SERVER_ERROR | StatusCode::SERVICE_UNAVAILABLE) {
        tracing::warn!(%status, "{message}");
    }
    if let Error::Version(Unsupported::TooOld(_)) = error {
        // Clients so old expect plain text.
        return response(status, Some(TEXT), whole(message + "\n"));
    }
    let mut response = json_response(status, &ErrorBody { message });
    if let Error::NoEndpoint = error {
        API_HEADERS.iter().for_each(|(name, _)| drop(response.headers_mut().remove(*name)));
    }
    response
}

fn json_response(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    match serde_json::to_vec(value) {
        Ok(mut bytes) => {
            bytes.push(b'\n');
            response(status, Some(JSON), whole(bytes))
        }
        Err(error) => {
            tracing::error!("cannot write an answer: {error}");
            response(StatusCode::INTERNAL_SERVER_ERROR, None, Body::Whole(None))
        }
    }
}

fn whole(bytes: impl Into<Bytes>) -> Body {
    Body::Whole(Some(bytes.into()))
}

fn response(status: StatusCode, kind: Option<&'static str>, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in API_HEADERS {
        if let Ok(name) = name.parse::<header::HeaderName>() {
            headers.insert(name, header::HeaderValue::from_static(value));
        }
    }
    if let Some(kind) = kind {
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    }
    response
}

/// A stream's head, written by a monitor: the API's headers, these, and the empty line.
pub(crate) fn stream_head(status: &str, headers: &[(&str, &str)]) -> String {
    let lines = API_HEADERS.iter().chain(headers).map(|(name, value)| format!("{name}: {value}\r\n"));
    format!("HTTP/1.1 {status}\r\n{}\r\n", lines.collect::<String>())
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Pieces(pieces) => {
                pieces.poll_recv(cx).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Pieces(_) => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use sampan_api::ApiVersion;

    async fn parts(error: Error) -> (u16, Option<String>, bool, String) {
        let response = refusal(&error);
        let kind = response.headers().get(header::CONTENT_TYPE).map(|v| v.to_str().unwrap().to_owned());
        let (status, versioned) =
            (response.status().as_u16(), response.headers().contains_key("api-version"));
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, kind, versioned, String::from_utf8_lossy(&body).into_owned())
    }

    #[tokio::test]
    async fn refusals_have_dockers_shapes() {
        let json = || Some(JSON.to_owned());
        assert_eq!(
            parts(Error::NoEndpoint).await,
            (404, json(), false, "{\"message\":\"page not found\"}\n".into())
        );
        let (status, kind, versioned, body) = parts(ApiVersion::served("1.10").unwrap_err().into()).await;
        assert_eq!((status, kind.as_deref(), versioned), (400, Some(TEXT), true));
        assert!(body.starts_with("client version 1.10 is too old."), "{body}");
        let (status, kind, _, body) = parts(ApiVersion::served("9.99").unwrap_err().into()).await;
        assert_eq!((status, kind), (400, json()));
        assert_eq!(
            body,
            "{\"message\":\"client version 9.99 is too new. Maximum supported API version is 1.51\"}\n"
        );
        let unchanged = sampan_engine::Error::AlreadyStarted("x".into());
        assert_eq!(parts(unchanged.into()).await, (304, None, true, String::new()));
    }

    #[test]
    fn stream_heads_end_with_an_empty_line() {
        let head = stream_head("200 OK", &[("Connection", "close")]);
        assert!(head.starts_with("HTTP/1.1 200 OK\r\nApi-Version: 1.51\r\n"), "{head}");
        assert!(head.ends_with("Connection: close\r\n\r\n"), "{head}");
    }

    #[test]
    fn the_version_in_the_head_is_the_newest() {
        assert_eq!(API_HEADERS[0].1, ApiVersion::MAX.to_string());
    }
}
