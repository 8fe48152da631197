//! OCI layouts: `index.json` lists manifests, and indexes of manifests, by digest.

use super::{ArchivedImage, Error, Files, check_layers, reference};
use crate::{Content, Descriptor, ImageConfig, Index, Manifest, media, read_document};
use sampan_spec::{Digest, Platform, Reference};
use std::collections::BTreeMap;

pub(super) const INDEX: &str = "index.json";
pub(super) const BLOBS: &str = "blobs/sha256/";
/// The whole name, written by containerd and Docker.
const FULL_NAME: &str = "io.containerd.image.name";
/// By the specification a tag; many tools write a whole name.
const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// Indexes may be in each other this deep.
const DEPTH_MAX: usize = 4;

pub(super) fn images(
    files: &Files,
    content: &dyn Content,
    platform: &Platform,
) -> Result<Vec<ArchivedImage>, Error> {
    let index = Index::parse(read_document(content, &files.get(INDEX)?.0)?)?;
    let mut images: Vec<ArchivedImage> = Vec::new();
    for (name, descriptor) in chosen(&index, platform)? {
        let manifest = manifest(descriptor, content, platform, DEPTH_MAX)?;
        match images.iter_mut().find(|i| i.manifest.as_ref().is_some_and(|m| m.digest() == manifest.digest()))
        {
            Some(same) => same.names.extend(name),
            None => images.push(image(manifest, name, files, content)?),
        }
    }
    if images.is_empty() {
        return Err(Error::Platform { platform: platform.clone() });
    }
    Ok(images)
}

/// The entries of the layout's index to load. Of several that have the same name and a platform, one.
fn chosen<'a>(
    index: &'a Index,
    platform: &Platform,
) -> Result<Vec<(Option<Reference>, &'a Descriptor)>, Error> {
    let mut all = Vec::new();
    let mut named: BTreeMap<Option<Reference>, (usize, &Descriptor)> = BTreeMap::new();
    for descriptor in index.manifests() {
        let name = name(descriptor)?;
        let Some(own) = &descriptor.platform else {
            all.push((name, descriptor));
            continue;
        };
        let Some(fitness) = own.fitness(platform) else { continue };
        let best = named.entry(name).or_insert((fitness, descriptor));
        if fitness < best.0 {
            *best = (fitness, descriptor);
        }
    }
    all.extend(named.into_iter().map(|(name, (_, descriptor))| (name, descriptor)));
    Ok(all)
}

fn name(descriptor: &Descriptor) -> Result<Option<Reference>, Error> {
    if let Some(name) = descriptor.annotations.get(FULL_NAME) {
        return reference(name).map(Some);
    }
    let name = descriptor.annotations.get(REF_NAME).filter(|name| name.contains(['/', ':']));
    Ok(name.and_then(|name| reference(name).ok()))
}

/// The manifest for `platform` at the end of a chain of indexes.
fn manifest(
    descriptor: &Descriptor,
    content: &dyn Content,
    platform: &Platform,
    depth: usize,
) -> Result<Manifest, Error> {
    let bytes = document(descriptor, content)?;
    if !media::is_index(&descriptor.media_type) {
        return Ok(Manifest::parse(bytes)?);
    }
    let index = Index::parse(bytes)?;
    if depth == 0 {
        return Err(Error::Depth { digest: index.digest().clone() });
    }
    let fits = index.select(platform).ok_or_else(|| Error::Platform { platform: platform.clone() })?;
    manifest(fits, content, platform, depth - 1)
}

fn image(
    manifest: Manifest,
    name: Option<Reference>,
    files: &Files,
    content: &dyn Content,
) -> Result<ArchivedImage, Error> {
    if !media::is_config(&manifest.config().media_type) {
        let media_type = manifest.config().media_type.clone();
        return Err(Error::Artifact { digest: manifest.digest().clone(), media_type });
    }
    let config = ImageConfig::parse(document(manifest.config(), content)?)?;
    let layers = manifest.layers().to_vec();
    for layer in &layers {
        let actual = files.get(&blob(&layer.digest))?.1;
        check_size(layer, actual)?;
    }
    check_layers(&config, &layers)?;
    Ok(ArchivedImage { config, names: name.into_iter().collect(), layers, manifest: Some(manifest) })
}

fn document(descriptor: &Descriptor, content: &dyn Content) -> Result<Vec<u8>, Error> {
    let bytes = read_document(content, &descriptor.digest)?;
    check_size(descriptor, bytes.len() as u64)?;
    Ok(bytes)
}

fn check_size(descriptor: &Descriptor, actual: u64) -> Result<(), Error> {
    if descriptor.size == actual {
        return Ok(());
    }
    Err(Error::Size { digest: descriptor.digest.clone(), expected: descriptor.size, actual })
}

fn blob(digest: &Digest) -> String {
    format!("{BLOBS}{}", digest.hex())
}
