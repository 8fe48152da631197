//! What happened.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A line of `GET /events`. The first three fields are those of old clients, and are there for containers and images.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "as in Docker's Engine API 1.51, EventMessage")]
pub struct Event {
    #[serde(rename = "status", skip_serializing_if = "String::is_empty")]
    pub status: String,
    #[serde(rename = "id", skip_serializing_if = "String::is_empty")]
    pub id: String,
    #[serde(rename = "from", skip_serializing_if = "String::is_empty")]
    pub from: String,
    /// `container`, `image`, ...
    pub r#type: String,
    /// `create`, `start`, ...
    pub action: String,
    pub actor: Actor,
    /// `local`.
    #[serde(rename = "scope")]
    pub scope: String,
    /// In seconds since 1970.
    #[serde(rename = "time")]
    pub time: i64,
    /// In nanoseconds since 1970.
    #[serde(rename = "timeNano")]
    pub time_nano: i64,
}

/// To whom it happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Actor {
    /// An id or a name.
    #[serde(rename = "ID")]
    pub id: String,
    /// More about it.
    #[serde(rename = "Attributes")]
    pub attributes: BTreeMap<String, String>,
}
