//! `--add-host name:address`, `--dns address` and `--link container:alias`.

use std::net::IpAddr;

/// A name or an address is none. The texts are Docker's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HostError {
    #[error("bad format for add-host: {0:?}")]
    Format(String),
    #[error("invalid IP address in add-host: {0:?}")]
    Address(String),
    #[error("bad format for links: {0}")]
    Link(String),
    #[error("IP address is not correctly formatted: {0}")]
    Server(String),
}

/// What stands for the host's own address.
const GATEWAY: &str = "host-gateway";

/// Reads `name:address` or `name=address`; an address may stand in brackets. Gives the first form without.
pub(crate) fn extra_host(text: &str) -> Result<String, HostError> {
    let pair = text.split_once('=').or_else(|| text.split_once(':')).filter(|(name, _)| !name.is_empty());
    let (name, address) = pair.ok_or_else(|| HostError::Format(text.to_owned()))?;
    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
    if bare != GATEWAY && bare.parse::<IpAddr>().is_err() {
        return Err(HostError::Address(bare.to_owned()));
    }
    Ok(format!("{name}:{bare}"))
}

/// Reads the address of a server.
pub(crate) fn server(text: &str) -> Result<String, HostError> {
    let address = text.trim().parse::<IpAddr>();
    address.map(|ip| ip.to_string()).map_err(|_| HostError::Server(text.to_owned()))
}

/// Checks a link; the engine reads it.
pub(crate) fn link(text: &str) -> Result<String, HostError> {
    let fits = text.split(':').count() <= 2;
    if fits { Ok(text.to_owned()) } else { Err(HostError::Link(text.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_and_addresses() {
        for (text, want) in [
            ("a:1.2.3.4", Ok("a:1.2.3.4")),
            ("a=1.2.3.4", Ok("a:1.2.3.4")),
            ("v6:fd00::1", Ok("v6:fd00::1")),
            ("v6=[fd00::1]", Ok("v6:fd00::1")),
            ("gw:host-gateway", Ok("gw:host-gateway")),
            ("x", Err("bad format for add-host: \"x\"")),
            (":1.2.3.4", Err("bad format for add-host: \":1.2.3.4\"")),
            ("x:zz", Err("invalid IP address in add-host: \"zz\"")),
        ] {
            let got = extra_host(text).map_err(|e| e.to_string());
            assert_eq!(got, want.map(str::to_owned).map_err(str::to_owned), "{text}");
        }
        let refused = server("1.2.3").unwrap_err().to_string();
        assert_eq!(refused, "IP address is not correctly formatted: 1.2.3");
        assert_eq!(link("a:b:c").unwrap_err().to_string(), "bad format for links: a:b:c");
        assert_eq!(server(" 1.2.3.4").unwrap(), "1.2.3.4");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[a=:\\[\\]0-9.]{0,12}") {
            // A name with a colon in it is the daemon's to refuse, as with Docker.
            prop_assume!(text.split_once('=').is_none_or(|(name, _)| !name.contains(':')));
            if let Ok(host) = extra_host(&text) {
                prop_assert_eq!(extra_host(&host), Ok(host.clone()));
            }
        }
    }
}
