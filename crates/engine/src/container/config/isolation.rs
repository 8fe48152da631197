//! Which parts of the host, or of another container, a container shares.

use sampan_spec::ContainerId;
use serde::{Deserialize, Serialize};

/// Whose process ids a container sees.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PidMode {
    /// Its own.
    #[default]
    Private,
    /// The host's.
    Host,
    /// Another container's.
    Container(Peer),
}

/// Whose shared memory, semaphores and message queues a container uses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IpcMode {
    /// Its own.
    #[default]
    Private,
    /// Its own, and others may join.
    Shareable,
    /// Its own, without `/dev/shm`.
    None,
    /// The host's.
    Host,
    /// Another container's.
    Container(Peer),
}

/// The other container of a mode: as the user named it, until a container that exists was found by that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Peer {
    /// A name or the beginning of an id.
    Named(String),
    /// The container.
    Is(ContainerId),
}

/// A device of the host in a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// A node or a folder of nodes on the host.
    pub host: String,
    /// Its place in the container.
    pub container: String,
    /// Letters of `rwm`.
    pub access: String,
}

impl Peer {
    /// The text behind `container:`.
    pub fn text(&self) -> &str {
        match self {
            Self::Named(name) => name,
            Self::Is(id) => id.as_str(),
        }
    }
}
