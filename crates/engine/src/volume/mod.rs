//! Volumes: folders that outlive the containers that use them.
//!
//! A volume's record says what it is; which containers use it follows from theirs. Whoever makes, fills or removes a
//! volume holds its name meanwhile ([`hold`]).

mod create;
mod driver;
mod error;
mod hold;
mod inspect;
mod list;
mod populate;
mod prune;
mod recover;
mod remove;
mod table;
mod usage;

pub use create::{CreateRequest, create};
pub use error::VolumeError;
pub use inspect::inspect;
pub use list::list;
pub use prune::{Pruned, prune};
pub use remove::remove;
pub use usage::{Usage, usage};

pub(crate) use create::{Maker, create_now, is_new};
pub(crate) use driver::{mount, unmount};
pub(crate) use error::lower;
pub(crate) use populate::{Image, populate};
pub(crate) use recover::{Orphans, recover, unmount_unused};
pub(crate) use remove::discard;
pub(crate) use table::Volumes;

use sampan_spec::{ContainerId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// The only driver.
pub const DRIVER: &str = "local";
/// The label of a volume that nobody gave a name.
pub const ANONYMOUS: &str = "com.docker.volume.anonymous";
/// A volume's record. Format break.
const RECORD: &str = "volume.json";

/// Names and values.
pub type Map = BTreeMap<String, String>;

/// A volume's record, in `volumes/<name>/volume.json`. Format break.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: Timestamp,
    /// For people and programs; `None` if the maker said nothing about labels.
    pub labels: Option<Map>,
    /// What is mounted on its folder, as the maker said it: `type`, `device`, `o`.
    pub options: Option<Map>,
    /// The container that it was made for and is to be removed with, if that container's making or removal is cut short.
    pub owner: Option<ContainerId>,
}

/// A volume at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its record.
    pub volume: Arc<Volume>,
    /// The folder of its content.
    pub mountpoint: PathBuf,
    /// The containers that use it.
    pub users: Vec<ContainerId>,
}

impl Volume {
    /// Whether nobody gave it a name.
    pub fn is_anonymous(&self) -> bool {
        self.labels.as_ref().is_some_and(|labels| labels.contains_key(ANONYMOUS))
    }

    /// Whether it is more than a folder: something is mounted on that while a container runs.
    pub fn is_mount(&self) -> bool {
        self.options.as_ref().is_some_and(|options| !options.is_empty())
    }
}
