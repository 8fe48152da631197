//! What goes wrong between a client and the daemon.

use crate::Address;
use http::StatusCode;
use std::io;

/// The client's result.
pub type Result<T> = std::result::Result<T, Error>;

/// A request failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nobody listens there.
    #[error(
        "Cannot connect to the daemon at {address}. Is it running? (`sampan daemon` starts one, and `systemctl start \
             sampan` where it is installed)"
    )]
    NotRunning {
        /// Where.
        address: Address,
        /// What the system said.
        source: io::Error,
    },
    /// The socket's permissions are against it.
    #[error(
        "permission denied while connecting to the daemon at {address}: run this as root (`sudo`), or as a member of \
             the socket's group"
    )]
    Permission {
        /// Where.
        address: Address,
        /// What the system said.
        source: io::Error,
    },
    /// The connection could not be made for another reason.
    #[error("cannot connect to the daemon at {address}")]
    Connect {
        /// Where.
        address: Address,
        /// What the system said.
        source: io::Error,
    },
    /// The connection broke, or what came was no HTTP.
    #[error("the connection to the daemon at {address} broke ({what}); is it still running?")]
    Broken {
        /// Where.
        address: Address,
        /// What was being done.
        what: &'static str,
        /// What came of it.
        source: hyper::Error,
    },
    /// The daemon refused; the text is its own.
    #[error("{message}")]
    Daemon {
        /// Its status.
        status: StatusCode,
        /// Its text.
        message: String,
    },
    /// The daemon did not make a stream of the connection.
    #[error(
        "the daemon at {address} answered {status} instead of switching to a stream (is a proxy in between?)"
    )]
    NoUpgrade {
        /// Where.
        address: Address,
        /// Its answer.
        status: StatusCode,
    },
    /// A container's name is missing.
    #[error("invalid container name or ID: value is empty")]
    NoName,
    /// An answer has another shape than expected.
    #[error("cannot understand the daemon's answer to {path}")]
    Answer {
        /// The request's path.
        path: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A request could not be put together.
    #[error("cannot make a request for {path}")]
    Request {
        /// Its path.
        path: String,
        /// Why.
        source: http::Error,
    },
}

impl Error {
    /// The daemon's status, if it was the daemon that refused.
    pub fn status(&self) -> Option<StatusCode> {
        if let Self::Daemon { status, .. } = self { Some(*status) } else { None }
    }

    pub(crate) fn connect(address: &Address, source: io::Error) -> Self {
        let address = address.clone();
        match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                Self::NotRunning { address, source }
            }
            io::ErrorKind::PermissionDenied => Self::Permission { address, source },
            _ => Self::Connect { address, source },
        }
    }
}
