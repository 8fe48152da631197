//! The writable layer of a container.
//!
//! ```text
//! <container's folder>/rw/upper/     what differs from the image
//! <container's folder>/rw/work/      overlayfs's own
//! ```

use crate::{Error, atomic, walk};
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Makes an empty writable layer in a container's folder, which exists.
///
/// # Errors
/// When it cannot be made; nothing is left of it then.
pub fn create(container: &Path) -> Result<(), Error> {
    let rw = folder(container);
    let make = |path: &Path, mode| {
        let made = DirBuilder::new().mode(mode).create(path);
        made.map_err(|source| Error::Write { path: path.to_owned(), source })
    };
    make(&rw, 0o710)?;
    // The upper folder's attributes are those of the container's root folder.
    let parts = make(&upper(container), 0o755).and_then(|()| make(&work(container), 0o700));
    if parts.is_err() {
        atomic::remove_all(&rw)?;
    }
    parts
}

/// Makes a writable layer mountable again that was mounted as `volatile`: overlayfs refuses one that was not unmounted
/// (Documentation/filesystems/overlayfs.rst, "Volatile mount").
///
/// # Errors
/// When its mark cannot be removed.
pub fn reset_volatile(container: &Path) -> Result<(), Error> {
    atomic::remove_all(&work(container).join("work/incompat"))
}

/// Removes a writable layer. One that is not there is no error.
///
/// # Errors
/// When something cannot be removed.
pub fn remove(container: &Path) -> Result<(), Error> {
    atomic::remove_all(&folder(container))
}

/// The size of its files in bytes, as `docker ps -s` counts it: hard links once, folders not at all. Nothing if there
/// is no writable layer.
///
/// # Errors
/// When it cannot be read.
pub fn size(container: &Path) -> Result<u64, Error> {
    let path = upper(container);
    match walk::size(&path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(0),
        result => result.map_err(|source| Error::Read { path, source }),
    }
}

fn folder(container: &Path) -> PathBuf {
    container.join("rw")
}

pub(crate) fn upper(container: &Path) -> PathBuf {
    folder(container).join("upper")
}

pub(crate) fn work(container: &Path) -> PathBuf {
    folder(container).join("work")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_writable_layer_is_made_measured_and_removed() {
        let container = tempfile::tempdir().unwrap();
        let path = container.path();
        assert_eq!(size(path).unwrap(), 0);
        create(path).unwrap();
        assert!(create(path).is_err());
        fs::write(upper(path).join("a"), "12345").unwrap();
        fs::hard_link(upper(path).join("a"), upper(path).join("b")).unwrap();
        fs::create_dir(upper(path).join("d")).unwrap();
        std::os::unix::fs::symlink("abc", upper(path).join("d/l")).unwrap();
        assert_eq!(size(path).unwrap(), 8);
        fs::create_dir_all(work(path).join("work/incompat/volatile")).unwrap();
        reset_volatile(path).unwrap();
        assert_eq!(fs::read_dir(work(path).join("work")).unwrap().count(), 0);
        remove(path).unwrap();
        remove(path).unwrap();
        assert_eq!(fs::read_dir(path).unwrap().count(), 0);
    }
}
