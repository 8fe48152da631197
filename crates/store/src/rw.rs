//! The writable layer of a container.
//!
//! ```text
//! <container's folder>/rw/upper/     what differs from the image
//! <container's folder>/rw/work/      overlayfs's own
//! ```

use crate::Error;
use std::path::Path;

/// Makes an empty writable layer in a container's folder, which exists.
///
/// # Errors
/// When it cannot be made; nothing is left of it then.
pub fn create(container: &Path) -> Result<(), Error> {
    todo!()
}

/// Makes a writable layer mountable again that was mounted as `volatile`: overlayfs refuses one that was not unmounted
/// (Documentation/filesystems/overlayfs.rst, "Volatile mount").
///
/// # Errors
/// When its mark cannot be removed.
pub fn reset_volatile(container: &Path) -> Result<(), Error> {
    todo!()
}

/// Removes a writable layer. One that is not there is no error.
///
/// # Errors
/// When something cannot be removed.
pub fn remove(container: &Path) -> Result<(), Error> {
    todo!()
}

/// The size of its files in bytes, as `docker ps -s` counts it: hard links once, folders not at all.
///
/// # Errors
/// When it cannot be read.
pub fn size(container: &Path) -> Result<u64, Error> {
    todo!()
}
