//! Unpacking layers.

/// Why a layer could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// It is cut off.
    #[error("the tar is cut off")]
    Truncated,
}

impl ApplyError {
    /// Whether the tar is to blame, and not this host.
    pub fn is_foreign(&self) -> bool {
        true
    }
}
