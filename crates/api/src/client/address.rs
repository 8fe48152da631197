//! Where a daemon is: `unix:///path`, `tcp://host:port`.

use crate::socket::Socket;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use tokio::net::{TcpStream, UnixStream};

/// Where Sampan's daemon listens unless it is told otherwise.
pub const DEFAULT_HOST: &str = "unix:///run/sampan.sock";

/// Docker's port without TLS.
const DEFAULT_PORT: u16 = 2375;

/// A daemon's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A socket in the file system.
    Unix(PathBuf),
    /// `host:port`.
    Tcp(String),
}

/// A string is no address of a daemon.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a daemon's address: use unix:///path/to.sock or tcp://host:port")]
pub struct ParseAddressError(pub String);

impl Address {
    /// What stands in a request's `Host`.
    pub(super) fn host(&self) -> &str {
        match self {
            Self::Unix(_) => "sampan",
            Self::Tcp(host) => host,
        }
    }

    pub(super) async fn connect(&self) -> io::Result<Socket> {
        match self {
            Self::Unix(path) => UnixStream::connect(path).await.map(Socket::Unix),
            Self::Tcp(host) => {
                let stream = TcpStream::connect(host).await?;
                stream.set_nodelay(true)?;
                Ok(Socket::Tcp(stream))
            }
        }
    }
}

impl FromStr for Address {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, ParseAddressError> {
        let fail = || ParseAddressError(text.to_owned());
        if let Some(path) = text.strip_prefix("unix://") {
            return if path.starts_with('/') { Ok(Self::Unix(path.into())) } else { Err(fail()) };
        }
        let rest = text.strip_prefix("tcp://").or_else(|| text.strip_prefix("http://")).ok_or_else(fail)?;
        let host = rest.trim_end_matches('/');
        if host.is_empty() || host.contains(['/', ' ', '@']) {
            return Err(fail());
        }
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        Ok(Self::Tcp(if has_port { host.to_owned() } else { format!("{host}:{DEFAULT_PORT}") }))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(host) => write!(f, "tcp://{host}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses() {
        for (text, want) in [
            ("unix:///run/x.sock", Some("unix:///run/x.sock")),
            ("tcp://127.0.0.1:1", Some("tcp://127.0.0.1:1")),
            ("tcp://localhost", Some("tcp://localhost:2375")),
            ("tcp://[::1]:80/", Some("tcp://[::1]:80")),
            ("unix://relative", None),
            ("tcp://", None),
            ("ssh://host", None),
            ("/run/x.sock", None),
            ("", None),
        ] {
            let got = text.parse::<Address>().ok().map(|a| a.to_string());
            assert_eq!(got.as_deref(), want, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_reads_back(text in "(unix://|tcp://|http://)?[a/:.0-9@\\[\\] ]{0,16}") {
            if let Ok(address) = text.parse::<Address>() {
                prop_assert_eq!(address.to_string().parse(), Ok(address));
            }
        }
    }
}
