//! Archives of images as streams: what `docker save` writes (`manifest.json`, Docker's image specification v1.3) and
//! OCI layouts (OCI image specification, "image-layout.md"). An archive that is both is read as the former, which
//! names every image's tags.
//!
//! An archive may hold its files in any order, so they go to a [`Spool`] first, each hashed on its way.

mod docker;
mod oci;
#[cfg(test)]
mod tests;

use crate::compression::Decoder;
use crate::{Content, ContentError, Descriptor, ImageConfig, Manifest, ManifestError, tar};
use sampan_spec::{Digest, ParseReferenceError, Platform, Reference};
use std::collections::BTreeMap;
use std::io::{self, Read};

/// Where an archive's files are kept while it is read.
pub trait Spool: Content {
    /// Begins the next file.
    ///
    /// # Errors
    /// When it cannot be kept.
    fn begin(&mut self) -> io::Result<()>;

    /// The next bytes of the file.
    ///
    /// # Errors
    /// When they cannot be kept.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Ends the file: its digest and size. From here on it can be opened by that digest.
    ///
    /// # Errors
    /// When it cannot be kept.
    fn finish(&mut self) -> io::Result<(Digest, u64)>;
}

/// An image in an archive.
#[derive(Clone, Debug)]
pub struct ArchivedImage {
    /// Its configuration.
    pub config: ImageConfig,
    /// The names that the archive gives it.
    pub names: Vec<Reference>,
    /// Its layers as the archive has them, lowest first: as many as the configuration's.
    pub layers: Vec<Descriptor>,
    /// Its manifest, if the archive has one.
    pub manifest: Option<Manifest>,
}

/// Why an archive could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is compressed in a way that is damaged or not supported.
    #[error("cannot read the archive: {source}")]
    Compression {
        /// Why.
        source: io::Error,
    },
    /// It is no tar.
    #[error(transparent)]
    Tar(#[from] tar::Error),
    /// One of its files could not be kept.
    #[error("cannot keep {entry} of the archive: {source}")]
    Spool {
        /// Its name.
        entry: String,
        /// Why.
        source: io::Error,
    },
    /// A file of it is larger than allowed.
    #[error("archive entry {entry:?} is larger than {limit} bytes")]
    TooLarge {
        /// Its name.
        entry: String,
        /// The limit.
        limit: u64,
    },
    /// A name leads out of it.
    #[error("archive entry {entry:?}: its name leads out of the archive")]
    Name {
        /// The name.
        entry: String,
    },
    /// It holds no image.
    #[error("the archive holds neither manifest.json nor index.json")]
    NoImage,
    /// It holds no image that runs here.
    #[error("the archive holds no image for {platform}")]
    Platform {
        /// What was asked for.
        platform: Platform,
    },
    /// A file that another one names is not there.
    #[error("the archive names {entry:?} and does not hold it")]
    Missing {
        /// Its name.
        entry: String,
    },
    /// A file is not what its name says.
    #[error("archive entry {entry:?} has digest {actual}")]
    Digest {
        /// Its name.
        entry: String,
        /// Its digest.
        actual: Digest,
    },
    /// Content has another size than its descriptor says.
    #[error("content {digest} has {actual} bytes, and {expected} were stated")]
    Size {
        /// Which.
        digest: Digest,
        /// What was stated.
        expected: u64,
        /// What it has.
        actual: u64,
    },
    /// `manifest.json` is not right.
    #[error("manifest.json is not valid: {source}")]
    List {
        /// Why.
        source: serde_json::Error,
    },
    /// A manifest or index is not right.
    #[error("{source}")]
    Manifest {
        /// Why.
        #[from]
        source: ManifestError,
    },
    /// A manifest is not one of an image.
    #[error("{digest} is no image: its configuration is of type {media_type:?}")]
    Artifact {
        /// The manifest.
        digest: Digest,
        /// The configuration's type.
        media_type: String,
    },
    /// Indexes are in each other too deep.
    #[error("index {digest} is nested too deep")]
    Depth {
        /// The one that is not read.
        digest: Digest,
    },
    /// An image's configuration is not right.
    #[error(transparent)]
    Config(#[from] crate::ConfigError),
    /// A document could not be read.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// An image has another number of layers than its configuration says.
    #[error("invalid manifest, layers length mismatch: expected {expected}, got {actual}")]
    LayerCount {
        /// What the configuration says.
        expected: usize,
        /// What there are.
        actual: usize,
    },
    /// An image's name is none.
    #[error("{name:?}: {source}")]
    Reference {
        /// The name.
        name: String,
        /// Why.
        source: ParseReferenceError,
    },
}

impl Error {
    /// Whether the archive is to blame, and not this host.
    pub fn is_foreign(&self) -> bool {
        match self {
            Self::Compression { source } => source.raw_os_error().is_none(),
            Self::Tar(source) => source.is_foreign(),
            Self::Spool { .. } | Self::Content(ContentError::Read { .. }) => false,
            _ => true,
        }
    }
}

/// An archive has few, large files.
const ENTRIES_MAX: u64 = 100_000;
const BUFFER: usize = 128 << 10;

/// Reads an archive, plain or compressed: every image in it for `platform`. No file of it may be larger than `max`
/// bytes. `progress` is told the bytes of the plain archive that were kept so far.
///
/// # Errors
/// See [`Error`].
pub fn read(
    archive: impl Read + Send,
    spool: &mut dyn Spool,
    platform: &Platform,
    max: u64,
    progress: &dyn Fn(u64),
) -> Result<Vec<ArchivedImage>, Error> {
    let files = Files::unpack(archive, spool, max, progress)?;
    let content: &dyn Content = spool;
    if files.contains(docker::LIST) {
        docker::images(&files, content)
    } else if files.contains(oci::INDEX) {
        oci::images(&files, content, platform)
    } else {
        Err(Error::NoImage)
    }
}

/// The files of an archive by name.
struct Files {
    files: BTreeMap<String, (Digest, u64)>,
    links: BTreeMap<String, String>,
}

/// Links to links are followed this far.
const LINKS_MAX: usize = 8;

impl Files {
    fn unpack(
        archive: impl Read + Send,
        spool: &mut dyn Spool,
        max: u64,
        progress: &dyn Fn(u64),
    ) -> Result<Self, Error> {
        let plain = Decoder::new(archive).map_err(|source| Error::Compression { source })?;
        let limits = tar::Limits { entries: ENTRIES_MAX, ..tar::Limits::default() };
        let mut reader = tar::Reader::new(plain, limits);
        let mut files = Self { files: BTreeMap::new(), links: BTreeMap::new() };
        let mut total = 0;
        while let Some(entry) = reader.next()? {
            let name = plain_name(&entry.name, "")?;
            match entry.kind {
                tar::Kind::File if entry.stored > max => {
                    return Err(Error::TooLarge { entry: name, limit: max });
                }
                tar::Kind::File => {
                    let file = keep(&mut reader, &name, spool, &mut |n| {
                        total += n;
                        progress(total);
                    })?;
                    check_blob_name(&name, &file.0)?;
                    files.links.remove(&name);
                    files.files.insert(name, file);
                }
                tar::Kind::Symlink => {
                    let target = plain_name(&entry.link, &name)?;
                    files.links.insert(name, target);
                }
                tar::Kind::HardLink => {
                    let target = plain_name(&entry.link, "")?;
                    files.links.insert(name, target);
                }
                _ => {}
            }
        }
        Ok(files)
    }

    fn contains(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// The file with this name, or the one that a link with this name leads to.
    fn get(&self, name: &str) -> Result<&(Digest, u64), Error> {
        let missing = || Error::Missing { entry: name.to_owned() };
        let mut at = plain_name(name.as_bytes(), "")?;
        for _ in 0..LINKS_MAX {
            match (self.files.get(&at), self.links.get(&at)) {
                (Some(file), _) => return Ok(file),
                (None, Some(target)) => at.clone_from(target),
                (None, None) => break,
            }
        }
        Err(missing())
    }
}

/// Hands one file's content to the spool.
fn keep<R: Read>(
    reader: &mut tar::Reader<R>,
    name: &str,
    spool: &mut dyn Spool,
    count: &mut dyn FnMut(u64),
) -> Result<(Digest, u64), Error> {
    let failed = |source| Error::Spool { entry: name.to_owned(), source };
    spool.begin().map_err(failed)?;
    let mut buffer = vec![0; BUFFER];
    loop {
        let length = reader.content(&mut buffer)?;
        if length == 0 {
            return spool.finish().map_err(failed);
        }
        spool.write(&buffer[..length]).map_err(failed)?;
        count(length as u64);
    }
}

/// A name without empty parts and dots; one that is relative to the folder of `beside`, if that is given.
fn plain_name(name: &[u8], beside: &str) -> Result<String, Error> {
    let name = String::from_utf8_lossy(name);
    let mut parts: Vec<&str> = beside.split('/').collect();
    parts.pop();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                if parts.pop().is_none() {
                    return Err(Error::Name { entry: name.into_owned() });
                }
            }
            _ => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

/// A blob of an OCI layout is named by its digest.
fn check_blob_name(name: &str, actual: &Digest) -> Result<(), Error> {
    match name.strip_prefix(oci::BLOBS) {
        Some(hex) if hex != actual.hex() => {
            Err(Error::Digest { entry: name.to_owned(), actual: actual.clone() })
        }
        _ => Ok(()),
    }
}

/// Whether an image has a layer for each that its configuration names.
fn check_layers(config: &ImageConfig, layers: &[Descriptor]) -> Result<(), Error> {
    let (expected, actual) = (config.diff_ids().len(), layers.len());
    if expected == actual { Ok(()) } else { Err(Error::LayerCount { expected, actual }) }
}

/// A name that an archive gives an image. One with a tag and a digest is taken by its tag.
fn reference(name: &str) -> Result<Reference, Error> {
    let parsed: Result<Reference, _> = name.parse();
    let mut reference = parsed.map_err(|source| Error::Reference { name: name.to_owned(), source })?;
    if reference.tag.is_some() {
        reference.digest = None;
    }
    Ok(reference)
}
