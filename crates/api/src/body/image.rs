//! Images, and the lines of progress that long requests send.

use super::{ContainerConfig, GraphDriver, Set, words};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A line of `GET /images/json`. -1 stands for a number that was not asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageSummary {
    /// `sha256:...`.
    pub id: String,
    /// The image it was built on, if that is known here.
    pub parent_id: String,
    /// `name:tag`. Without any, Docker writes an empty list here and `null` in `GET /system/df`.
    pub repo_tags: Option<Vec<String>>,
    /// `name@digest`. As with tags.
    pub repo_digests: Option<Vec<String>>,
    /// Seconds since 1970.
    pub created: i64,
    /// Bytes of all its layers.
    pub size: i64,
    /// The same for clients before 1.44.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_size: Option<i64>,
    /// Bytes that other images use too.
    pub shared_size: i64,
    /// For people and programs.
    pub labels: Option<BTreeMap<String, String>>,
    /// How many containers use it.
    pub containers: i64,
}

/// `GET /images/{name}/json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "as in Docker's Engine API 1.51, ImageInspect")]
pub struct ImageInspect {
    pub id: String,
    pub repo_tags: Vec<String>,
    pub repo_digests: Vec<String>,
    pub parent: String,
    pub comment: String,
    /// For clients before 1.45: of the container that the image was made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_config: Option<ContainerConfig>,
    /// RFC 3339.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub created: String,
    pub docker_version: String,
    pub author: String,
    pub config: ImageConfig,
    pub architecture: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub variant: String,
    pub os: String,
    pub size: i64,
    /// For clients before 1.44.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_size: Option<i64>,
    pub graph_driver: GraphDriver,
    #[serde(rename = "RootFS")]
    pub root_fs: ImageRootFs,
    pub metadata: ImageMetadata,
}

/// What an image says of containers made from it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "as in the OCI image specification, config.md")]
pub struct ImageConfig {
    #[serde(deserialize_with = "words")]
    pub cmd: Option<Vec<String>>,
    #[serde(deserialize_with = "words")]
    pub entrypoint: Option<Vec<String>>,
    pub env: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exposed_ports: Option<Set>,
    pub labels: Option<BTreeMap<String, String>>,
    pub on_build: Option<Vec<String>>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stop_signal: String,
    pub user: String,
    pub volumes: Option<Set>,
    pub working_dir: String,
}

/// An image's layers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageRootFs {
    /// `layers`.
    pub r#type: String,
    /// Digests of the layers' tars, lowest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<String>,
}

/// What this daemon knows of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageMetadata {
    /// RFC 3339.
    pub last_tag_time: String,
}

/// A line of the answer to `DELETE /images/{name}`: one of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageDeleted {
    /// A name that is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub untagged: Option<String>,
    /// An image that is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted: Option<String>,
}

/// A line of `GET /images/{name}/history`, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageHistory {
    /// The image's id after this step, or `<missing>`.
    pub id: String,
    /// Seconds since 1970.
    pub created: i64,
    /// What was done.
    pub created_by: String,
    /// The image's names, at the newest step.
    pub tags: Option<Vec<String>>,
    /// Bytes that it added.
    pub size: i64,
    /// What its maker says of it.
    pub comment: String,
}

/// `POST /images/prune`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImagePrune {
    /// What is gone.
    pub images_deleted: Option<Vec<ImageDeleted>>,
    /// The space that it took, in bytes.
    pub space_reclaimed: u64,
}

/// `POST /auth`: the registry believes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct LoginAnswer {
    /// To be shown instead of the password from now on; may be empty.
    pub identity_token: String,
    /// For the user.
    pub status: String,
}

/// Who asks a registry: the header `X-Registry-Auth`, as JSON in URL-safe base64.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", default)]
pub struct RegistryAuth {
    /// A user.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub username: String,
    /// Its password.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub password: String,
    /// `user:password` in base64, as clients' files have it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub auth: String,
    /// Which registry it is for.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub serveraddress: String,
    /// Instead of a password: what a token server gave at the login.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub identitytoken: String,
    /// Instead of all: a token for the registry.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub registrytoken: String,
}

/// A line of progress. Only what is set is written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Progress {
    /// A text as it is, line ends included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// What is being done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// How far it is, in numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress_detail: Option<ProgressDetail>,
    /// How far it is, drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<String>,
    /// With what it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What went wrong: the last line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_detail: Option<ErrorDetail>,
    /// The same once more, as a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// For programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aux: Option<Value>,
}

/// How far something is, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProgressDetail {
    /// So many are done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<i64>,
    /// Of so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
}

/// What went wrong on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ErrorDetail {
    /// The text.
    pub message: String,
}

impl Progress {
    /// The line that ends a request which failed after its head was sent.
    pub fn failed(message: &str) -> Self {
        let error_detail = Some(ErrorDetail { message: message.to_owned() });
        Self { error_detail, error: Some(message.to_owned()), ..Self::default() }
    }
}
