//! The store as a value: where it is, its index, and what was damaged when it was opened.

use crate::images::ImageRecord;
use crate::index::{Entry, Index};
use crate::layout::{Layout, name_key};
use crate::names::NameRecord;
use crate::records::{self, Directory};
use crate::snapshots::LayerRecord;
use crate::{Error, blobs, snapshots};
use sampan_image::{ImageConfig, read_document};
use sampan_spec::{Digest, Reference};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// An open store. One process at a time may have it: the lock of the data root is its opener's.
#[derive(Debug)]
pub struct Store {
    pub(crate) layout: Layout,
    pub(crate) image_records: Directory<ImageRecord>,
    pub(crate) name_records: Directory<NameRecord>,
    index: Mutex<Index>,
    changes: Mutex<()>,
    damaged: Vec<Damaged>,
}

/// An object that could not be read. Its file was renamed to `path`, and the store goes on without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// Where it is now.
    pub path: PathBuf,
    /// Why it could not be read.
    pub reason: String,
}

impl Store {
    /// Opens the store in `data_root` (made if it is not there), empties `tmp/`, and reads all records.
    ///
    /// # Errors
    /// When the layout is newer than this program, or the folders cannot be made or read. A damaged object is no
    /// error: see [`Store::damaged`].
    pub fn open(data_root: &Path) -> Result<Self, Error> {
        let layout = Layout::open(data_root)?;
        let (image_records, images) = Directory::flat(&layout.images())?;
        let (name_records, names) = Directory::<NameRecord>::flat(&layout.names())?;
        let mut damaged = [images.damaged, names.damaged].concat();
        let layers = snapshots::scan(&layout, &mut damaged)?;
        let images = index_images(&layout, images.records, &layers, &mut damaged)?;
        let names = index_names(&layout, names.records, &images, &mut damaged)?;
        let index = Mutex::new(Index { images, names, layers, leases: HashMap::new() });
        Ok(Self { layout, image_records, name_records, index, changes: Mutex::new(()), damaged })
    }

    /// What was damaged when the store was opened.
    pub fn damaged(&self) -> &[Damaged] {
        &self.damaged
    }

    /// The data root.
    pub fn data_root(&self) -> &Path {
        self.layout.root()
    }

    /// The index. Held for look-ups and changes in memory only, never over a system call.
    pub(crate) fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held by one that changes which images and names there are, from its look at the index over the files to the
    /// index: two changes must not disagree about them. Readers do not wait for it, and nothing slow is done under it.
    pub(crate) fn changes(&self) -> MutexGuard<'_, ()> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The images whose configuration and layers are there; the others' records are set aside.
fn index_images(
    layout: &Layout,
    records: Vec<(String, ImageRecord)>,
    layers: &HashMap<Digest, LayerRecord>,
    damaged: &mut Vec<Damaged>,
) -> Result<HashMap<Digest, Entry>, Error> {
    let mut images = HashMap::new();
    for (key, record) in records {
        match image(layout, record, layers) {
            Ok(entry) if entry.record.id.hex() == key => {
                images.insert(entry.record.id.clone(), entry);
            }
            Ok(entry) => {
                let reason = format!("it is the record of image {}", entry.record.id);
                damaged.push(records::set_aside(&layout.images().join(format!("{key}.json")), reason)?);
            }
            Err(reason) => {
                damaged.push(records::set_aside(&layout.images().join(format!("{key}.json")), reason)?);
            }
        }
    }
    Ok(images)
}

fn image(
    layout: &Layout,
    record: ImageRecord,
    layers: &HashMap<Digest, LayerRecord>,
) -> Result<Entry, String> {
    let bytes = read_document(&blobs::Blobs(layout), &record.id).map_err(|e| e.to_string())?;
    let config = ImageConfig::parse(bytes).map_err(|e| e.to_string())?;
    let entry = Entry::new(record, config);
    match entry.chains.iter().find(|chain| !layers.contains_key(chain)) {
        Some(missing) => Err(format!("its layer {missing} is missing")),
        None => Ok(entry),
    }
}

/// The names of images that are there. A name whose image is gone was being removed with it: it goes.
fn index_names(
    layout: &Layout,
    records: Vec<(String, NameRecord)>,
    images: &HashMap<Digest, Entry>,
    damaged: &mut Vec<Damaged>,
) -> Result<BTreeMap<Reference, Digest>, Error> {
    let mut names = BTreeMap::new();
    for (key, record) in records {
        let path = layout.names().join(format!("{key}.json"));
        match record.name.parse::<Reference>() {
            Ok(name) if key == name_key(&record.name) && images.contains_key(&record.image) => {
                names.insert(name, record.image);
            }
            Ok(name) => {
                let reason = format!("{name} names image {}, which is not there", record.image);
                damaged.push(records::set_aside(&path, reason)?);
            }
            Err(e) => damaged.push(records::set_aside(&path, e.to_string())?),
        }
    }
    Ok(names)
}
