//! Kernel settings below `/proc/sys/net`, of the calling thread's network name space.

use crate::Error;
use std::fs;
use std::path::Path;

/// Whether a setting is other than 0.
pub(crate) fn is_on(path: &str) -> Result<bool, Error> {
    let full = Path::new("/proc/sys/net").join(path);
    match fs::read_to_string(&full) {
        Ok(value) => Ok(value.trim() != "0"),
        Err(source) => Err(Error::Sysctl { path: path.to_owned(), source }),
    }
}

/// Sets a setting, unless it has that value.
pub(crate) fn set(path: &str, on: bool) -> Result<(), Error> {
    if is_on(path)? == on {
        return Ok(());
    }
    let full = Path::new("/proc/sys/net").join(path);
    fs::write(full, if on { "1" } else { "0" })
        .map_err(|source| Error::Sysctl { path: path.to_owned(), source })
}
