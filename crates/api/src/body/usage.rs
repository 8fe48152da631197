//! How much room everything takes, and what a prune of builds frees.

use super::{ContainerSummary, ImageSummary, Volume};
use serde::{Deserialize, Serialize};

/// `GET /system/df`. What was not asked for is `null`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DiskUsage {
    /// Bytes of all images' layers, each counted once.
    pub layers_size: i64,
    /// The images, with what they share.
    pub images: Option<Vec<ImageSummary>>,
    /// The containers, with their sizes.
    pub containers: Option<Vec<ContainerSummary>>,
    /// The volumes, with their sizes.
    pub volumes: Option<Vec<Volume>>,
    /// What builds have kept.
    pub build_cache: Option<Vec<BuildCache>>,
}

/// Something that a build has kept for the next one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "as in Docker's Engine API 1.51, BuildCache")]
pub struct BuildCache {
    #[serde(rename = "ID")]
    pub id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<String>,
    pub r#type: String,
    pub description: String,
    pub in_use: bool,
    pub shared: bool,
    /// In bytes.
    pub size: i64,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub last_used_at: Option<String>,
    pub usage_count: i64,
}

/// The answer to `POST /build/prune`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct BuildPruned {
    /// Their ids; `null` if there were none.
    pub caches_deleted: Option<Vec<String>>,
    /// Bytes.
    pub space_reclaimed: u64,
}
