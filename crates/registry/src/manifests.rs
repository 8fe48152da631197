//! Manifests and indexes, verified (OCI distribution specification, "Pulling manifests").

use crate::authorization;
use crate::error::Error;
use crate::registry::{Place, Registry};
use crate::request;
use bytes::Bytes;
use http::{HeaderValue, header};
use sampan_image::{Index, MAX_DOCUMENT, Manifest, media, sha256};
use sampan_spec::{Digest, Tag};

/// Which manifest or index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The one that has this tag now.
    Tag(Tag),
    /// The one with this digest.
    Digest(Digest),
}

/// What was had.
#[derive(Debug)]
pub enum Document {
    /// One image.
    Manifest(Manifest),
    /// A choice of images.
    Index(Index),
}

/// What was had, and at which of the repository's addresses: its blobs are best asked for there.
#[derive(Debug)]
pub struct Fetched {
    /// The document.
    pub document: Document,
    /// See [`crate::blobs::open`].
    pub place: usize,
}

impl Document {
    /// Its digest.
    pub fn digest(&self) -> &Digest {
        match self {
            Self::Manifest(manifest) => manifest.digest(),
            Self::Index(index) => index.digest(),
        }
    }
}

/// Asks for a manifest or index, at one address after the other: the next one is asked if nobody answers, and after any
/// failure of a mirror.
///
/// # Errors
/// That of the last address asked.
pub async fn get(registry: &Registry, target: &Target) -> Result<Fetched, Error> {
    let mut failure = Error::Nowhere { domain: registry.name.domain().to_owned() };
    for (at, place) in registry.places.iter().enumerate() {
        let greeted = authorization::greet(place).await;
        let others_may_know = greeted.is_err() || place.endpoint.mirror;
        let got = match greeted {
            Ok(()) => at_place(registry, place, target).await,
            Err(error) => Err(error),
        };
        match got {
            Ok(document) => return Ok(Fetched { document, place: at }),
            Err(error) if !others_may_know => return Err(error),
            Err(error) => failure = error,
        }
        tracing::debug!("{}: {}", place.endpoint.base, crate::dial::chain(&failure));
    }
    Err(failure)
}

async fn at_place(registry: &Registry, place: &Place, target: &Target) -> Result<Document, Error> {
    let what = match target {
        Target::Tag(tag) => format!("manifests/{tag}"),
        Target::Digest(digest) => format!("manifests/{digest}"),
    };
    let mut headers = request::headers();
    headers.insert(header::ACCEPT, HeaderValue::from_static(ACCEPT));
    let arrived = request::get(registry, place, &what, &headers).await?;
    let text = |name: &str| {
        let value = arrived.response.headers().get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let (kind, stated) = (text("content-type"), text("docker-content-digest"));
    let bytes = request::read(arrived.response.into_body(), &arrived.url, MAX_DOCUMENT).await?;
    verify(&bytes, target, &stated)?;
    parse(&kind, &bytes)
}

/// All that Docker asks for, too.
const ACCEPT: &str = "application/vnd.docker.distribution.manifest.v2+json, \
                      application/vnd.docker.distribution.manifest.list.v2+json, \
                      application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json";

/// What was asked for, and what the registry says that it sends, must be what came.
fn verify(bytes: &[u8], target: &Target, stated: &str) -> Result<(), Error> {
    let actual = sha256(bytes);
    if let Target::Digest(expected) = target
        && *expected != actual
    {
        return Err(Error::Digest { expected: expected.clone(), actual });
    }
    // A digest of another algorithm says nothing here.
    if stated.parse::<Digest>().is_ok_and(|stated| stated != actual) {
        return Err(Error::Header { header: stated.to_owned(), actual });
    }
    Ok(())
}

/// By what the registry says it is; if it says nothing of use, by what it looks like.
fn parse(kind: &str, bytes: &Bytes) -> Result<Document, Error> {
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if kind.starts_with(SCHEMA_1) {
        return Err(Error::Schema1);
    }
    if media::is_index(kind) {
        return Ok(Document::Index(Index::parse(bytes.to_vec())?));
    }
    match Manifest::parse(bytes.to_vec()) {
        Err(error) if !media::is_manifest(kind) => {
            Index::parse(bytes.to_vec()).map(Document::Index).map_err(|_| error.into())
        }
        parsed => Ok(Document::Manifest(parsed?)),
    }
}

const SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1+";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_asked_for_is_refused() {
        let (bytes, other) = (b"{}", sha256(b"other"));
        let tag = Target::Tag("1".parse().unwrap());
        assert!(verify(bytes, &tag, "").is_ok());
        assert!(verify(bytes, &tag, "sha512:00").is_ok());
        assert!(verify(bytes, &tag, sha256(bytes).as_str()).is_ok());
        assert!(matches!(verify(bytes, &tag, other.as_str()), Err(Error::Header { .. })));
        assert!(verify(bytes, &Target::Digest(sha256(bytes)), "").is_ok());
        let error = verify(bytes, &Target::Digest(other.clone()), "").unwrap_err().to_string();
        assert!(error.starts_with(&format!("manifest verification failed for digest {other}")), "{error}");
    }

    #[test]
    fn a_document_is_what_it_says_or_looks_like() {
        let index = Bytes::from_static(br#"{"schemaVersion":2,"manifests":[]}"#);
        for kind in [media::OCI_INDEX, "application/json; charset=utf-8", ""] {
            assert!(matches!(parse(kind, &index), Ok(Document::Index(_))), "{kind}");
        }
        assert!(matches!(parse(media::OCI_MANIFEST, &index), Err(Error::Manifest(_))));
        let old = "application/vnd.docker.distribution.manifest.v1+prettyjws";
        assert!(matches!(parse(old, &index), Err(Error::Schema1)));
        assert!(matches!(parse("", &Bytes::from_static(b"<html>")), Err(Error::Manifest(_))));
    }
}
