//! By which names a container finds others.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The servers and rules by which names are looked up (resolv.conf(5)). What is empty is as the engine or the host does it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dns {
    /// Servers.
    pub servers: Vec<IpAddr>,
    /// Domains that a short name may be in; a lone `.` is none.
    pub search: Vec<String>,
    /// `ndots:2`, ...
    pub options: Vec<String>,
}

impl Dns {
    /// What is empty here as it is there.
    pub(crate) fn or(&self, other: &Self) -> Self {
        fn first<T: Clone>(own: &[T], other: &[T]) -> Vec<T> {
            if own.is_empty() { other.to_vec() } else { own.to_vec() }
        }
        Self {
            servers: first(&self.servers, &other.servers),
            search: first(&self.search, &other.search),
            options: first(&self.options, &other.options),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.servers.is_empty() && self.search.is_empty() && self.options.is_empty()
    }
}

/// A line of `/etc/hosts` that the user adds: `name:address`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ExtraHost {
    /// The name.
    pub name: String,
    /// What it stands for.
    pub address: HostAddress,
}

/// What a name in `/etc/hosts` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostAddress {
    /// The host, as the container reaches it.
    Gateway,
    /// An address.
    Ip(IpAddr),
}

/// A line cannot be meant. The texts are Docker's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseExtraHostError {
    /// There is no name, or no address.
    #[error("bad format for add-host: {0:?}")]
    Format(String),
    /// The address is none.
    #[error("invalid IP address in add-host: {0:?}")]
    Address(String),
}

/// What is written for the host's own address.
const GATEWAY: &str = "host-gateway";

impl FromStr for ExtraHost {
    type Err = ParseExtraHostError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let pair = text.split_once(':').filter(|(name, _)| !name.is_empty());
        let (name, address) = pair.ok_or_else(|| ParseExtraHostError::Format(text.to_owned()))?;
        // It becomes a word of a line.
        if name.contains(char::is_whitespace) {
            return Err(ParseExtraHostError::Format(text.to_owned()));
        }
        let address = match address {
            GATEWAY => HostAddress::Gateway,
            ip => HostAddress::Ip(ip.parse().map_err(|_| ParseExtraHostError::Address(ip.to_owned()))?),
        };
        Ok(Self { name: name.to_owned(), address })
    }
}

impl fmt::Display for ExtraHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            HostAddress::Gateway => write!(f, "{}:{GATEWAY}", self.name),
            HostAddress::Ip(ip) => write!(f, "{}:{ip}", self.name),
        }
    }
}

impl TryFrom<String> for ExtraHost {
    type Error = ParseExtraHostError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ExtraHost> for String {
    fn from(host: ExtraHost) -> Self {
        host.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_of_hosts() {
        for good in ["a:1.2.3.4", "a.b:host-gateway", "v6:fd00::1"] {
            assert_eq!(good.parse::<ExtraHost>().unwrap().to_string(), good);
        }
        for (bad, want) in [
            ("a", "bad format for add-host: \"a\""),
            (":1.2.3.4", "bad format for add-host: \":1.2.3.4\""),
            ("a b:1.2.3.4", "bad format for add-host: \"a b:1.2.3.4\""),
            ("a:b", "invalid IP address in add-host: \"b\""),
            ("a:", "invalid IP address in add-host: \"\""),
        ] {
            assert_eq!(bad.parse::<ExtraHost>().unwrap_err().to_string(), want);
        }
    }

    #[test]
    fn what_is_not_said_is_as_elsewhere() {
        let own = Dns { search: vec!["a".into()], ..Dns::default() };
        let other = Dns { search: vec!["b".into()], options: vec!["c".into()], ..Dns::default() };
        let both = own.or(&other);
        assert_eq!((both.search, both.options), (vec!["a".to_owned()], vec!["c".to_owned()]));
    }

    proptest! {
        #[test]
        fn any_text_is_a_line_or_refused(text in "[a-z0-9:. \n]{0,12}") {
            if let Ok(host) = text.parse::<ExtraHost>() {
                prop_assert_eq!(host.to_string().parse(), Ok(host.clone()));
                prop_assert!(!host.name.contains(char::is_whitespace));
            }
        }
    }
}
