//! An image's configuration (OCI image specification, "config.md"; Docker's image specification v1.3).
//!
//! The document is kept byte for byte, since its digest is the image's id; what the engine needs of it is parsed
//! beside it. Fields that are not known here are left alone.

use crate::hash::sha256;
use sampan_spec::{Digest, Platform, Timestamp};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A configuration: its bytes, its digest, and what they say.
#[derive(Clone, Debug)]
pub struct ImageConfig {
    bytes: Arc<[u8]>,
    id: Digest,
    document: Arc<ImageDocument>,
}

/// What a configuration says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ImageDocument {
    /// When the image was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// Who made it.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// Docker's comment (`docker import -m`).
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// The version of Docker that made it.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub docker_version: String,
    /// The processor architecture in Go's terms.
    #[serde(default, deserialize_with = "nullable")]
    pub architecture: String,
    /// The architecture's variant.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// The operating system in Go's terms.
    #[serde(default, deserialize_with = "nullable")]
    pub os: String,
    /// How to run it.
    #[serde(default, deserialize_with = "nullable")]
    pub config: RunConfig,
    /// Its layers.
    #[serde(default, deserialize_with = "nullable")]
    pub rootfs: LayerList,
    /// How it was made, oldest step first.
    #[serde(default, deserialize_with = "nullable")]
    pub history: Vec<History>,
}

/// How to run an image: Docker's `Config`, whose field names OCI took over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RunConfig {
    /// `user`, `uid`, `user:group`, ...
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// `80/tcp`, ...
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub exposed_ports: BTreeMap<String, Value>,
    /// `NAME=value`, ...
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// The program and its first arguments.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub entrypoint: Vec<String>,
    /// The default arguments, or the program.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub cmd: Vec<String>,
    /// How to see whether it is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
    /// Paths that are volumes.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub volumes: BTreeMap<String, Value>,
    /// Where the process starts.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    /// Instructions for images that build on this one.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub on_build: Vec<String>,
    /// Labels.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The signal that asks it to stop.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub stop_signal: String,
    /// What runs the shell form of instructions.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub shell: Vec<String>,
}

/// A health check (Docker's image specification v1.3, `Healthcheck`). Times are in nanoseconds; 0 is the default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Healthcheck {
    /// `["NONE"]`, `["CMD", ...]` or `["CMD-SHELL", command]`.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub test: Vec<String>,
    /// Between two checks.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub interval: i64,
    /// How long one may take.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub timeout: i64,
    /// How long failures do not count after the start.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub start_period: i64,
    /// Between two checks in that time.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub start_interval: i64,
    /// How many failures in a row make it unhealthy.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: i64,
}

/// The layers of an image, lowest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerList {
    /// Always `layers`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The digests of the uncompressed layer tars.
    #[serde(default, deserialize_with = "nullable")]
    pub diff_ids: Vec<Digest>,
}

/// One step of an image's making.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// The instruction.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub created_by: String,
    /// Who.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// Why.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// Whether it made no layer.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "std::ops::Not::not")]
    pub empty_layer: bool,
}

/// Why bytes are no image configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// They are no JSON of its shape.
    #[error("the image configuration {id} is not valid")]
    Json {
        /// Their digest.
        id: Digest,
        /// Why.
        source: serde_json::Error,
    },
    /// A document could not be written as JSON.
    #[error("the image configuration cannot be written")]
    Encode {
        /// Why.
        source: serde_json::Error,
    },
    /// Its layers are of a kind that is not known.
    #[error("the image configuration {id} has a rootfs of type {kind:?}, expected \"layers\"")]
    Rootfs {
        /// Their digest.
        id: Digest,
        /// The kind.
        kind: String,
    },
}

impl ImageConfig {
    /// Parses a configuration and keeps its bytes.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn parse(bytes: Vec<u8>) -> Result<Self, ConfigError> {
        let id = sha256(&bytes);
        let document: ImageDocument =
            serde_json::from_slice(&bytes).map_err(|source| ConfigError::Json { id: id.clone(), source })?;
        if document.rootfs.kind != "layers" {
            return Err(ConfigError::Rootfs { id, kind: document.rootfs.kind });
        }
        Ok(Self { bytes: bytes.into(), id, document: Arc::new(document) })
    }

    /// Makes the configuration that says this.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn make(document: &ImageDocument) -> Result<Self, ConfigError> {
        Self::parse(serde_json::to_vec(document).map_err(|source| ConfigError::Encode { source })?)
    }

    /// The image's id: the digest of the bytes.
    pub fn id(&self) -> &Digest {
        &self.id
    }

    /// The document as it came.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What it says.
    pub fn document(&self) -> &ImageDocument {
        &self.document
    }

    /// How to run it.
    pub fn run(&self) -> &RunConfig {
        &self.document.config
    }

    /// The digests of the uncompressed layers, lowest first.
    pub fn diff_ids(&self) -> &[Digest] {
        &self.document.rootfs.diff_ids
    }

    /// What it runs on.
    pub fn platform(&self) -> Platform {
        let variant = (!self.document.variant.is_empty()).then(|| self.document.variant.clone());
        Platform { os: self.document.os.clone(), architecture: self.document.architecture.clone(), variant }
    }
}

/// The chain ids of the layers with these diff ids, lowest first: what each layer is together with all below it
/// (OCI image specification, "config.md: Layer ChainID").
pub fn chain_ids(diff_ids: &[Digest]) -> Vec<Digest> {
    let mut chains: Vec<Digest> = Vec::with_capacity(diff_ids.len());
    for diff_id in diff_ids {
        chains.push(match chains.last() {
            None => diff_id.clone(),
            Some(parent) => sha256(format!("{parent} {diff_id}").as_bytes()),
        });
    }
    chains
}

/// Go writes `null` for an empty list, map or structure.
fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nulls_and_unknown_fields_are_taken_and_bytes_kept() {
        let text = br#"{"os":"linux","architecture":"amd64","x":[1], "config":{"Cmd":null,"Env":["A=1"],"Foo":{}},
            "rootfs":{"type":"layers","diff_ids":null},"history":null,"created":"2024-05-01T10:00:00.123456789Z"}"#;
        let config = ImageConfig::parse(text.to_vec()).unwrap();
        assert_eq!(config.bytes(), text);
        assert_eq!(config.id(), &sha256(text));
        assert_eq!(config.run().env, ["A=1"]);
        assert!(config.run().cmd.is_empty() && config.diff_ids().is_empty());
        assert_eq!(config.platform().to_string(), "linux/amd64");
    }

    #[test]
    fn what_is_no_configuration_is_refused() {
        for bad in [
            "",
            "[]",
            "{}",
            "null",
            r#"{"rootfs":{"type":"x"}}"#,
            r#"{"rootfs":{"type":"layers","diff_ids":["a"]}}"#,
        ] {
            assert!(ImageConfig::parse(bad.into()).is_err(), "{bad}");
        }
    }

    #[test]
    fn chain_ids_follow_the_specification() {
        let ids = [sha256(b"a"), sha256(b"b"), sha256(b"c")];
        let chains = chain_ids(&ids);
        assert_eq!(chains[0], ids[0]);
        assert_eq!(chains[2], sha256(format!("{} {}", chains[1], ids[2]).as_bytes()));
    }
}
