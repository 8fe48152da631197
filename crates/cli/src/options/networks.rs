//! `--network`: a name, or `name=...,mac-address=...` and further wishes.

use crate::options::mounts::{MountError, fields};
use std::collections::BTreeMap;

/// A network to join, and what is wished for there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attachment {
    /// Name or id.
    pub network: String,
    pub aliases: Vec<String>,
    /// Links, which `--link` adds.
    pub links: Vec<String>,
    pub ipv4: String,
    pub ipv6: String,
    pub link_local: Vec<String>,
    pub mac: String,
    pub driver_options: BTreeMap<String, String>,
    pub gateway_priority: i64,
}

/// A `--network` makes no sense. The texts are Docker's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NetworkError {
    #[error(transparent)]
    Csv(#[from] MountError),
    #[error("invalid field {0}")]
    Field(String),
    #[error("invalid field key {0}")]
    Key(String),
    #[error("network name/id is not specified")]
    NoName,
    #[error("invalid key value pair format in driver options")]
    DriverOption,
    #[error("invalid gw-priority ({0}): expecting an integer")]
    Priority(String),
}

/// Reads one `--network`.
pub(crate) fn attachment(text: &str) -> Result<Attachment, NetworkError> {
    let mut attachment = Attachment::default();
    if !text.contains('=') {
        text.clone_into(&mut attachment.network);
        return Ok(attachment);
    }
    for field in fields(text)? {
        take(&mut attachment, &field)?;
    }
    if attachment.network.is_empty() { Err(NetworkError::NoName) } else { Ok(attachment) }
}

fn take(attachment: &mut Attachment, field: &str) -> Result<(), NetworkError> {
    let (key, value) = field.split_once('=').ok_or_else(|| NetworkError::Field(field.to_owned()))?;
    let (key, value) = (key.trim().to_lowercase(), value.trim());
    match key.as_str() {
        "name" => value.clone_into(&mut attachment.network),
        "alias" => attachment.aliases.push(value.to_owned()),
        "ip" => value.clone_into(&mut attachment.ipv4),
        "ip6" => value.clone_into(&mut attachment.ipv6),
        "mac-address" => value.clone_into(&mut attachment.mac),
        "link-local-ip" => attachment.link_local.push(value.to_owned()),
        "driver-opt" => {
            let (key, value) = value.split_once('=').ok_or(NetworkError::DriverOption)?;
            attachment.driver_options.insert(key.trim().to_lowercase(), value.trim().to_owned());
        }
        "gw-priority" => {
            attachment.gateway_priority =
                value.parse().map_err(|_| NetworkError::Priority(value.to_owned()))?;
        }
        _ => return Err(NetworkError::Key(key)),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_and_wishes() {
        assert_eq!(attachment("host").unwrap().network, "host");
        let text = "name=bridge,alias=a,Alias=b,ip=1.2.3.4,mac-address=02:00:00:00:00:01,gw-priority=-3,driver-opt=k=v";
        let got = attachment(text).unwrap();
        assert_eq!((got.network.as_str(), got.ipv4.as_str()), ("bridge", "1.2.3.4"));
        assert_eq!((got.aliases.len(), got.gateway_priority, got.driver_options["k"].as_str()), (2, -3, "v"));
        for (bad, want) in [
            ("name=a,b", "invalid field b"),
            ("name=a,x=y", "invalid field key x"),
            ("alias=a", "network name/id is not specified"),
            ("name=a,driver-opt=x", "invalid key value pair format in driver options"),
            ("name=a,gw-priority=x", "invalid gw-priority (x): expecting an integer"),
        ] {
            assert_eq!(attachment(bad).unwrap_err().to_string(), want);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(name=|alias=|[a-z=,\"]){0,8}") {
            if let Ok(got) = attachment(&text) {
                prop_assert!(got.network.is_empty() == text.is_empty());
            }
        }
    }
}
