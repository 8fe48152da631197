//! The images that are there: their records, the list of them, and what a user means by a word.

use crate::index::{Entry, Index};
use crate::{Error, Store};
use sampan_image::{Descriptor, ImageConfig, Manifest, Step, media};
use sampan_spec::{Digest, Reference, Timestamp};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// `images/<id>.json`. Format break.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRecord {
    /// The digest of its configuration, which is Docker's image id.
    pub id: Digest,
    /// Its layers, lowest first.
    pub layers: Vec<ImageLayer>,
    /// The manifest it came with, kept as a blob; archives of `docker save` have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Descriptor>,
    /// When it came here.
    pub added: Timestamp,
    /// How it came here.
    pub source: Source,
}

/// One layer of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageLayer {
    /// The digest of its plain tar.
    pub diff_id: Digest,
    /// The blob as it came. It may be gone from the store to save space: the tar can be rebuilt.
    pub blob: Descriptor,
}

impl ImageRecord {
    /// The record of an image that is here from now on. The layers are those of the configuration, in its order.
    pub(crate) fn new(
        config: &ImageConfig,
        layers: Vec<Descriptor>,
        manifest: Option<&Manifest>,
        source: Source,
    ) -> Self {
        let layers = config.diff_ids().iter().zip(layers);
        Self {
            id: config.id().clone(),
            layers: layers.map(|(diff_id, blob)| ImageLayer { diff_id: diff_id.clone(), blob }).collect(),
            manifest: manifest.map(descriptor),
            added: Timestamp::now(),
            source,
        }
    }
}

fn descriptor(manifest: &Manifest) -> Descriptor {
    let stated = manifest.media_type();
    Descriptor {
        media_type: if stated.is_empty() { media::OCI_MANIFEST } else { stated }.to_owned(),
        digest: manifest.digest().clone(),
        size: manifest.bytes().len() as u64,
        platform: None,
        annotations: BTreeMap::new(),
    }
}

/// How an image came here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// It is built into the program.
    Builtin,
    /// From an archive.
    Load,
    /// From a tar of files.
    Import,
    /// From a registry.
    Pull,
}

/// An image with everything the store knows of it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Image {
    /// Its record.
    pub record: std::sync::Arc<ImageRecord>,
    /// Its configuration.
    pub config: ImageConfig,
    /// Its names, sorted; with a tag or with a digest, never both.
    pub names: Vec<Reference>,
    /// The chain id of its topmost layer; `None` if it has no layer.
    pub chain: Option<Digest>,
    /// The size of its unpacked files, in bytes, as Docker counts it: every layer's, hard links once.
    pub size: u64,
}

/// All images, the youngest (by its configuration's `created`) first; untagged ones too.
pub fn list(store: &Store) -> Vec<Image> {
    let index = store.index();
    let mut images: Vec<Image> = index.images.keys().filter_map(|id| index.image(id)).collect();
    drop(index);
    images.sort_by_key(youngest_first);
    images
}

fn youngest_first(image: &Image) -> (Reverse<Option<Timestamp>>, Digest) {
    (Reverse(image.config.document().created), image.record.id.clone())
}

/// The image with this id.
///
/// # Errors
/// [`Error::NoSuchImage`].
pub fn get(store: &Store, id: &Digest) -> Result<Image, Error> {
    store.index().image(id).ok_or_else(|| Error::NoSuchImage { typed: id.to_string() })
}

/// How an image was made, newest step first, with what each step added (`docker history`).
///
/// # Errors
/// [`Error::NoSuchImage`].
pub fn history(store: &Store, id: &Digest) -> Result<Vec<Step>, Error> {
    let index = store.index();
    let entry = index.images.get(id).ok_or_else(|| Error::NoSuchImage { typed: id.to_string() })?;
    let layers = entry.chains.iter().map(|chain| index.layers.get(chain));
    let sizes: Vec<u64> = layers.map(|layer| layer.map_or(0, |layer| layer.size)).collect();
    Ok(sampan_image::history(&entry.config, &sizes))
}

/// How much room images take.
#[derive(Clone, Debug)]
pub struct Usage {
    /// All of them, the youngest first, each with the bytes of its layers that another image has, too.
    pub images: Vec<(Image, u64)>,
    /// The bytes of all layers that are there, each once.
    pub layers: u64,
}

/// Adds up what the layers' records say: nothing is measured.
pub fn usage(store: &Store) -> Usage {
    let index = store.index();
    let users = index.users_of_layers();
    let size = |chain: &Digest| index.layers.get(chain).map_or(0, |layer| layer.size);
    let shared = |entry: &Entry| entry.chains.iter().filter(|chain| users[chain] > 1).map(size).sum();
    let of_image = |(id, entry)| Some((index.image(id)?, shared(entry)));
    let mut images: Vec<_> = index.images.iter().filter_map(of_image).collect();
    let layers = index.layers.values().map(|layer| layer.size).sum();
    drop(index);
    images.sort_by_key(|(image, _)| youngest_first(image));
    Usage { images, layers }
}

/// What a user means by `name`, `name:tag`, `name@sha256:...`, `sha256:<id>` or the beginning of an id. A name goes
/// before an id that begins so.
///
/// # Errors
/// [`Error::NoSuchImage`], [`Error::Ambiguous`], [`Error::Reference`].
pub fn resolve(store: &Store, typed: &str) -> Result<Image, Error> {
    let index = store.index();
    let meant = find(&index, typed)?;
    index.image(&meant.id).ok_or_else(|| Error::NoSuchImage { typed: typed.to_owned() })
}

/// The id of the image that has exactly this name.
pub fn by_name(store: &Store, name: &Reference) -> Option<Digest> {
    store.index().names.get(name).cloned()
}

/// What a word means.
pub(crate) struct Meant {
    pub(crate) id: Digest,
    /// The name, if it was one, and not an id.
    pub(crate) name: Option<Reference>,
}

pub(crate) fn find(index: &Index, typed: &str) -> Result<Meant, Error> {
    if let Ok(id) = format!("sha256:{}", typed.trim_start_matches("sha256:")).parse::<Digest>() {
        // 64 digits can only be an id.
        return match index.images.contains_key(&id) {
            true => Ok(Meant { id, name: None }),
            false => Err(Error::NoSuchImage { typed: typed.to_owned() }),
        };
    }
    let parsed = typed.parse::<Reference>();
    if let Ok(name) = &parsed
        && let Some(meant) = with_name(index, name)
    {
        return Ok(meant);
    }
    match (by_prefix(index, typed)?, parsed) {
        (Some(id), _) => Ok(Meant { id, name: None }),
        (None, Ok(name)) => Err(Error::NoSuchImage { typed: name.familiar() }),
        (None, Err(source)) => Err(Error::Reference { typed: typed.to_owned(), source }),
    }
}

/// A digest is that of a manifest, and goes before a tag, which is then only for people to read.
fn with_name(index: &Index, name: &Reference) -> Option<Meant> {
    let mut exact = name.clone();
    if exact.digest.is_some() {
        exact.tag = None;
    }
    if let Some(id) = index.names.get(&exact) {
        return Some(Meant { id: id.clone(), name: Some(exact) });
    }
    let digest = exact.digest?;
    let is_meant = |id: &Digest| {
        let manifest = index.images.get(id).and_then(|entry| entry.record.manifest.as_ref());
        manifest.is_some_and(|manifest| manifest.digest == digest)
    };
    let mut same_repository = index.names.iter().filter(|(known, _)| known.name == name.name);
    let (known, id) = same_repository.find(|(_, id)| is_meant(id))?;
    Some(Meant { id: id.clone(), name: Some(known.clone()) })
}

fn by_prefix(index: &Index, typed: &str) -> Result<Option<Digest>, Error> {
    let prefix = typed.strip_prefix("sha256:").unwrap_or(typed);
    if prefix.is_empty() || !prefix.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Ok(None);
    }
    let mut matches: Vec<Digest> =
        index.images.keys().filter(|id| id.hex().starts_with(prefix)).cloned().collect();
    match matches.len() {
        0 | 1 => Ok(matches.pop()),
        _ => {
            matches.sort();
            Err(Error::Ambiguous { typed: typed.to_owned(), matches })
        }
    }
}
