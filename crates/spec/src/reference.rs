//! Image references as users type them, and the names they stand for (distribution's reference grammar).

use crate::{Digest, ParseDigestError};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

const DEFAULT_DOMAIN: &str = "docker.io";
const OFFICIAL: &str = "library/";
const DEFAULT_TAG: &str = "latest";
const NAME_MAX: usize = 255;
const TAG_MAX: usize = 128;

/// A repository's full name: `docker.io/library/debian`, `localhost:5000/a/b`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageName {
    domain: String,
    path: String,
}

/// A tag: up to 128 letters, digits, `_`, `.` and `-`, not starting with the last two.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tag(String);

/// A name with a tag, a digest, or both. One without either was completed with `latest`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    /// The repository.
    pub name: ImageName,
    /// Its tag. At least one of tag and digest is there.
    pub tag: Option<Tag>,
    /// The digest of a manifest or index.
    pub digest: Option<Digest>,
}

/// A string is no image reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseReferenceError {
    /// It does not follow the grammar.
    #[error("invalid reference format")]
    Format,
    /// A repository's name has a capital letter.
    #[error("invalid reference format: repository name ({0}) must be lowercase")]
    Uppercase(String),
    /// The name is over 255 characters.
    #[error("repository name must not be more than 255 characters")]
    TooLong,
    /// The part behind `@` is no digest.
    #[error("invalid reference format")]
    Digest(#[source] ParseDigestError),
}

impl ImageName {
    /// The registry's host and port.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The path within the registry.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The name as people type it: `debian` for `docker.io/library/debian`.
    pub fn familiar(&self) -> String {
        if self.domain != DEFAULT_DOMAIN {
            return self.to_string();
        }
        match self.path.strip_prefix(OFFICIAL) {
            Some(short) if !short.contains('/') => short.to_owned(),
            _ => self.path.clone(),
        }
    }
}

impl Default for Tag {
    /// What is meant where no tag is said: `latest`.
    fn default() -> Self {
        Self(DEFAULT_TAG.into())
    }
}

impl Tag {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Reference {
    /// The reference as people type it: `debian:12`, `debian@sha256:...`.
    pub fn familiar(&self) -> String {
        self.with_name(&self.name.familiar())
    }

    fn with_name(&self, name: &str) -> String {
        let tag = self.tag.as_ref().map(|t| format!(":{}", t.0)).unwrap_or_default();
        let digest = self.digest.as_ref().map(|d| format!("@{d}")).unwrap_or_default();
        format!("{name}{tag}{digest}")
    }
}

impl FromStr for ImageName {
    type Err = ParseReferenceError;

    fn from_str(text: &str) -> Result<Self, ParseReferenceError> {
        let (domain, path) = match text.split_once('/') {
            Some((first, rest)) if is_domain_part(first) => (first, rest.to_owned()),
            _ if text.contains('/') => (DEFAULT_DOMAIN, text.to_owned()),
            _ => (DEFAULT_DOMAIN, format!("{OFFICIAL}{text}")),
        };
        let domain = if domain == "index.docker.io" { DEFAULT_DOMAIN } else { domain };
        let path =
            if domain == DEFAULT_DOMAIN && !path.contains('/') { format!("{OFFICIAL}{path}") } else { path };
        if path.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(ParseReferenceError::Uppercase(path));
        }
        if !is_domain(domain) || !path.split('/').all(is_component) {
            return Err(ParseReferenceError::Format);
        }
        if domain.len() + 1 + path.len() > NAME_MAX {
            return Err(ParseReferenceError::TooLong);
        }
        Ok(Self { domain: domain.to_owned(), path })
    }
}

impl FromStr for Tag {
    type Err = ParseReferenceError;

    fn from_str(text: &str) -> Result<Self, ParseReferenceError> {
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let valid = (1..=TAG_MAX).contains(&text.len())
            && word(text.as_bytes()[0])
            && text.bytes().all(|b| word(b) || b == b'.' || b == b'-');
        if valid { Ok(Self(text.to_owned())) } else { Err(ParseReferenceError::Format) }
    }
}

impl FromStr for Reference {
    type Err = ParseReferenceError;

    fn from_str(text: &str) -> Result<Self, ParseReferenceError> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse().map_err(ParseReferenceError::Digest)?)),
            None => (text, None),
        };
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag.parse()?)),
            _ => (rest, None),
        };
        let tag = if tag.is_none() && digest.is_none() { Some(Tag::default()) } else { tag };
        Ok(Self { name: name.parse()?, tag, digest })
    }
}

/// The first part of a name is a host where it could not be a path: it has a dot or port, is `localhost`, or has a
/// capital letter.
fn is_domain_part(part: &str) -> bool {
    part.contains(['.', ':']) || part == "localhost" || part.bytes().any(|b| b.is_ascii_uppercase())
}

fn is_domain(domain: &str) -> bool {
    let (host, port) = match domain.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (domain, None),
    };
    let port_fits = port.is_none_or(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()));
    let label = |l: &str| {
        let edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
        edge(l.bytes().next())
            && edge(l.bytes().last())
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let ipv6 = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    port_fits
        && ipv6.map_or_else(
            || host.split('.').all(label),
            |address| address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':'),
        )
}

/// Lower-case letters and digits, separated by one `.`, one or two `_`, or any number of `-`.
fn is_component(part: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = part.as_bytes();
    let edges = bytes.first().is_some_and(|b| word(*b)) && bytes.last().is_some_and(|b| word(*b));
    let separators = part.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    edges
        && separators.into_iter().all(|s| matches!(s, "" | "." | "_" | "__") || s.bytes().all(|b| b == b'-'))
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.domain, self.path)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.with_name(&self.name.to_string()))
    }
}

impl TryFrom<String> for ImageName {
    type Error = ParseReferenceError;
    fn try_from(s: String) -> Result<Self, ParseReferenceError> {
        s.parse()
    }
}

impl From<ImageName> for String {
    fn from(name: ImageName) -> String {
        name.to_string()
    }
}

impl TryFrom<String> for Tag {
    type Error = ParseReferenceError;
    fn try_from(s: String) -> Result<Self, ParseReferenceError> {
        s.parse()
    }
}

impl From<Tag> for String {
    fn from(tag: Tag) -> String {
        tag.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, full: Option<&str>, familiar: &str) {
        let got = text.parse::<Reference>().ok();
        assert_eq!(got.as_ref().map(ToString::to_string).as_deref(), full, "{text}");
        if let Some(reference) = got {
            assert_eq!(reference.familiar(), familiar, "{text}");
        }
    }

    #[test]
    fn references() {
        check("debian", Some("docker.io/library/debian:latest"), "debian:latest");
        check("debian:12", Some("docker.io/library/debian:12"), "debian:12");
        check("index.docker.io/debian", Some("docker.io/library/debian:latest"), "debian:latest");
        check("a/b", Some("docker.io/a/b:latest"), "a/b:latest");
        check("localhost/b", Some("localhost/b:latest"), "localhost/b:latest");
        check("127.0.0.1:5000/a/b:1", Some("127.0.0.1:5000/a/b:1"), "127.0.0.1:5000/a/b:1");
        check("[::1]:5000/a", Some("[::1]:5000/a:latest"), "[::1]:5000/a:latest");
        let digest = format!("sha256:{}", "0a".repeat(32));
        check(&format!("x@{digest}"), Some(&format!("docker.io/library/x@{digest}")), &format!("x@{digest}"));
        check("a__b/c-d.e", Some("docker.io/a__b/c-d.e:latest"), "a__b/c-d.e:latest");
        for bad in [
            "",
            ":",
            "a:",
            "a//b",
            "UP",
            "a___b",
            "a..b",
            "-a",
            "a@sha256:12",
            "a:b c",
            "a/b:c/d",
            "/a",
            "a/",
        ] {
            check(bad, None, "");
        }
        let long = format!("a:{}", "t".repeat(129));
        check(&long, None, "");
        check(&"a/".repeat(128), None, "");
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(text in "[a-zA-Z0-9._/:@\\[\\]-]{0,40}") {
            if let Ok(reference) = text.parse::<Reference>() {
                prop_assert_eq!(reference.to_string().parse(), Ok(reference.clone()));
                prop_assert_eq!(reference.familiar().parse(), Ok(reference));
            }
        }
    }
}
