//! Manifests and indexes (OCI image specification, "manifest.md", "image-index.md"; Docker's schema 2).

use crate::hash::sha256;
use crate::media;
use sampan_spec::{Digest, Platform};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A reference to content (OCI image specification, "descriptor.md").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it is.
    #[serde(default)]
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// What it runs on, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Notes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// The manifest of one image: its bytes and what they say.
#[derive(Clone, Debug)]
pub struct Manifest {
    bytes: Vec<u8>,
    digest: Digest,
    media_type: String,
    config: Descriptor,
    layers: Vec<Descriptor>,
}

/// A list of manifests, one for each platform: its bytes and what they say.
#[derive(Clone, Debug)]
pub struct Index {
    bytes: Vec<u8>,
    digest: Digest,
    manifests: Vec<Descriptor>,
}

/// Why bytes are no manifest or index.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// They are no JSON of its shape.
    #[error("the document {digest} is not a valid {what}")]
    Json {
        /// Their digest.
        digest: Digest,
        /// `manifest` or `index`.
        what: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// It is of another version or kind than expected.
    #[error("the document {digest} is not a {what} of schema version 2 (media type {media_type:?})")]
    Kind {
        /// Their digest.
        digest: Digest,
        /// `manifest` or `index`.
        what: &'static str,
        /// What it says it is.
        media_type: String,
    },
    /// It could be read as a manifest and as an index, so two tools could see two images in it.
    #[error("the document {digest} is both a manifest and an index")]
    Ambiguous {
        /// Their digest.
        digest: Digest,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    schema_version: u32,
    #[serde(default)]
    media_type: String,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
}

impl Manifest {
    /// Parses a manifest and keeps its bytes.
    ///
    /// # Errors
    /// See [`ManifestError`].
    pub fn parse(bytes: Vec<u8>) -> Result<Self, ManifestError> {
        let (digest, wire) = parse(&bytes, "manifest", media::is_manifest)?;
        match (wire.config, wire.layers) {
            (Some(config), Some(layers)) => {
                Ok(Self { bytes, digest, media_type: wire.media_type, config, layers })
            }
            _ => Err(ManifestError::Kind { digest, what: "manifest", media_type: wire.media_type }),
        }
    }

    /// Its digest.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The document as it came.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What it says it is; may be empty in OCI's.
    pub fn media_type(&self) -> &str {
        &self.media_type
    }

    /// The image's configuration.
    pub fn config(&self) -> &Descriptor {
        &self.config
    }

    /// The layers as they are transferred, lowest first.
    pub fn layers(&self) -> &[Descriptor] {
        &self.layers
    }
}

impl Index {
    /// Parses an index and keeps its bytes.
    ///
    /// # Errors
    /// See [`ManifestError`].
    pub fn parse(bytes: Vec<u8>) -> Result<Self, ManifestError> {
        let (digest, wire) = parse(&bytes, "index", media::is_index)?;
        match wire.manifests {
            Some(manifests) => Ok(Self { bytes, digest, manifests }),
            None => Err(ManifestError::Kind { digest, what: "index", media_type: wire.media_type }),
        }
    }

    /// Its digest.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The document as it came.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// All it lists.
    pub fn manifests(&self) -> &[Descriptor] {
        &self.manifests
    }

    /// The entry to use on `platform`: of those that run there the one that fits best, and of several such ones the
    /// first. Entries without a platform are taken for any.
    pub fn select(&self, platform: &Platform) -> Option<&Descriptor> {
        let fitness = |d: &Descriptor| d.platform.as_ref().map_or(Some(usize::MAX), |p| p.fitness(platform));
        let fitting = self.manifests.iter().filter_map(|d| Some((fitness(d)?, d)));
        fitting.min_by_key(|(fitness, _)| *fitness).map(|(_, d)| d)
    }
}

fn parse(
    bytes: &[u8],
    what: &'static str,
    is_kind: fn(&str) -> bool,
) -> Result<(Digest, Wire), ManifestError> {
    let digest = sha256(bytes);
    let wire: Wire = serde_json::from_slice(bytes).map_err(|source| ManifestError::Json {
        digest: digest.clone(),
        what,
        source,
    })?;
    if wire.manifests.is_some() && (wire.layers.is_some() || wire.config.is_some()) {
        return Err(ManifestError::Ambiguous { digest });
    }
    if wire.schema_version != 2 || !(wire.media_type.is_empty() || is_kind(&wire.media_type)) {
        return Err(ManifestError::Kind { digest, what, media_type: wire.media_type });
    }
    Ok((digest, wire))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor(platform: &str) -> String {
        let digest = sha256(platform.as_bytes());
        let platform = match platform.split('/').collect::<Vec<_>>()[..] {
            [os, arch] => format!(r#","platform":{{"os":"{os}","architecture":"{arch}"}}"#),
            [os, arch, v] => {
                format!(r#","platform":{{"os":"{os}","architecture":"{arch}","variant":"{v}"}}"#)
            }
            _ => String::new(),
        };
        format!(r#"{{"mediaType":"{}","digest":"{digest}","size":3{platform}}}"#, media::OCI_MANIFEST)
    }

    #[test]
    fn an_index_selects_by_platform() {
        let platforms = ["unknown/unknown", "linux/arm/v6", "linux/arm/v7", "linux/amd64"];
        let list: Vec<_> = platforms.iter().map(|p| descriptor(p)).collect();
        let text = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, list.join(","));
        let index = Index::parse(text.into_bytes()).unwrap();
        for (os, architecture, variant, want) in [
            ("linux", "amd64", None, Some("linux/amd64")),
            ("linux", "arm", Some("v7"), Some("linux/arm/v7")),
            ("linux", "arm", None, Some("linux/arm/v7")),
            ("linux", "arm", Some("v6"), Some("linux/arm/v6")),
            ("linux", "arm64", None, Some("linux/arm/v7")),
            ("linux", "riscv64", None, None),
        ] {
            let variant = variant.map(str::to_owned);
            let platform = Platform { os: os.into(), architecture: architecture.into(), variant };
            let got = index.select(&platform).map(|d| d.digest.clone());
            assert_eq!(got, want.map(|w| sha256(w.as_bytes())), "{platform}");
        }
    }

    #[test]
    fn documents_of_another_kind_are_refused() {
        let d = descriptor("");
        for bad in [
            "{}".to_owned(),
            "[".to_owned(),
            r#"{"schemaVersion":1}"#.to_owned(),
            format!(r#"{{"schemaVersion":2,"config":{d},"layers":[],"manifests":[]}}"#),
            format!(r#"{{"schemaVersion":2,"mediaType":"{}","config":{d},"layers":[]}}"#, media::OCI_INDEX),
            format!(r#"{{"schemaVersion":2,"config":{d}}}"#),
        ] {
            assert!(Manifest::parse(bad.clone().into_bytes()).is_err(), "{bad}");
        }
        let good = format!(r#"{{"schemaVersion":2,"config":{d},"layers":[{d}]}}"#);
        assert_eq!(Manifest::parse(good.clone().into_bytes()).unwrap().digest(), &sha256(good.as_bytes()));
        assert!(Index::parse(good.into_bytes()).is_err());
    }
}
