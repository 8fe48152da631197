//! Putting what was made under `tmp/` into its place: layers, blobs, then the records of images and names, so that a
//! process killed between two of them leaves nothing that refers to what is not there.

use crate::atomic::{Scratch, sync_dir};
use crate::gc::{self, Candidates};
use crate::images::ImageRecord;
use crate::index::Entry;
use crate::lease::Pin;
use crate::remove::InUse;
use crate::snapshots::LayerRecord;
use crate::{Error, Store, names};
use sampan_image::ImageConfig;
use sampan_spec::{Digest, Reference};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// What waits to be put into its place.
pub(crate) struct Staged<'a> {
    pub(crate) store: &'a Store,
    /// Where everything is: `blobs/<hex>` and one folder per layer.
    pub(crate) scratch: Scratch,
    /// Unpacked layers that the store did not have.
    pub(crate) layers: Vec<StagedLayer>,
    /// Images, each with the names that it shall have.
    pub(crate) images: Vec<StagedImage>,
    /// Holds all layers and blobs, there or to come, of these images.
    pub(crate) pin: Pin<'a>,
}

pub(crate) struct StagedLayer {
    pub(crate) chain: Digest,
    pub(crate) folder: PathBuf,
    pub(crate) record: LayerRecord,
}

pub(crate) struct StagedImage {
    pub(crate) record: ImageRecord,
    pub(crate) config: ImageConfig,
    pub(crate) names: Vec<Reference>,
}

/// The names that an image got and others lost.
pub(crate) type Replaced = Vec<(Reference, Digest)>;

/// The folder of blobs in a scratch folder.
pub(crate) fn blobs(scratch: &Scratch) -> PathBuf {
    scratch.path().join("blobs")
}

impl Staged<'_> {
    /// Puts everything into its place. For each image, the names that another image lost to it. On an error nothing of
    /// it stays.
    pub(crate) fn commit(self) -> Result<Vec<Replaced>, Error> {
        self.sync()?;
        let changes = self.store.changes();
        let mut added = Candidates::default();
        let result = self.place(&mut added);
        let store = self.store;
        drop(self.pin);
        match result {
            Ok(replaced) => Ok(replaced),
            Err(error) => {
                // The error says more than what a failing removal could; the next collection tries again.
                let _ = gc::sweep(store, &added, &InUse::default());
                drop(changes);
                Err(error)
            }
        }
    }

    /// Nothing gets a record before its content would survive a power cut.
    fn sync(&self) -> Result<(), Error> {
        let path = self.scratch.path();
        let synced = File::open(path).and_then(|folder| Ok(rustix::fs::syncfs(folder)?));
        synced.map_err(|source| Error::Write { path: path.to_owned(), source })
    }

    fn place(&self, added: &mut Candidates) -> Result<Vec<Replaced>, Error> {
        let layout = &self.store.layout;
        for layer in &self.layers {
            self.place_layer(layer, added)?;
        }
        for image in &self.images {
            self.place_blobs(image, added)?;
        }
        for folder in [layout.snapshots(), layout.blobs()] {
            sync_dir(&folder).map_err(|source| Error::Write { path: folder, source })?;
        }
        self.images.iter().map(|image| self.place_image(image)).collect()
    }

    /// Another load may have brought the same layer meanwhile: then ours goes with the scratch folder.
    fn place_layer(&self, layer: &StagedLayer, added: &mut Candidates) -> Result<(), Error> {
        if self.store.index().layers.contains_key(&layer.chain) {
            return Ok(());
        }
        rename(&layer.folder, &self.store.layout.snapshot(&layer.chain))?;
        self.store.index().layers.insert(layer.chain.clone(), layer.record.clone());
        added.layers.push(layer.chain.clone());
        Ok(())
    }

    fn place_blobs(&self, image: &StagedImage, added: &mut Candidates) -> Result<(), Error> {
        let entry = Entry::new(image.record.clone(), image.config.clone());
        for digest in entry.blobs() {
            let from = blobs(&self.scratch).join(digest.hex());
            let to = self.store.layout.blob(digest);
            if from.exists() && !to.exists() {
                rename(&from, &to)?;
                added.blobs.push(digest.clone());
            }
        }
        Ok(())
    }

    /// An image that is there stays as it is, unless only the new one knows its manifest.
    fn place_image(&self, image: &StagedImage) -> Result<Replaced, Error> {
        let id = &image.record.id;
        let known = self.store.index().images.get(id).map(|entry| entry.record.manifest.is_some());
        if known.is_none_or(|has_manifest| !has_manifest && image.record.manifest.is_some()) {
            self.store.image_records.put(id.hex(), &image.record)?;
            let entry = Entry::new(image.record.clone(), image.config.clone());
            self.store.index().images.insert(id.clone(), entry);
        }
        let mut replaced = Vec::new();
        for name in &image.names {
            if let Some(former) = names::tag_locked(self.store, id, name)? {
                replaced.push((name.clone(), former));
            }
        }
        Ok(replaced)
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    fs::rename(from, to).map_err(|source| Error::Write { path: to.to_owned(), source })
}

/// Writes a document among a scratch folder's blobs.
pub(crate) fn stage_document(scratch: &Scratch, digest: &Digest, bytes: &[u8]) -> Result<(), Error> {
    let path = blobs(scratch).join(digest.hex());
    let written: io::Result<()> = fs::write(&path, bytes);
    written.map_err(|source| Error::Write { path, source })
}
