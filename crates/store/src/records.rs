//! Records: one JSON file per object, written atomically, in a folder of them.
//!
//! ```text
//! flat:    <folder>/<name>.json            networks/<id>.json
//! nested:  <folder>/<name>/<file>          containers/<id>/container.json, volumes/<name>/volume.json
//! ```
//! A file that cannot be read becomes `<file>.damaged` and is reported; the others are not touched.

use crate::atomic::{self, Sync, UNFINISHED};
use crate::{Damaged, Error};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs;
use std::io;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

/// A folder of records of one type. Threads may use it at once, for different names.
#[derive(Debug)]
pub struct Directory<T> {
    folder: PathBuf,
    shape: Shape,
    kind: PhantomData<fn() -> T>,
}

#[derive(Clone, Copy, Debug)]
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
    /// Folders of a nested directory whose record is set aside, by now or since an earlier opening.
    pub aside: Vec<String>,
    /// Folders of a nested directory that hold no record and no damaged one: their making or removal was cut short.
    pub incomplete: Vec<String>,
}

const EXTENSION: &str = ".json";
const DAMAGED: &str = ".damaged";

impl<T: Serialize + DeserializeOwned> Directory<T> {
    /// Opens (or makes) a folder of files `<name>.json`.
    ///
    /// # Errors
    /// When the folder cannot be made or listed.
    pub fn flat(folder: &Path) -> Result<(Self, Scan<T>), Error> {
        Self::open(folder, Shape::Flat)
    }

    /// Opens (or makes) a folder of folders, each with a record in `file`.
    ///
    /// # Errors
    /// When the folder cannot be made or listed.
    pub fn nested(folder: &Path, file: &'static str) -> Result<(Self, Scan<T>), Error> {
        Self::open(folder, Shape::Nested(file))
    }

    fn open(folder: &Path, shape: Shape) -> Result<(Self, Scan<T>), Error> {
        atomic::create_dir(folder)?;
        let directory = Self { folder: folder.to_owned(), shape, kind: PhantomData };
        let mut scan =
            Scan { records: Vec::new(), damaged: Vec::new(), aside: Vec::new(), incomplete: Vec::new() };
        for name in list(folder)? {
            match shape {
                Shape::Flat => {
                    if let Some(name) = name.strip_suffix(EXTENSION) {
                        directory.scan(name, &mut scan)?;
                    }
                }
                Shape::Nested(_) => directory.scan(&name, &mut scan)?,
            }
        }
        Ok((directory, scan))
    }

    /// Reads one record into `scan`.
    fn scan(&self, name: &str, scan: &mut Scan<T>) -> Result<(), Error> {
        let file = self.file(name);
        if let Shape::Nested(_) = self.shape {
            let folder = self.path(name);
            if !folder.is_dir() {
                return Ok(());
            }
            list(&folder)?;
        }
        let reason = match fs::read(&file) {
            Ok(bytes) => match serde_json::from_slice(&bytes) {
                Ok(record) => {
                    scan.records.push((name.to_owned(), record));
                    return Ok(());
                }
                Err(e) => e.to_string(),
            },
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let list = if aside(&file).exists() { &mut scan.aside } else { &mut scan.incomplete };
                list.push(name.to_owned());
                return Ok(());
            }
            Err(e) => e.to_string(),
        };
        scan.damaged.push(set_aside(&file, reason)?);
        scan.aside.push(name.to_owned());
        Ok(())
    }

    /// The folder that belongs to an object of a nested directory; the file of one of a flat one.
    pub fn path(&self, name: &str) -> PathBuf {
        match self.shape {
            Shape::Flat => self.file(name),
            Shape::Nested(_) => self.folder.join(name),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        match self.shape {
            Shape::Flat => self.folder.join(format!("{name}{EXTENSION}")),
            Shape::Nested(file) => self.folder.join(name).join(file),
        }
    }

    /// Writes a record, or replaces it: when this returns it survives a power cut. Makes the object's folder.
    ///
    /// # Errors
    /// When it cannot be written; what was there before still is. When the name is not a plain file name.
    pub fn put(&self, name: &str, value: &T) -> Result<(), Error> {
        self.write(name, value, Sync::Yes)
    }

    /// As [`Directory::put`], but does not wait for the disk: a power cut may bring the former record back.
    ///
    /// # Errors
    /// As `put`.
    pub fn put_unsynced(&self, name: &str, value: &T) -> Result<(), Error> {
        self.write(name, value, Sync::No)
    }

    fn write(&self, name: &str, value: &T, sync: Sync) -> Result<(), Error> {
        check_name(name)?;
        let path = self.file(name);
        let bytes = encode(&path, value)?;
        if let Shape::Nested(_) = self.shape {
            let folder = self.path(name);
            if !folder.is_dir() {
                atomic::create_dir(&folder)?;
                if sync == Sync::Yes {
                    atomic::sync_dir(&self.folder)
                        .map_err(|source| Error::Write { path: folder.clone(), source })?;
                }
            }
        }
        atomic::write(&path, &bytes, sync).map_err(|source| Error::Write { path, source })
    }

    /// Removes a record; in a nested directory the object's whole folder, the record first. One that is not there is
    /// no error.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn remove(&self, name: &str) -> Result<(), Error> {
        check_name(name)?;
        atomic::remove_all(&self.file(name))?;
        if let Shape::Nested(_) = self.shape {
            atomic::remove_all(&self.path(name))?;
        }
        Ok(())
    }
}

/// The text of a record that goes to `path`.
pub(crate) fn encode<T: Serialize>(path: &Path, value: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec_pretty(value).map_err(|source| Error::Encode { path: path.to_owned(), source })
}

/// The names in a folder, in order. Files that were not finished are removed on the way.
fn list(folder: &Path) -> Result<Vec<String>, Error> {
    let failed = |source| Error::Read { path: folder.to_owned(), source };
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name.starts_with(UNFINISHED) {
            atomic::remove_all(&entry.path())?;
        } else if !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn check_name(name: &str) -> Result<(), Error> {
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) {
        return Err(Error::RecordName { name: name.to_owned() });
    }
    Ok(())
}

/// Renames a file that could not be read, so that it is not read again and can be looked at.
pub(crate) fn set_aside(file: &Path, reason: String) -> Result<Damaged, Error> {
    let path = aside(file);
    fs::rename(file, &path).map_err(|source| Error::Write { path: path.clone(), source })?;
    Ok(Damaged { path, reason })
}

fn aside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(DAMAGED);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_written_listed_and_removed() {
        let root = tempfile::tempdir().unwrap();
        for nested in [false, true] {
            let folder = root.path().join(nested.to_string());
            let open = || {
                if nested { Directory::<u32>::nested(&folder, "r.json") } else { Directory::flat(&folder) }
                    .unwrap()
            };
            let (directory, scan) = open();
            assert!(scan.records.is_empty());
            directory.put("b", &2).unwrap();
            directory.put_unsynced("a", &1).unwrap();
            directory.put("b", &3).unwrap();
            assert_eq!(open().1.records, [("a".into(), 1), ("b".into(), 3)]);
            directory.remove("a").unwrap();
            directory.remove("a").unwrap();
            assert_eq!(open().1.records, [("b".into(), 3)]);
            for bad in ["", "..", "a/b", ".x"] {
                assert!(matches!(directory.put(bad, &1), Err(Error::RecordName { .. })));
            }
        }
    }

    #[test]
    fn damage_stays_with_one_object() {
        let root = tempfile::tempdir().unwrap();
        let (directory, _) = Directory::<u32>::nested(root.path(), "r.json").unwrap();
        for name in ["a", "b", "c"] {
            directory.put(name, &1).unwrap();
        }
        fs::write(root.path().join("b/r.json"), "{").unwrap();
        fs::write(root.path().join("c/.new-1"), "{").unwrap();
        fs::create_dir(root.path().join("d")).unwrap();
        let (_, scan) = Directory::<u32>::nested(root.path(), "r.json").unwrap();
        assert_eq!(scan.records, [("a".into(), 1), ("c".into(), 1)]);
        assert_eq!(scan.damaged[0].path, root.path().join("b/r.json.damaged"));
        assert_eq!(scan.incomplete, ["d"]);
        assert!(!root.path().join("c/.new-1").exists());
        let (_, scan) = Directory::<u32>::nested(root.path(), "r.json").unwrap();
        assert!(scan.damaged.is_empty());
        assert_eq!((scan.aside, scan.incomplete), (vec!["b".into()], vec!["d".into()]));
    }
}
