//! Archives of `docker save`: `manifest.json` lists images by the names of their files.

use super::{ArchivedImage, Error, Files, check_layers, reference};
use crate::compression::{self, Compression};
use crate::{Content, ContentError, Descriptor, ImageConfig, media, read_document};
use sampan_spec::Digest;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::Read;

pub(super) const LIST: &str = "manifest.json";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Option<Vec<String>>,
}

pub(super) fn images(files: &Files, content: &dyn Content) -> Result<Vec<ArchivedImage>, Error> {
    let bytes = read_document(content, &files.get(LIST)?.0)?;
    let list: Vec<Item> = serde_json::from_slice(&bytes).map_err(|source| Error::List { source })?;
    list.into_iter().map(|item| image(item, files, content)).collect()
}

fn image(item: Item, files: &Files, content: &dyn Content) -> Result<ArchivedImage, Error> {
    let digest = &files.get(&item.config)?.0;
    check_config_name(&item.config, digest)?;
    let config = ImageConfig::parse(read_document(content, digest)?)?;
    let layers = item.layers.unwrap_or_default();
    let layers = layers.iter().map(|name| layer(name, files, content)).collect::<Result<Vec<_>, _>>()?;
    check_layers(&config, &layers)?;
    let tags = item.repo_tags.unwrap_or_default();
    let names = tags.iter().map(|tag| reference(tag)).collect::<Result<_, _>>()?;
    Ok(ArchivedImage { config, names, layers, manifest: None })
}

fn layer(name: &str, files: &Files, content: &dyn Content) -> Result<Descriptor, Error> {
    let (digest, size) = files.get(name)?.clone();
    let media_type = match compression_of(content, &digest)? {
        Compression::None => media::DOCKER_LAYER,
        Compression::Gzip => media::DOCKER_LAYER_GZIP,
        Compression::Zstd => media::OCI_LAYER_ZSTD,
    };
    Ok(Descriptor {
        media_type: media_type.into(),
        digest,
        size,
        platform: None,
        annotations: BTreeMap::new(),
    })
}

/// What a layer is compressed with. What is not supported shows when it is unpacked.
fn compression_of(content: &dyn Content, digest: &Digest) -> Result<Compression, Error> {
    let read = |source| ContentError::Read { digest: digest.clone(), source };
    let opened = content.open(digest).map_err(read)?;
    let opened = opened.ok_or_else(|| ContentError::Missing { digest: digest.clone() })?;
    let mut start = Vec::new();
    opened.take(6).read_to_end(&mut start).map_err(read)?;
    Ok(compression::detect(&start).unwrap_or(Compression::None))
}

/// A configuration that is named by a digest must have it: `<hex>.json`, `sha256:<hex>`.
fn check_config_name(name: &str, actual: &Digest) -> Result<(), Error> {
    let base = name.rsplit('/').next().unwrap_or(name);
    let hex = base.trim_start_matches("sha256:").trim_end_matches(".json");
    match format!("sha256:{hex}").parse::<Digest>() {
        Ok(stated) if stated != *actual => {
            Err(Error::Digest { entry: name.to_owned(), actual: actual.clone() })
        }
        _ => Ok(()),
    }
}
