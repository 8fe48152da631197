//! Why a request is refused, and with which status.

use http::StatusCode;
use sampan_api::filters::FilterError;
use sampan_api::query::NotANumber;
use sampan_api::version::Unsupported;
pub(crate) use sampan_spec::with_sources;
use sampan_spec::{ErrorKind, ParseReferenceError, ParseSignalError};

/// A request is refused. Display is the text for the user, in Docker's words where Docker has some.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// The engine refused.
    #[error(transparent)]
    Engine(#[from] sampan_engine::Error),
    /// There is no such endpoint.
    #[error("page not found")]
    NoEndpoint,
    /// The client's version is not served.
    #[error(transparent)]
    Version(#[from] Unsupported),
    /// The filters are no good.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// A filter's time is none.
    #[error(transparent)]
    Time(#[from] sampan_api::time::TimeError),
    /// A parameter is no number.
    #[error(transparent)]
    Number(#[from] NotANumber),
    /// No image has such a name.
    #[error(transparent)]
    Reference(#[from] ParseReferenceError),
    /// No such signal.
    #[error("{context}{source}")]
    Signal {
        /// What comes before the text.
        context: String,
        /// The text.
        source: ParseSignalError,
    },
    /// No such signal, as a number.
    #[error("{context}the linux daemon does not support signal {number}")]
    SignalNumber {
        /// What comes before the text.
        context: String,
        /// The number.
        number: i64,
    },
    /// Nothing to send a signal to.
    #[error("cannot kill container: {name}: No such container: {name}")]
    KillNobody {
        /// What was typed.
        name: String,
    },
    /// The body is of another kind.
    #[error("unsupported Content-Type header ({0}): must be 'application/json'")]
    ContentType(String),
    /// There is no such header, or it has no form.
    #[error("malformed Content-Type header ({0}): mime: no media type")]
    NoContentType(String),
    /// There is no body.
    #[error("invalid JSON: got EOF while reading request body")]
    EmptyBody,
    /// The body is no JSON, or one of its fields has another type.
    #[error("invalid JSON: {0}")]
    Json(String),
    /// Something follows the document.
    #[error("unexpected content after JSON")]
    AfterJson,
    /// The body broke off.
    #[error("invalid JSON: unexpected EOF")]
    BodyCut,
    /// The body is not framed as its head says.
    #[error("cannot read the request's body: {0}")]
    Body(String),
    /// More than anybody needs.
    #[error("the request's body is larger than {0} bytes")]
    BodyTooLarge(usize),
    /// A value can never be right.
    #[error("{0}")]
    Invalid(String),
    /// A field asks for something that this engine cannot do.
    #[error("{field} is not supported by this version of Sampan")]
    Unsupported {
        /// The field's path in the body, or the parameter.
        field: String,
    },
    /// An image that a filter names is not here.
    #[error("No such image: {0}")]
    NoSuchImage(String),
    /// There are no plugins.
    #[error("plugin {0:?} not found")]
    NoSuchPlugin(String),
    /// Only a swarm's manager does this.
    #[error(
        "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to swarm \
         and try again."
    )]
    NoSwarm,
    /// No thread can be started.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
}

impl Error {
    pub(crate) fn unsupported(field: impl Into<String>) -> Self {
        Self::Unsupported { field: field.into() }
    }

    /// What sort of failure it is.
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::Engine(error) => error.kind(),
            Self::NoEndpoint | Self::NoSuchPlugin(_) | Self::NoSuchImage(_) | Self::KillNobody { .. } => {
                ErrorKind::NotFound
            }
            Self::Unsupported { .. } => ErrorKind::NotImplemented,
            Self::Thread(_) | Self::NoSwarm => ErrorKind::Unavailable,
            Self::Version(_)
            | Self::Filter(_)
            | Self::Time(_)
            | Self::Number(_)
            | Self::Reference(_)
            | Self::Signal { .. }
            | Self::SignalNumber { .. }
            | Self::ContentType(_)
            | Self::NoContentType(_)
            | Self::AfterJson
            | Self::BodyCut
            | Self::BodyTooLarge(_)
            | Self::EmptyBody
            | Self::Json(_)
            | Self::Body(_)
            | Self::Invalid(_) => ErrorKind::InvalidParameter,
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        status_of(self.kind())
    }
}

/// The status that stands for a kind of failure.
pub(crate) fn status_of(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::InvalidParameter => StatusCode::BAD_REQUEST,
        ErrorKind::Unauthorized => StatusCode::UNAUTHORIZED,
        ErrorKind::Forbidden => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::NotModified => StatusCode::NOT_MODIFIED,
        ErrorKind::NotImplemented => StatusCode::NOT_IMPLEMENTED,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::System => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_statuses() {
        for (error, status) in [
            (Error::NoEndpoint, 404),
            (Error::EmptyBody, 400),
            (Error::unsupported("HostConfig.Devices"), 501),
            (Error::Engine(sampan_engine::Error::NoSuchContainer("x".into())), 404),
        ] {
            assert_eq!(error.status().as_u16(), status, "{error}");
        }
    }
}
