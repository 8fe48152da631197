//! Records: one JSON file per object, written atomically, in a folder of them.
//!
//! ```text
//! flat:    <folder>/<name>.json            networks/<id>.json
//! nested:  <folder>/<name>/<file>          containers/<id>/container.json, volumes/<name>/volume.json
//! ```
//! A file that cannot be read becomes `<file>.damaged` and is reported; the others are not touched.

use crate::{Damaged, Error};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

/// A folder of records of one type. Threads may use it at once, for different names.
#[derive(Debug)]
pub struct Directory<T> {
    folder: PathBuf,
    shape: Shape,
    kind: PhantomData<fn() -> T>,
}

#[derive(Clone, Debug)]
enum Shape {
    Flat,
    Nested(&'static str),
}

/// What a folder held when it was opened.
#[derive(Debug)]
pub struct Scan<T> {
    /// The records with their names, in the names' order.
    pub records: Vec<(String, T)>,
    /// Those that could not be read, set aside.
    pub damaged: Vec<Damaged>,
    /// Folders of a nested directory that hold no record: their making or removal was cut short.
    pub incomplete: Vec<String>,
}

impl<T: Serialize + DeserializeOwned> Directory<T> {
    /// Opens (or makes) a folder of files `<name>.json`.
    ///
    /// # Errors
    /// When the folder cannot be made or listed.
    pub fn flat(folder: &Path) -> Result<(Self, Scan<T>), Error> {
        todo!()
    }

    /// Opens (or makes) a folder of folders, each with a record in `file`.
    ///
    /// # Errors
    /// When the folder cannot be made or listed.
    pub fn nested(folder: &Path, file: &'static str) -> Result<(Self, Scan<T>), Error> {
        todo!()
    }

    /// The folder that belongs to an object of a nested directory; the file of one of a flat one.
    pub fn path(&self, name: &str) -> PathBuf {
        todo!()
    }

    /// Writes a record, or replaces it: when this returns it survives a power cut. Makes the object's folder.
    ///
    /// # Errors
    /// When it cannot be written; what was there before still is. When the name is not a plain file name.
    pub fn put(&self, name: &str, value: &T) -> Result<(), Error> {
        todo!()
    }

    /// As [`Directory::put`], but does not wait for the disk: a power cut may bring the former record back.
    ///
    /// # Errors
    /// As `put`.
    pub fn put_unsynced(&self, name: &str, value: &T) -> Result<(), Error> {
        todo!()
    }

    /// Removes a record; in a nested directory the object's whole folder, the record first. One that is not there is
    /// no error.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn remove(&self, name: &str) -> Result<(), Error> {
        todo!()
    }
}
