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
