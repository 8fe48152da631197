//! What is mounted in a container besides its root file system.
//!
//! A user asks for it in five ways ([`request`]): `-v`, `--mount`, `--tmpfs`, `--volumes-from`, and through the image's
//! volumes. At creation that becomes one list of [`MountPoint`]s, which is kept in the record ([`resolve`], [`make`]); at
//! each start it is seen to that they can be mounted ([`prepare`]); with the container they are given back ([`release`]).

mod check;
mod make;
mod prepare;
mod release;
mod request;
mod resolve;
mod shared;
#[cfg(test)]
mod tests;

pub use request::{
    Bind, BindOptions, DriverOptions, Mount, MountKind, TmpfsOptions, VolumeOptions, VolumesFrom,
};

pub(super) use make::make;
pub(super) use prepare::{prepare, still_mounted, unmount};
pub(super) use release::{disown, release};
pub(super) use resolve::{Planned, plan};

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A mount of a container, as its creation made it of what the user asked for. Part of its record: format break.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountPoint {
    /// Where in the container: an absolute path without `.`, `..` and a slash at its end.
    pub destination: String,
    /// The options behind `-v`'s second colon, as Docker shows them.
    pub mode: String,
    /// How much of it cannot be written to.
    pub read_only: ReadOnly,
    /// What is mounted.
    pub source: MountSource,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum MountSource {
    /// A folder or file of the host.
    Bind {
        /// Its absolute path.
        path: String,
        /// Whether mounts below it come with it.
        recursive: bool,
        /// What becomes of mounts that are made later.
        propagation: Propagation,
        /// Make a folder of it where nothing is.
        create: bool,
    },
    /// A volume.
    Volume {
        /// Its name.
        name: String,
        /// Whether the container's removal may take it away.
        anonymous: bool,
        /// The folder in it; empty is all of it.
        subpath: String,
    },
    /// A file system in memory.
    Tmpfs(TmpfsOptions),
}

/// How much of a mount cannot be written to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadOnly {
    /// Nothing.
    #[default]
    No,
    /// What is mounted there, but not the mounts below it.
    Top,
    /// All of it.
    Tree,
}

/// What becomes of mounts that are made below a bind mount later (mount_namespaces(7)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Propagation {
    /// They stay on their side.
    Private,
    /// As `Private`, for the mounts below it too.
    #[default]
    RPrivate,
    /// The host's are seen in the container.
    Slave,
    /// As `Slave`, for the mounts below it too.
    RSlave,
    /// Each side sees the other's.
    Shared,
    /// As `Shared`, for the mounts below it too.
    RShared,
}

const PROPAGATIONS: [(&str, Propagation); 6] = [
    ("private", Propagation::Private),
    ("rprivate", Propagation::RPrivate),
    ("slave", Propagation::Slave),
    ("rslave", Propagation::RSlave),
    ("shared", Propagation::Shared),
    ("rshared", Propagation::RShared),
];

/// A word names no propagation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid propagation mode: {0}")]
pub struct ParsePropagationError(String);

impl FromStr for Propagation {
    type Err = ParsePropagationError;

    fn from_str(text: &str) -> Result<Self, ParsePropagationError> {
        let found = PROPAGATIONS.iter().find(|(name, _)| *name == text);
        found.map(|(_, kind)| *kind).ok_or_else(|| ParsePropagationError(text.to_owned()))
    }
}

impl fmt::Display for Propagation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PROPAGATIONS.iter().find(|(_, kind)| kind == self).map_or("", |(name, _)| name))
    }
}

impl MountPoint {
    /// The volume that is mounted.
    pub fn volume(&self) -> Option<&str> {
        match &self.source {
            MountSource::Volume { name, .. } => Some(name),
            _ => None,
        }
    }
}

/// A path without `.`, `..`, and slashes that mean nothing, by its text alone.
pub(super) fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    format!("/{}", parts.join("/"))
}
