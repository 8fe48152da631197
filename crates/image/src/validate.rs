//! The invariants of an image, checked over all of its content: for tests, `verify`, and after damage.

use crate::compression::Decoder;
use crate::{
    ConfigError, Content, ContentError, Hashing, ImageConfig, Manifest, ManifestError, read_document,
};
use sampan_spec::Digest;
use std::io;

/// What is wrong with an image.
#[derive(Debug, thiserror::Error)]
pub enum ValidateError {
    /// A document is missing or damaged.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// The manifest is not right.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The configuration is not right.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Content has another size than its descriptor says.
    #[error("content {digest} has {actual} bytes, and {expected} were stated")]
    Size {
        /// Which.
        digest: Digest,
        /// What was stated.
        expected: u64,
        /// What it has.
        actual: u64,
    },
    /// Manifest and configuration name different numbers of layers.
    #[error("the manifest has {manifest} layers, the configuration {config}")]
    LayerCount {
        /// In the manifest.
        manifest: usize,
        /// In the configuration.
        config: usize,
    },
    /// The history tells of another number of layers than there are.
    #[error("the history tells of {history} layers, and there are {layers}")]
    History {
        /// Steps that made a layer.
        history: usize,
        /// Layers.
        layers: usize,
    },
    /// A layer cannot be decompressed.
    #[error("layer {digest} cannot be decompressed: {source}")]
    Layer {
        /// Which.
        digest: Digest,
        /// Why.
        source: io::Error,
    },
    /// A layer's plain tar is not the one that the configuration names.
    #[error("layer {digest} holds the tar {actual}, the configuration names {expected}")]
    DiffId {
        /// The layer as it came.
        digest: Digest,
        /// In the configuration.
        expected: Digest,
        /// What it holds.
        actual: Digest,
    },
}

/// Reads all content of the image with this manifest and checks every digest, size and count.
///
/// # Errors
/// The first thing that is wrong.
pub fn validate(content: &dyn Content, manifest: &Digest) -> Result<(), ValidateError> {
    let manifest = Manifest::parse(read_document(content, manifest)?)?;
    let bytes = read_document(content, &manifest.config().digest)?;
    check_size(&manifest.config().digest, manifest.config().size, bytes.len() as u64)?;
    let config = ImageConfig::parse(bytes)?;
    let (layers, diff_ids) = (manifest.layers(), config.diff_ids());
    if layers.len() != diff_ids.len() {
        return Err(ValidateError::LayerCount { manifest: layers.len(), config: diff_ids.len() });
    }
    let history = &config.document().history;
    let steps = history.iter().filter(|step| !step.empty_layer).count();
    if !history.is_empty() && steps != layers.len() {
        return Err(ValidateError::History { history: steps, layers: layers.len() });
    }
    for (layer, diff_id) in layers.iter().zip(diff_ids) {
        check_layer(content, &layer.digest, layer.size, diff_id)?;
    }
    Ok(())
}

fn check_layer(
    content: &dyn Content,
    digest: &Digest,
    size: u64,
    diff_id: &Digest,
) -> Result<(), ValidateError> {
    let failed = |source| ValidateError::Layer { digest: digest.clone(), source };
    let opened = content.open(digest).map_err(failed)?;
    let blob = opened.ok_or_else(|| ContentError::Missing { digest: digest.clone() })?;
    let mut blob = Hashing::new(blob);
    let mut plain = Hashing::new(Decoder::new(&mut blob).map_err(failed)?);
    io::copy(&mut plain, &mut io::sink()).map_err(failed)?;
    let (actual, _) = plain.finish();
    io::copy(&mut blob, &mut io::sink()).map_err(failed)?;
    let (digest_found, length) = blob.finish();
    if digest_found != *digest {
        return Err(ContentError::Digest { expected: digest.clone(), actual: digest_found }.into());
    }
    check_size(digest, size, length)?;
    if actual != *diff_id {
        return Err(ValidateError::DiffId { digest: digest.clone(), expected: diff_id.clone(), actual });
    }
    Ok(())
}

fn check_size(digest: &Digest, expected: u64, actual: u64) -> Result<(), ValidateError> {
    if expected == actual {
        return Ok(());
    }
    Err(ValidateError::Size { digest: digest.clone(), expected, actual })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{media, sha256};
    use std::collections::HashMap;
    use std::io::Read;

    struct Map(HashMap<Digest, Vec<u8>>);

    impl Content for Map {
        fn open(&self, digest: &Digest) -> io::Result<Option<Box<dyn Read + Send + '_>>> {
            Ok(self.0.get(digest).map(|bytes| Box::new(&bytes[..]) as Box<dyn Read + Send>))
        }
    }

    /// An image of one layer; the configuration names `diff_id`, with a history of `steps`.
    fn image(diff_id: &[u8], steps: usize) -> (Map, Digest, Digest) {
        let layer = zstd::encode_all(&b"the tar"[..], 1).unwrap();
        let history = vec!["{}"; steps].join(",");
        let config = format!(
            r#"{{"history":[{history}],"rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
            sha256(diff_id)
        );
        let descriptor = |media_type: &str, bytes: &[u8]| {
            let (digest, size) = (sha256(bytes), bytes.len());
            format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size}}}"#)
        };
        let manifest = format!(
            r#"{{"schemaVersion":2,"config":{},"layers":[{}]}}"#,
            descriptor(media::OCI_CONFIG, config.as_bytes()),
            descriptor(media::OCI_LAYER_ZSTD, &layer)
        );
        let digests = (sha256(manifest.as_bytes()), sha256(&layer));
        let all = [layer, config.into_bytes(), manifest.into_bytes()];
        (Map(all.into_iter().map(|bytes| (sha256(&bytes), bytes)).collect()), digests.0, digests.1)
    }

    #[test]
    fn an_image_is_checked_as_a_whole() {
        let (content, manifest, _) = image(b"the tar", 1);
        validate(&content, &manifest).unwrap();
        let (content, manifest, _) = image(b"another", 1);
        assert!(matches!(validate(&content, &manifest), Err(ValidateError::DiffId { .. })));
        let (content, manifest, _) = image(b"the tar", 2);
        assert!(matches!(validate(&content, &manifest), Err(ValidateError::History { .. })));
        let (mut content, manifest, layer) = image(b"the tar", 1);
        content.0.insert(layer.clone(), b"the tar".to_vec());
        assert!(matches!(validate(&content, &manifest), Err(ValidateError::Content(_))));
        content.0.remove(&layer);
        assert!(matches!(validate(&content, &manifest), Err(ValidateError::Content(_))));
    }
}
