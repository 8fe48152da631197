//! Why something could not be had from a registry, in the words that Docker's users know where Docker has some.

use crate::problem::Problems;
use http::StatusCode;
use sampan_image::ManifestError;
use sampan_spec::{Digest, ErrorKind};

/// Why something could not be had from a registry.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A folder of certificates cannot be used.
    #[error("cannot use the certificates in {folder}: {reason}")]
    Certificates {
        /// The folder.
        folder: String,
        /// Why.
        reason: String,
    },
    /// A registry has no address.
    #[error("there is no address to ask for the registry {domain}")]
    Nowhere {
        /// Its name.
        domain: String,
    },
    /// An address cannot be put together.
    #[error("{url:?} is not an address")]
    Address {
        /// The text.
        url: String,
        /// Why.
        source: http::Error,
    },
    /// No connection came about.
    #[error("Get \"{url}\"")]
    Connect {
        /// What was asked for.
        url: String,
        /// Why.
        source: DialError,
    },
    /// The connection broke before the answer was there.
    #[error("Get \"{url}\"")]
    Send {
        /// What was asked for.
        url: String,
        /// Why.
        source: hyper_util::client::legacy::Error,
    },
    /// Nothing came for a long time.
    #[error("Get \"{url}\": net/http: timeout awaiting response headers")]
    Silent {
        /// What was asked for.
        url: String,
    },
    /// The answer broke off.
    #[error("reading \"{url}\"")]
    Body {
        /// What was asked for.
        url: String,
        /// Why.
        source: hyper::Error,
    },
    /// Nothing came of the rest of an answer for a long time.
    #[error("reading \"{url}\": nothing came for {seconds} seconds")]
    Stalled {
        /// What was asked for.
        url: String,
        /// How long.
        seconds: u64,
    },
    /// An answer ended too early.
    #[error("\"{url}\" ended after {got} bytes, and it has {size}")]
    Truncated {
        /// What was asked for.
        url: String,
        /// How much came.
        got: u64,
        /// How much there should be.
        size: u64,
    },
    /// An answer is larger than it may be.
    #[error("\"{url}\" is larger than {limit} bytes")]
    TooLarge {
        /// What was asked for.
        url: String,
        /// The limit.
        limit: u64,
    },
    /// An answer to a request for the rest begins elsewhere.
    #[error("\"{url}\" was asked for from byte {offset} on, and answered {range:?}")]
    Range {
        /// What was asked for.
        url: String,
        /// From where on.
        offset: u64,
        /// What the server said.
        range: String,
    },
    /// One is sent on and on.
    #[error("Get \"{url}\": stopped after 10 redirects")]
    Redirects {
        /// What was asked for.
        url: String,
    },
    /// One is sent to something that is no address.
    #[error("Get \"{url}\": failed to parse Location header {location:?}")]
    Location {
        /// What was asked for.
        url: String,
        /// Where one was sent.
        location: String,
    },
    /// The registry wants credentials, and there are none.
    #[error("Get \"{url}\": no basic auth credentials")]
    NoCredentials {
        /// What was asked for.
        url: String,
    },
    /// It does not believe whom it was shown.
    #[error("login attempt to {url} failed with status: {status}")]
    LoginRefused {
        /// Its address.
        url: String,
        /// What it answered.
        status: StatusCode,
    },
    /// Its token server does not believe whom it was shown.
    #[error("Get \"{url}\": unauthorized: {reason}")]
    Unauthorized {
        /// The registry's address.
        url: String,
        /// What the server says.
        reason: String,
    },
    /// The registry sends one for a token to an address that must not see credentials.
    #[error("the registry {base} wants its credentials sent to {realm:?}, which is not protected")]
    Realm {
        /// The registry's address.
        base: String,
        /// The address for tokens.
        realm: String,
    },
    /// A token server's answer has no token.
    #[error("authorization server did not include a token in the response")]
    NoToken,
    /// The registry refused, and said why.
    #[error("{problems}")]
    Refused {
        /// Its status.
        status: StatusCode,
        /// Why.
        problems: Problems,
    },
    /// The registry refused, and did not say why.
    #[error("{}", unexpected(*.status))]
    Status {
        /// Its status.
        status: StatusCode,
    },
    /// A manifest is not the one that was asked for.
    #[error("manifest verification failed for digest {expected}: it came as {actual}")]
    Digest {
        /// What it should be.
        expected: Digest,
        /// What it is.
        actual: Digest,
    },
    /// The registry names one digest and sends another manifest.
    #[error("the registry says that the manifest has digest {header:?}, and it has {actual}")]
    Header {
        /// What it says.
        header: String,
        /// What it is.
        actual: Digest,
    },
    /// It is an image of 2014, without digests of its content.
    #[error(
        "the image has a manifest of version 2, schema 1, which is not supported. Suggest the author of the image to upgrade \
         it to the OCI format"
    )]
    Schema1,
    /// What came is no manifest and no index.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

fn unexpected(status: StatusCode) -> String {
    format!("received unexpected HTTP status: {status}")
}

/// Why no connection came about. The texts are those of Go's programs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// The name is unknown.
    #[error("dial tcp: lookup {host}: {reason}")]
    Lookup {
        /// The name.
        host: String,
        /// Why.
        reason: String,
    },
    /// Nobody is there.
    #[error("dial tcp {address}: connect: {reason}")]
    Tcp {
        /// Where.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// It took too long.
    #[error("dial tcp {address}: i/o timeout")]
    Timeout {
        /// Where.
        address: String,
    },
    /// The proxy's kind is unknown.
    #[error("proxyconnect: {proxy}: unsupported protocol scheme")]
    ProxyScheme {
        /// Its address.
        proxy: String,
    },
    /// The proxy did not let it through.
    #[error("proxyconnect {proxy}: {reason}")]
    Proxy {
        /// Its address.
        proxy: String,
        /// Why.
        reason: String,
    },
    /// TLS could not be agreed upon.
    #[error("{0}")]
    Tls(String),
    /// Something else.
    #[error("{0}")]
    Other(String),
}

impl Error {
    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused { problems, .. } => match problems.code() {
                Some("DENIED" | "MANIFEST_UNKNOWN" | "NAME_UNKNOWN") => ErrorKind::NotFound,
                _ => ErrorKind::System,
            },
            Self::Unauthorized { .. } => ErrorKind::Unauthorized,
            Self::Manifest(_) | Self::Schema1 => ErrorKind::InvalidParameter,
            _ => ErrorKind::System,
        }
    }

    /// Whether another try may succeed.
    pub(crate) fn passes(&self) -> bool {
        let busy = |status: StatusCode| {
            status.is_server_error()
                || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
        };
        match self {
            Self::Connect { .. }
            | Self::Send { .. }
            | Self::Silent { .. }
            | Self::Body { .. }
            | Self::Stalled { .. }
            | Self::Truncated { .. } => true,
            Self::Refused { status, .. } | Self::Status { status } => busy(*status),
            _ => false,
        }
    }
}
