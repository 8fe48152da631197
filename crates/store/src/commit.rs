//! Putting what was made under `tmp/` into its place: layers, blobs, then the records of images and names, so that a
//! process killed between two of them leaves nothing that refers to what is not there.
//!
//! Everything that needs space is written before, and synced once; what is done here are renames.

use crate::atomic::{Scratch, sync_dir};
use crate::gc::{self, Candidates};
use crate::images::ImageRecord;
use crate::index::Entry;
use crate::layout::name_key;
use crate::names::{self, NameRecord};
use crate::records::encode;
use crate::remove::InUse;
use crate::snapshots::LayerRecord;
use crate::{Error, Store};
use sampan_image::ImageConfig;
use sampan_spec::{Digest, Reference};
use serde::Serialize;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// What waits to be put into its place.
pub(crate) struct Staged<'a> {
    pub(crate) store: &'a Store,
    /// Where everything is: `blobs/<hex>`, one folder per layer, and the records.
    pub(crate) scratch: &'a Scratch,
    /// Unpacked layers that the store did not have.
    pub(crate) layers: Vec<StagedLayer>,
    /// Images, each with the names that it shall have.
    pub(crate) images: Vec<StagedImage>,
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
pub type Replaced = Vec<(Reference, Digest)>;

/// What was put into its place so far.
#[derive(Default)]
struct Placed {
    content: Candidates,
    images: Vec<Digest>,
    /// With the image that had the name before.
    names: Vec<(Reference, Option<Digest>)>,
}

/// The folder of blobs in a scratch folder.
pub(crate) fn blobs(scratch: &Scratch) -> PathBuf {
    scratch.path().join("blobs")
}

/// Writes a document among a scratch folder's blobs.
pub(crate) fn stage_document(scratch: &Scratch, digest: &Digest, bytes: &[u8]) -> Result<(), Error> {
    let path = blobs(scratch).join(digest.hex());
    fs::write(&path, bytes).map_err(|source| Error::Write { path, source })
}

impl Staged<'_> {
    /// Puts everything into its place. For each image, the names that another image lost to it. On an error nothing of
    /// it stays but what someone still pins; `pin` holds all layers and blobs, there or to come, of these images.
    pub(crate) fn commit<P>(self, pin: P) -> Result<Vec<Replaced>, Error> {
        for image in &self.images {
            self.stage(&image_file(&image.record.id), &image.record)?;
            for name in &image.names {
                let record =
                    NameRecord { name: names::plain(name).to_string(), image: image.record.id.clone() };
                self.stage(&name_file(&record), &record)?;
            }
        }
        self.sync()?;
        let _changes = self.store.changes();
        let mut placed = Placed::default();
        let result = self.place(&mut placed);
        drop(pin);
        if result.is_err() {
            undo(self.store, placed);
        }
        result
    }

    fn stage<T: Serialize>(&self, name: &str, record: &T) -> Result<(), Error> {
        let path = self.scratch.path().join(name);
        let bytes = encode(&path, record)?;
        fs::write(&path, bytes).map_err(|source| Error::Write { path, source })
    }

    /// Nothing gets a record before its content would survive a power cut.
    fn sync(&self) -> Result<(), Error> {
        let path = self.scratch.path();
        let synced = File::open(path).and_then(|folder| Ok(rustix::fs::syncfs(folder)?));
        synced.map_err(|source| Error::Write { path: path.to_owned(), source })
    }

    fn place(&self, placed: &mut Placed) -> Result<Vec<Replaced>, Error> {
        let layout = &self.store.layout;
        for layer in &self.layers {
            if place_layer(self.store, layer)? {
                placed.content.layers.push(layer.chain.clone());
            }
        }
        for image in &self.images {
            self.place_blobs(image, placed)?;
        }
        sync([layout.snapshots(), layout.blobs()])?;
        let mut replaced = Vec::new();
        for image in &self.images {
            self.place_image(image, placed)?;
            replaced.push(self.place_names(image, placed)?);
        }
        sync([layout.images(), layout.names()])?;
        Ok(replaced)
    }

    /// The blobs that the image's record will name: if it is there already, its own may have come otherwise compressed.
    fn place_blobs(&self, image: &StagedImage, placed: &mut Placed) -> Result<(), Error> {
        let entry = match self.stays(image) {
            Some(known) => known,
            None => Entry::new(image.record.clone(), image.config.clone()),
        };
        for digest in entry.blobs() {
            let from = blobs(self.scratch).join(digest.hex());
            let to = self.store.layout.blob(digest);
            if from.exists() && !to.exists() {
                rename(&from, &to)?;
                placed.content.blobs.push(digest.clone());
            }
        }
        Ok(())
    }

    /// An image that is there stays as it is, unless only the new one knows its manifest.
    fn stays(&self, image: &StagedImage) -> Option<Entry> {
        let known = self.store.index().images.get(&image.record.id).cloned();
        known.filter(|entry| entry.record.manifest.is_some() || image.record.manifest.is_none())
    }

    fn place_image(&self, image: &StagedImage, placed: &mut Placed) -> Result<(), Error> {
        let id = &image.record.id;
        if self.stays(image).is_some() {
            return Ok(());
        }
        let is_new = !self.store.index().images.contains_key(id);
        let from = self.scratch.path().join(image_file(id));
        rename(&from, &self.store.image_records.path(id.hex()))?;
        let entry = Entry::new(image.record.clone(), image.config.clone());
        self.store.index().images.insert(id.clone(), entry);
        if is_new {
            placed.images.push(id.clone());
        }
        Ok(())
    }

    fn place_names(&self, image: &StagedImage, placed: &mut Placed) -> Result<Replaced, Error> {
        let mut replaced = Vec::new();
        for name in image.names.iter().map(names::plain) {
            let former = self.store.index().names.get(&name).cloned();
            if former.as_ref() == Some(&image.record.id) {
                continue;
            }
            let record = NameRecord { name: name.to_string(), image: image.record.id.clone() };
            let from = self.scratch.path().join(name_file(&record));
            rename(&from, &self.store.name_records.path(&name_key(&record.name)))?;
            self.store.index().names.insert(name.clone(), record.image);
            placed.names.push((name.clone(), former.clone()));
            replaced.extend(former.map(|former| (name, former)));
        }
        Ok(replaced)
    }
}

/// Puts an unpacked layer into its place. Someone else may have brought the same one meanwhile: then it is not done, and
/// ours goes with the scratch folder. The caller holds the lock of changes.
pub(crate) fn place_layer(store: &Store, layer: &StagedLayer) -> Result<bool, Error> {
    if store.index().layers.contains_key(&layer.chain) {
        return Ok(false);
    }
    rename(&layer.folder, &store.layout.snapshot(&layer.chain))?;
    store.index().layers.insert(layer.chain.clone(), layer.record.clone());
    Ok(true)
}

/// Takes away what was put into its place. It goes on after an error: the one that led here is told, and what stays is
/// whole, and collected or seen as an image without a name.
fn undo(store: &Store, placed: Placed) {
    for (name, former) in placed.names.into_iter().rev() {
        let key = name_key(&name.to_string());
        let mut index = store.index();
        match former {
            Some(image) => {
                let record = NameRecord { name: name.to_string(), image: image.clone() };
                index.names.insert(name, image);
                drop(index);
                let _ = store.name_records.put(&key, &record);
            }
            None => {
                index.names.remove(&name);
                drop(index);
                let _ = store.name_records.remove(&key);
            }
        }
    }
    for id in placed.images {
        store.index().images.remove(&id);
        let _ = store.image_records.remove(id.hex());
    }
    let _ = gc::sweep(store, &placed.content, &InUse::default());
}

fn image_file(id: &Digest) -> String {
    format!("image-{}", id.hex())
}

fn name_file(record: &NameRecord) -> String {
    format!("name-{}", name_key(&record.name))
}

fn sync(folders: [PathBuf; 2]) -> Result<(), Error> {
    for folder in folders {
        sync_dir(&folder).map_err(|source| Error::Write { path: folder, source })?;
    }
    Ok(())
}

pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    fs::rename(from, to).map_err(|source| Error::Write { path: to.to_owned(), source })
}
