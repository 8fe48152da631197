//! Files and folders that are there whole or not at all.

use crate::Error;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Whether to wait until the disk has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sync {
    Yes,
    No,
}

/// What begins so is a file that was not finished: [`write()`] makes them beside the file they are for.
pub(crate) const UNFINISHED: &str = ".new-";

/// Writes a file or replaces it.
pub(crate) fn write(path: &Path, bytes: &[u8], sync: Sync) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let unfinished = folder.join(format!("{UNFINISHED}{}", random()?));
    let result = write_new(&unfinished, bytes, sync).and_then(|()| fs::rename(&unfinished, path));
    if result.is_err() {
        // The error that is returned says more than that of a removal.
        let _ = fs::remove_file(&unfinished);
    }
    result.and_then(|()| if sync == Sync::Yes { sync_dir(folder) } else { Ok(()) })
}

fn write_new(path: &Path, bytes: &[u8], sync: Sync) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    if sync == Sync::Yes { file.sync_all() } else { Ok(()) }
}

/// Waits until the disk has a folder's names.
pub(crate) fn sync_dir(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Makes a folder, with those above it, that only root may list.
pub(crate) fn create_dir(path: &Path) -> Result<(), Error> {
    let made = DirBuilder::new().recursive(true).mode(0o710).create(path);
    made.map_err(|source| Error::Write { path: path.to_owned(), source })
}

/// Makes a folder that is empty.
pub(crate) fn empty_dir(path: &Path) -> Result<(), Error> {
    remove_all(path)?;
    create_dir(path)
}

/// Removes a file or a whole folder. What is not there is no error.
pub(crate) fn remove_all(path: &Path) -> Result<(), Error> {
    let removed = match fs::symlink_metadata(path) {
        Ok(m) if m.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(e) => Err(e),
    };
    match removed {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(Error::Remove { path: path.to_owned(), source: e })
        }
        _ => Ok(()),
    }
}

/// A folder that goes with everything in it when this is dropped.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(tmp: &Path) -> Result<Self, Error> {
        let path = tmp.join(random().map_err(|source| Error::Write { path: tmp.to_owned(), source })?);
        create_dir(&path)?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now goes when the store is opened next.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn random() -> io::Result<String> {
    getrandom::u64().map(|number| format!("{number:016x}")).map_err(|e| io::Error::other(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_or_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write(&path, b"1", Sync::Yes).unwrap();
        write(&path, b"2", Sync::No).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"2");
        assert!(write(&folder.path().join("no/a"), b"3", Sync::Yes).is_err());
        fs::create_dir(folder.path().join("d")).unwrap();
        fs::write(folder.path().join("d/x"), "").unwrap();
        assert!(write(&folder.path().join("d"), b"3", Sync::Yes).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
