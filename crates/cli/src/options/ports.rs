//! `-p`: `[[address:][host port]:]container port[/protocol]`, each port a number or a range.

use std::net::IpAddr;

/// One port of the container, and where it is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    /// `80/tcp`.
    pub container: String,
    /// An address of the host; empty: all.
    pub address: String,
    /// A port of the host, or a range to choose from; empty: any.
    pub host: String,
}

/// A `-p` makes no sense. The texts are Docker's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PortError {
    #[error("no port specified: {0}<empty>")]
    NoPort(String),
    #[error("invalid containerPort: {0}")]
    Container(String),
    #[error("invalid hostPort: {0}")]
    Host(String),
    #[error("invalid proto: {0}")]
    Protocol(String),
    #[error("invalid IP address: {0}")]
    Address(String),
    #[error("invalid ranges specified for container and host Ports: {container} and {host}")]
    Ranges { container: String, host: String },
}

/// Reads one `-p`. A range of container ports gives as many mappings.
pub(crate) fn mappings(text: &str) -> Result<Vec<Mapping>, PortError> {
    let (address, host, container) = split(text);
    let (container, protocol) = container.split_once('/').unwrap_or((container, "tcp"));
    if container.is_empty() {
        return Err(PortError::NoPort(text.to_owned()));
    }
    let (first, last) = range(container).ok_or_else(|| PortError::Container(container.to_owned()))?;
    let protocol = protocol.to_ascii_lowercase();
    let host_range = match host {
        "" => None,
        _ => Some(range(host).ok_or_else(|| PortError::Host(host.to_owned()))?),
    };
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(PortError::Protocol(protocol));
    }
    let address = plain_address(address)?;
    let host_of = |offset: u16| match host_range {
        None => Ok(String::new()),
        Some((from, to)) if to - from == last - first => Ok((from + offset).to_string()),
        Some((from, to)) if first == last => Ok(format!("{from}-{to}")),
        Some(_) => Err(PortError::Ranges { container: container.to_owned(), host: host.to_owned() }),
    };
    let one = |port: u16| {
        let container = format!("{port}/{protocol}");
        Ok(Mapping { container, address: address.clone(), host: host_of(port - first)? })
    };
    (first..=last).map(one).collect()
}

/// Address, host port and container port, split at the last two colons: an IPv6 address has colons of its own.
fn split(text: &str) -> (&str, &str, &str) {
    match text.rsplit_once(':') {
        None => ("", "", text),
        Some((rest, container)) => match rest.rsplit_once(':') {
            None => ("", rest, container),
            Some((address, host)) => (address, host, container),
        },
    }
}

/// `8000` or `8000-8010`.
fn range(text: &str) -> Option<(u16, u16)> {
    let port = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (port(first)?, port(last)?),
        None => (port(text)?, port(text)?),
    };
    (first <= last).then_some((first, last))
}

fn plain_address(text: &str) -> Result<String, PortError> {
    let plain = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    match plain.parse::<IpAddr>() {
        Err(_) if !plain.is_empty() => Err(PortError::Address(plain.to_owned())),
        _ => Ok(plain.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Mappings as `address|host|container`.
    fn check(text: &str, want: Result<&[&str], &str>) {
        let got = mappings(text).map_err(|e| e.to_string());
        let got = got.map(|all| {
            all.into_iter().map(|m| format!("{}|{}|{}", m.address, m.host, m.container)).collect::<Vec<_>>()
        });
        let want = want.map(|all| all.iter().map(|m| (*m).to_owned()).collect::<Vec<_>>());
        assert_eq!(got, want.map_err(str::to_owned), "{text}");
    }

    #[test]
    fn forms() {
        check("80", Ok(&["||80/tcp"]));
        check("8080:80", Ok(&["|8080|80/tcp"]));
        check("8080:80/udp", Ok(&["|8080|80/udp"]));
        check("127.0.0.1:8080:80", Ok(&["127.0.0.1|8080|80/tcp"]));
        check("127.0.0.1::80", Ok(&["127.0.0.1||80/tcp"]));
        check("[::1]:8080:80/TCP", Ok(&["::1|8080|80/tcp"]));
        check("::1:8080:80", Ok(&["::1|8080|80/tcp"]));
        check("8000-8001:80-81", Ok(&["|8000|80/tcp", "|8001|81/tcp"]));
        check("8000-8010:80", Ok(&["|8000-8010|80/tcp"]));
        check("80-81", Ok(&["||80/tcp", "||81/tcp"]));
        check(
            "8000-8002:80-81",
            Err("invalid ranges specified for container and host Ports: 80-81 and 8000-8002"),
        );
        check("99999:1", Err("invalid hostPort: 99999"));
        check("1:99999", Err("invalid containerPort: 99999"));
        check("1:x", Err("invalid containerPort: x"));
        check("1:2/foo", Err("invalid proto: foo"));
        check("1:", Err("no port specified: 1:<empty>"));
        check("localhost:1:2", Err("invalid IP address: localhost"));
        check("2-1", Err("invalid containerPort: 2-1"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[0-9a-z:/\\[\\].-]{0,24}") {
            if let Ok(all) = mappings(&text) {
                prop_assert!(!all.is_empty());
            }
        }
    }
}
