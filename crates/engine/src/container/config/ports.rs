//! Ports, and their places on the host.

use sampan_network::Protocol;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A container's port: `80/tcp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Port {
    /// The number, not 0.
    pub number: u16,
    /// The protocol.
    pub protocol: Protocol,
}

/// A port that is said to be listened on, as somebody wrote it. Docker takes any text: one that is no port means nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Exposed(String);

impl Exposed {
    /// The port, if it is one.
    pub fn port(&self) -> Option<Port> {
        self.0.parse().ok()
    }
}

impl From<&str> for Exposed {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<Port> for Exposed {
    fn from(port: Port) -> Self {
        Self(port.to_string())
    }
}

impl fmt::Display for Exposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where on the host a container's port is to be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortBinding {
    /// An address of the host, unspecified for all of its family; `None` is all.
    pub address: Option<IpAddr>,
    /// The first free port of this range, both ends included; `None`: any that is free.
    pub ports: Option<(u16, u16)>,
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.protocol)
    }
}

/// A string is not a port with a protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParsePortError {
    /// The number is not in 1 to 65535.
    #[error("invalid port number: value must be 0..65535")]
    Number(String),
    /// The protocol is not known.
    #[error("invalid proto: {0}")]
    Protocol(String),
}

impl FromStr for Port {
    type Err = ParsePortError;

    fn from_str(text: &str) -> Result<Self, ParsePortError> {
        let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let protocol = match protocol.to_ascii_lowercase().as_str() {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            _ => return Err(ParsePortError::Protocol(protocol.to_owned())),
        };
        let number = number.parse().ok().filter(|n| *n != 0);
        Ok(Self { number: number.ok_or_else(|| ParsePortError::Number(text.to_owned()))?, protocol })
    }
}

impl TryFrom<String> for Port {
    type Error = ParsePortError;
    fn try_from(text: String) -> Result<Self, ParsePortError> {
        text.parse()
    }
}

impl From<Port> for String {
    fn from(port: Port) -> String {
        port.to_string()
    }
}
