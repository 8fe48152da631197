//! Unpacked layers, by chain id, for the overlay driver.
//!
//! ```text
//! snapshots/overlay/<chain id>/fs/           the layer's files as an overlay's lower folder
//!                             layer.json     `LayerRecord`
//!                             framing        the layer's tar without its files' contents (`extract::record`)
//!                             kept/<n>       files that a later entry of the same tar replaced
//! ```

use crate::extract::record;
use crate::layout::Layout;
use crate::records::set_aside;
use crate::{Damaged, Error, Store, rw, skeleton};
use sampan_spec::Digest;
use sampan_spec::bundle::RootFs;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// `layer.json`. Format break.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LayerRecord {
    /// The digest of its plain tar.
    pub(crate) diff_id: Digest,
    /// The chain id of the layer below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) parent: Option<Digest>,
    /// The size of its files in bytes, hard links once.
    pub(crate) size: u64,
}

/// The names in a layer's folder. Format break.
pub(crate) const FS: &str = "fs";
pub(crate) const RECORD: &str = "layer.json";

/// The root file system of a container of the image with this topmost layer (`Image::chain`): below the writable layer that
/// [`crate::rw::create`] made in `container` come what each container has, and the image's own.
///
/// # Errors
/// [`Error::NoSnapshot`], [`Error::Write`].
pub fn rootfs(
    store: &Store,
    chain: Option<&Digest>,
    container: &Path,
    volatile: bool,
) -> Result<RootFs, Error> {
    let mut lower = match chain {
        Some(chain) => folders(store, chain)?,
        None => Vec::new(),
    };
    lower.insert(0, skeleton::layer(store, &lower)?);
    Ok(RootFs::Overlay { lower, upper: rw::upper(container), work: rw::work(container), volatile })
}

/// The folders of a layer and all below it, topmost first: at least one.
pub(crate) fn folders(store: &Store, chain: &Digest) -> Result<Vec<PathBuf>, Error> {
    let chains = whole_ancestry(store, chain)?;
    Ok(chains.iter().map(|chain| store.layout.snapshot(chain).join(FS)).collect())
}

/// A layer and all below it, topmost first.
fn whole_ancestry(store: &Store, chain: &Digest) -> Result<Vec<Digest>, Error> {
    let index = store.index();
    let chains: Vec<Digest> = index.ancestry(chain).cloned().collect();
    let lowest = chains.last().ok_or_else(|| Error::NoSnapshot { chain: chain.clone() })?;
    match index.layers.get(lowest).and_then(|layer| layer.parent.clone()) {
        Some(missing) => Err(Error::NoSnapshot { chain: missing }),
        None => Ok(chains),
    }
}

/// Writes the plain tar of a layer, byte for byte as it came.
///
/// # Errors
/// [`Error::NoSnapshot`], [`Error::Rebuild`].
pub fn rebuild(store: &Store, chain: &Digest, to: &mut dyn Write) -> Result<(), Error> {
    let layer = store.index().layers.get(chain).cloned();
    let layer = layer.ok_or_else(|| Error::NoSnapshot { chain: chain.clone() })?;
    record::rebuild(&store.layout.snapshot(chain), &layer.diff_id, to)
        .map_err(|source| Error::Rebuild { chain: chain.clone(), source })
}

/// The layers that are there, by chain id.
pub(crate) fn scan(
    layout: &Layout,
    damaged: &mut Vec<Damaged>,
) -> Result<HashMap<Digest, LayerRecord>, Error> {
    let folder = layout.snapshots();
    let failed = |source| Error::Read { path: folder.clone(), source };
    let mut layers = HashMap::new();
    for entry in std::fs::read_dir(&folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let Ok(chain) = format!("sha256:{}", name.to_string_lossy()).parse::<Digest>() else { continue };
        match read(&entry.path()) {
            Ok(layer) => drop(layers.insert(chain, layer)),
            Err(reason) => damaged.push(set_aside(&entry.path(), reason)?),
        }
    }
    Ok(layers)
}

fn read(folder: &Path) -> Result<LayerRecord, String> {
    let bytes = std::fs::read(folder.join(RECORD)).map_err(|e| format!("{RECORD}: {e}"))?;
    serde_json::from_slice(&bytes).map_err(|e| format!("{RECORD}: {e}"))
}
