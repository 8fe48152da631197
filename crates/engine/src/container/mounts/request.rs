//! Mounts as users ask for them, kept in the record so that they can be shown as they were given.

use crate::volume::Map;
use serde::{Deserialize, Serialize};

/// `-v`: `source:destination:options`, not yet looked at. Format break.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bind {
    /// A path on the host, or a volume's name; empty: a volume without a name.
    pub source: String,
    /// A path in the container.
    pub destination: String,
    /// `ro`, `rshared`, `nocopy`, ...
    pub options: Vec<String>,
}

/// `--mount`. Format break.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// What to mount.
    pub kind: MountKind,
    /// A path on the host, or a volume's name.
    pub source: String,
    /// A path in the container.
    pub target: String,
    /// Nothing can be written.
    pub read_only: bool,
    /// Shown, and of no consequence on Linux.
    pub consistency: String,
    /// For `bind`.
    pub bind: Option<BindOptions>,
    /// For `volume`.
    pub volume: Option<VolumeOptions>,
    /// For `tmpfs`.
    pub tmpfs: Option<TmpfsOptions>,
}

/// What `--mount` mounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MountKind {
    /// A folder or file of the host.
    Bind,
    /// A volume.
    #[default]
    Volume,
    /// A file system in memory.
    Tmpfs,
}

impl MountKind {
    /// Docker's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bind => "bind",
            Self::Volume => "volume",
            Self::Tmpfs => "tmpfs",
        }
    }
}

/// Options of a bind mount.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindOptions {
    /// Empty is `rprivate`.
    pub propagation: String,
    /// Without the mounts below it.
    pub non_recursive: bool,
    /// Make a folder of the source where nothing is.
    pub create_mountpoint: bool,
    /// Mounts below it stay writable.
    pub read_only_non_recursive: bool,
    /// Mounts below it must become read-only, which they do in any case here.
    pub read_only_force_recursive: bool,
}

/// Options of a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeOptions {
    /// Do not fill it from the image.
    pub no_copy: bool,
    /// Labels of a volume that is made.
    pub labels: Option<Map>,
    /// The folder in it; empty is all of it.
    pub subpath: String,
    /// The driver of a volume that is made.
    pub driver: Option<DriverOptions>,
}

/// A volume driver and its options.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriverOptions {
    /// Its name; empty is `local`.
    pub name: String,
    /// Its options.
    pub options: Option<Map>,
}

/// Options of a file system in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TmpfsOptions {
    /// Bytes; 0 is no limit but the kernel's.
    pub size: i64,
    /// Permissions of its root; 0 are the kernel's.
    pub mode: u32,
    /// `exec` or `noexec`, each as a list with one word.
    pub options: Option<Vec<Vec<String>>>,
}

/// `--volumes-from`. Format break.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumesFrom {
    /// The container, by name or id.
    pub container: String,
    /// `ro`, `rw`, `z`, or nothing.
    pub mode: String,
}

impl std::fmt::Display for Bind {
    /// As `-v` takes it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.source.is_empty() {
            write!(f, "{}:", self.source)?;
        }
        f.write_str(&self.destination)?;
        if self.options.is_empty() { Ok(()) } else { write!(f, ":{}", self.options.join(",")) }
    }
}

impl std::fmt::Display for VolumesFrom {
    /// As `--volumes-from` takes it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let colon = if self.mode.is_empty() { "" } else { ":" };
        write!(f, "{}{colon}{}", self.container, self.mode)
    }
}
