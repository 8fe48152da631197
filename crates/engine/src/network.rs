//! The networks that are always there: the engine's bridge, the host's own, and none.

use crate::container::{self, NetworkMode, Snapshot};
use crate::engine::Engine;
use crate::{Error, Result};
use sampan_image::sha256;
use sampan_network::Ipv4Net;
use sampan_spec::Timestamp;

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The engine's bridge.
    Bridge,
    /// The host's own.
    Host,
    /// None.
    None,
}

/// All of them, in the order in which Docker lists them.
const ALL: [Which; 3] = [Which::None, Which::Host, Which::Bridge];

/// A network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Which one it is.
    pub which: Which,
    /// Since when the engine has it.
    pub created: Timestamp,
    /// Of the bridge: the link, and its address with the subnet's prefix length.
    pub bridge: Option<(String, Ipv4Net)>,
}

impl Which {
    /// The one that a container joins by itself.
    pub fn of(mode: &NetworkMode) -> Option<Self> {
        match mode {
            NetworkMode::Bridge => Some(Self::Bridge),
            NetworkMode::Host => Some(Self::Host),
            NetworkMode::None => Some(Self::None),
            NetworkMode::Container(_) | NetworkMode::Named(_) => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Host => "host",
            Self::None => "none",
        }
    }

    /// Docker's name for its driver.
    pub fn driver(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Host => "host",
            Self::None => "null",
        }
    }

    /// Its id, 64 hexadecimal digits: always the same for an engine on its host.
    pub fn id(self, engine: &Engine) -> String {
        let (name, bridge) = (self.name(), &engine.options().bridge);
        let text = format!("network {name} of {bridge} on {}", engine.machine());
        sha256(text.as_bytes()).hex().to_owned()
    }
}

/// Those who are in a network now.
pub async fn members(engine: &Engine, network: &Network) -> Vec<Snapshot> {
    let all = container::list(engine).await;
    let is_in = |snapshot: &Snapshot| {
        snapshot.state.phase.is_active()
            && Which::of(&snapshot.container.config.host.network) == Some(network.which)
    };
    all.into_iter().filter(is_in).collect()
}

/// Refuses to remove a network: there are none but those that always are.
///
/// # Errors
/// Always: when there is no such network, and else because it cannot be removed.
pub fn remove(engine: &Engine, typed: &str) -> Result<()> {
    let network = find(engine, typed)?;
    Err(Error::BuiltInNetwork(network.which.name()))
}

/// All networks.
pub fn list(engine: &Engine) -> Vec<Network> {
    ALL.iter().map(|which| of(engine, *which)).collect()
}

/// The network that a user means by its name, its id, or the beginning of that.
///
/// # Errors
/// When there is none, or more than one.
pub fn find(engine: &Engine, typed: &str) -> Result<Network> {
    let all = list(engine);
    if let Some(exact) = all.iter().find(|network| network.which.name() == typed || network.id == typed) {
        return Ok(exact.clone());
    }
    let mut fits = all.into_iter().filter(|network| !typed.is_empty() && network.id.starts_with(typed));
    match (fits.next(), fits.next()) {
        (Some(network), None) => Ok(network),
        (Some(_), Some(_)) => Err(Error::AmbiguousNetwork(typed.to_owned())),
        (None, _) => Err(Error::NoSuchNetwork(typed.to_owned())),
    }
}

fn of(engine: &Engine, which: Which) -> Network {
    let bridge = (which == Which::Bridge).then(|| engine.network().link());
    Network { id: which.id(engine), which, created: engine.opened(), bridge }
}
