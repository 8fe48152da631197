//! Reading single files of a root file system that is not mounted: `/etc/passwd` for a user's name.

use crate::Error;
use sampan_spec::bundle::RootFs;

/// The file that a container with this root would see at `path`, following links inside the root. `None` if there is
/// no such file, or it is none that can be read (a folder, a device).
///
/// # Errors
/// When it cannot be read, or is larger than `max` bytes.
pub fn read_file(root: &RootFs, path: &str, max: u64) -> Result<Option<Vec<u8>>, Error> {
    todo!()
}
