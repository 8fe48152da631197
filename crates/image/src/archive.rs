//! Archives of images: what `docker save` writes and OCI layouts, as streams.

/// Why an archive could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It holds no image.
    #[error("the archive holds neither manifest.json nor index.json")]
    NoImage,
}

impl Error {
    /// Whether the archive is to blame, and not this host.
    pub fn is_foreign(&self) -> bool {
        true
    }
}
