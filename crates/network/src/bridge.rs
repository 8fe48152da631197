//! The bridge that containers are connected to: made when missing, with the gateway's address.

use crate::{Error, Ipv4Net};

/// The bridge that should be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeConfig {
    /// Its name, at most 15 bytes.
    pub name: String,
    /// The gateway's address with the subnet's prefix length; `None` for the one that the bridge already has, or else
    /// the first of Docker's default networks that overlaps nothing on this host.
    pub gateway: Option<Ipv4Net>,
}

/// A bridge that is there and up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bridge {
    /// Its name.
    pub name: String,
    /// Its interface index.
    pub index: u32,
    /// The gateway's address with the subnet's prefix length.
    pub gateway: Ipv4Net,
}

/// Makes the bridge, or brings the one that is there into shape.
pub fn ensure_bridge(config: &BridgeConfig) -> Result<Bridge, Error> {
    Err(Error::NoBridge { name: config.name.clone() })
}

/// Removes the bridge. One that is not there is no error.
pub fn remove_bridge(name: &str) -> Result<(), Error> {
    Err(Error::NoBridge { name: name.to_owned() })
}
