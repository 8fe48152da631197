//! What is there, in memory: rebuilt from the files when the store is opened, and changed after them.

use crate::images::{Image, ImageRecord};
use crate::snapshots::LayerRecord;
use sampan_image::{ImageConfig, chain_ids};
use sampan_spec::{Digest, Reference};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// The index of a store.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) images: HashMap<Digest, Entry>,
    pub(crate) names: BTreeMap<Reference, Digest>,
    /// Unpacked layers by chain id.
    pub(crate) layers: HashMap<Digest, LayerRecord>,
    /// How many leases there are of an image, chain or blob.
    pub(crate) leases: HashMap<Digest, usize>,
}

/// One image.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) record: Arc<ImageRecord>,
    pub(crate) config: ImageConfig,
    /// Chain ids, lowest first.
    pub(crate) chains: Vec<Digest>,
}

impl Entry {
    pub(crate) fn new(record: ImageRecord, config: ImageConfig) -> Self {
        let chains = chain_ids(config.diff_ids());
        Self { record: Arc::new(record), config, chains }
    }

    /// All blobs of the image.
    pub(crate) fn blobs(&self) -> impl Iterator<Item = &Digest> {
        let record = &self.record;
        let manifest = record.manifest.iter().map(|m| &m.digest);
        std::iter::once(&record.id).chain(manifest).chain(record.layers.iter().map(|l| &l.blob.digest))
    }
}

impl Index {
    /// All that is known of an image.
    pub(crate) fn image(&self, id: &Digest) -> Option<Image> {
        let entry = self.images.get(id)?;
        let sizes = entry.chains.iter().filter_map(|chain| self.layers.get(chain)).map(|layer| layer.size);
        Some(Image {
            record: entry.record.clone(),
            config: entry.config.clone(),
            names: self.names_of(id),
            chain: entry.chains.last().cloned(),
            size: sizes.sum(),
        })
    }

    pub(crate) fn names_of(&self, id: &Digest) -> Vec<Reference> {
        self.names.iter().filter(|(_, image)| *image == id).map(|(name, _)| name.clone()).collect()
    }

    /// How many images have each layer that an image has.
    pub(crate) fn users_of_layers(&self) -> HashMap<&Digest, usize> {
        let mut users = HashMap::new();
        let chains = self.images.values().flat_map(|entry| &entry.chains);
        chains.for_each(|chain| *users.entry(chain).or_default() += 1);
        users
    }

    /// A layer and all below it, topmost first. Ends early where one is missing.
    pub(crate) fn ancestry<'a>(&'a self, chain: &'a Digest) -> impl Iterator<Item = &'a Digest> {
        let first = self.layers.contains_key(chain).then_some(chain);
        std::iter::successors(first, |at| {
            self.layers.get(*at)?.parent.as_ref().filter(|parent| self.layers.contains_key(*parent))
        })
    }

    /// The layers that images, leases and the chains in use need.
    pub(crate) fn needed_layers(&self, in_use: &HashSet<Digest>) -> HashSet<Digest> {
        let images = self.images.values().filter_map(|entry| entry.chains.last());
        let roots = images.chain(in_use).chain(self.leases.keys());
        roots.flat_map(|chain| self.ancestry(chain)).cloned().collect()
    }

    /// The blobs that images and leases need.
    pub(crate) fn needed_blobs(&self) -> HashSet<Digest> {
        let images = self.images.values().flat_map(Entry::blobs);
        images.chain(self.leases.keys()).cloned().collect()
    }
}
