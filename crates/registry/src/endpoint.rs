//! Where a repository may be had: which addresses, in which order, and how much each is trusted.

use http::Uri;
use std::net::IpAddr;
use std::str::FromStr;

/// What the daemon's owner says about registries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Registries that need neither a valid certificate nor TLS. Loopback addresses are always such.
    pub insecure: Vec<Insecure>,
    /// Mirrors of Docker's own registry, asked before it.
    pub mirrors: Vec<Mirror>,
}

/// A registry, or all registries of a network, that need not prove who they are (`--insecure-registry`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Insecure {
    /// `host` or `host:port`.
    Host(String),
    /// `10.0.0.0/8`. It fits registries that are named by their address.
    Network {
        /// Its address.
        address: IpAddr,
        /// How many bits of it count.
        prefix: u8,
    },
}

/// An insecure registry that cannot be meant. The text is Docker's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("insecure registry {0} should not contain '://'")]
pub struct ParseInsecureError(String);

/// The address of a mirror (`--registry-mirror`): `https://host`, with nothing behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    tls: bool,
    host: String,
}

/// An address that no mirror has. The texts are Docker's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseMirrorError {
    /// It is no address.
    #[error("invalid mirror: {0:?} is not a valid URI")]
    Uri(String),
    /// It is not for HTTP.
    #[error("invalid mirror: no scheme specified for {0:?}: must use either 'https://' or 'http://'")]
    Scheme(String),
    /// There is more than a host.
    #[error("invalid mirror: path, query, or fragment at end of the URI {0:?}")]
    Path(String),
}

/// One address of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// `https://host:port`, without a slash behind it.
    pub(crate) base: String,
    /// Whether any certificate will do.
    pub(crate) careless: bool,
    /// Whether it stands in for the registry: then it gets no credentials, and if it fails the registry is asked.
    pub(crate) mirror: bool,
}

const DOCKER: &str = "docker.io";
const DOCKERS_REGISTRY: &str = "registry-1.docker.io";

/// The addresses of the registry `domain`, in the order in which they are to be asked.
pub(crate) fn endpoints(config: &Config, domain: &str) -> Vec<Endpoint> {
    let mut all = Vec::new();
    if domain == DOCKER {
        all.extend(config.mirrors.iter().map(|mirror| of_mirror(config, mirror)));
    }
    let host = if domain == DOCKER { DOCKERS_REGISTRY } else { domain };
    let careless = is_insecure(config, host);
    all.push(Endpoint { base: format!("https://{host}"), careless, mirror: false });
    if careless {
        all.push(Endpoint { base: format!("http://{host}"), careless, mirror: false });
    }
    all
}

fn of_mirror(config: &Config, mirror: &Mirror) -> Endpoint {
    let scheme = if mirror.tls { "https" } else { "http" };
    let base = format!("{scheme}://{}", mirror.host);
    Endpoint { base, careless: is_insecure(config, &mirror.host), mirror: true }
}

/// Whether a registry need not prove who it is.
pub(crate) fn is_insecure(config: &Config, host: &str) -> bool {
    let bare = without_port(host);
    let address = bare.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    let named = |insecure: &Insecure| match insecure {
        Insecure::Host(name) => name == host || name == bare,
        Insecure::Network { address: network, prefix } => {
            address.is_some_and(|address| is_within(address, *network, *prefix))
        }
    };
    bare == "localhost"
        || address.is_some_and(|address| address.is_loopback())
        || config.insecure.iter().any(named)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((bare, port)) if !port.contains(']') => bare,
        _ => host,
    }
}

fn is_within(address: IpAddr, network: IpAddr, prefix: u8) -> bool {
    let shift = |bits: u32| bits.saturating_sub(prefix.into());
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(n)) => {
            (a.to_bits() ^ n.to_bits()).checked_shr(shift(32)).unwrap_or(0) == 0
        }
        (IpAddr::V6(a), IpAddr::V6(n)) => {
            (a.to_bits() ^ n.to_bits()).checked_shr(shift(128)).unwrap_or(0) == 0
        }
        _ => false,
    }
}

impl FromStr for Insecure {
    type Err = ParseInsecureError;

    fn from_str(text: &str) -> Result<Self, ParseInsecureError> {
        if text.contains("://") {
            return Err(ParseInsecureError(text.to_owned()));
        }
        let network = text.split_once('/').and_then(|(address, prefix)| {
            let (address, prefix) = (address.parse::<IpAddr>().ok()?, prefix.parse::<u8>().ok()?);
            let bits = if address.is_ipv4() { 32 } else { 128 };
            (prefix <= bits).then_some(Self::Network { address, prefix })
        });
        Ok(network.unwrap_or_else(|| Self::Host(text.to_owned())))
    }
}

impl FromStr for Mirror {
    type Err = ParseMirrorError;

    fn from_str(text: &str) -> Result<Self, ParseMirrorError> {
        let typed = || text.to_owned();
        let uri: Uri = text.parse().map_err(|_| ParseMirrorError::Uri(typed()))?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(ParseMirrorError::Scheme(typed())),
        };
        let host = uri.authority().ok_or_else(|| ParseMirrorError::Uri(typed()))?.to_string();
        if !matches!(uri.path_and_query().map_or("", |path| path.as_str()), "" | "/") || text.contains('#') {
            return Err(ParseMirrorError::Path(typed()));
        }
        Ok(Self { tls, host })
    }
}

impl std::fmt::Display for Insecure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Host(host) => f.write_str(host),
            Self::Network { address, prefix } => write!(f, "{address}/{prefix}"),
        }
    }
}

impl std::fmt::Display for Mirror {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}/", if self.tls { "https" } else { "http" }, self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(domain: &str, want: &[&str]) {
        let config = Config {
            insecure: ["10.0.0.0/8", "plain.example:5000", "lab"].map(|text| text.parse().unwrap()).into(),
            mirrors: ["https://one.example", "http://two.example:80/"]
                .map(|text| text.parse().unwrap())
                .into(),
        };
        let shown = |e: &Endpoint| {
            format!(
                "{}{}{}",
                e.base,
                if e.careless { " careless" } else { "" },
                if e.mirror { " mirror" } else { "" }
            )
        };
        assert_eq!(endpoints(&config, domain).iter().map(shown).collect::<Vec<_>>(), want, "{domain}");
    }

    #[test]
    fn a_registry_has_one_address_or_several() {
        check(
            "docker.io",
            &["https://one.example mirror", "http://two.example:80 mirror", "https://registry-1.docker.io"],
        );
        check("quay.example", &["https://quay.example"]);
        check("lab:1", &["https://lab:1 careless", "http://lab:1 careless"]);
        check("plain.example", &["https://plain.example"]);
        check(
            "plain.example:5000",
            &["https://plain.example:5000 careless", "http://plain.example:5000 careless"],
        );
        for host in ["localhost", "127.0.0.1:5000", "[::1]:5000", "127.9.9.9", "10.200.0.1:443"] {
            check(host, &[&format!("https://{host} careless"), &format!("http://{host} careless")]);
        }
        check("11.0.0.1", &["https://11.0.0.1"]);
    }

    #[test]
    fn what_owners_say_is_checked() {
        for (text, want) in [
            (
                "ftp://x",
                r#"invalid mirror: no scheme specified for "ftp://x": must use either 'https://' or 'http://'"#,
            ),
            ("x", r#"invalid mirror: no scheme specified for "x": must use either 'https://' or 'http://'"#),
            ("https://x/y", r#"invalid mirror: path, query, or fragment at end of the URI "https://x/y""#),
            ("https://x y", r#"invalid mirror: "https://x y" is not a valid URI"#),
        ] {
            assert_eq!(text.parse::<Mirror>().unwrap_err().to_string(), want);
        }
        let error = "http://x".parse::<Insecure>().unwrap_err();
        assert_eq!(error.to_string(), "insecure registry http://x should not contain '://'");
        assert_eq!("10.0.0.0/40".parse(), Ok(Insecure::Host("10.0.0.0/40".into())));
    }
}
