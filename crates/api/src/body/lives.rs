//! What is asked and answered about a container during its life.

use serde::{Deserialize, Serialize};

/// `GET /containers/{name}/top`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Processes {
    /// A cell for each title.
    pub processes: Vec<Vec<String>>,
    /// The columns' headings.
    pub titles: Vec<String>,
}

/// A line of `GET /containers/{name}/changes`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Change {
    /// Its path in the container.
    pub path: String,
    /// 0: modified, 1: added, 2: deleted.
    pub kind: u8,
}

/// The answer to `POST /containers/prune`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainersPruned {
    /// Their ids; `null` if there were none.
    pub containers_deleted: Option<Vec<String>>,
    /// The bytes that are free again.
    pub space_reclaimed: u64,
}

/// The answer to `POST /containers/{name}/update`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Updated {
    /// What the user should know; `null` if nothing.
    pub warnings: Option<Vec<String>>,
}
