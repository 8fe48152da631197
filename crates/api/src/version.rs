//! Versions of the Engine API, and how client and server agree on one.

use std::fmt;
use std::str::FromStr;

/// `1.51`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiVersion {
    /// 1 in all versions so far.
    pub major: u32,
    /// Counts up.
    pub minor: u32,
}

/// A client's version cannot be served. The texts are Docker's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// Below [`ApiVersion::MIN`].
    #[error(
        "client version {0} is too old. Minimum supported API version is {min}, please upgrade your client to a newer \
         version",
        min = ApiVersion::MIN
    )]
    TooOld(ApiVersion),
    /// Above [`ApiVersion::MAX`].
    #[error("client version {0} is too new. Maximum supported API version is {max}", max = ApiVersion::MAX)]
    TooNew(ApiVersion),
}

/// A string is no version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an API version such as 1.51")]
pub struct ParseVersionError(pub String);

impl ApiVersion {
    /// The oldest that is served.
    pub const MIN: Self = Self::new(1, 24);
    /// The newest that is served, and the one that a request without a version gets.
    pub const MAX: Self = Self::new(1, 51);

    /// A version from its parts.
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }

    /// Whether this server serves it.
    ///
    /// # Errors
    /// When it is too old or too new.
    pub fn check(self) -> Result<Self, Unsupported> {
        if self < Self::MIN {
            Err(Unsupported::TooOld(self))
        } else if self > Self::MAX {
            Err(Unsupported::TooNew(self))
        } else {
            Ok(self)
        }
    }
}

/// Splits a request's path into the version that it begins with, if any, and the rest with its slash.
pub fn split_path(path: &str) -> (Option<ApiVersion>, &str) {
    let versioned = path.strip_prefix("/v").and_then(|rest| {
        let end = rest.find('/')?;
        Some((rest[..end].parse().ok()?, &rest[end..]))
    });
    versioned.map_or((None, path), |(version, rest)| (Some(version), rest))
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for ApiVersion {
    type Err = ParseVersionError;

    fn from_str(text: &str) -> Result<Self, ParseVersionError> {
        let number = |part: &str| {
            let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| part.parse().ok()).flatten()
        };
        let parts = text.split_once('.').and_then(|(a, b)| Some(Self::new(number(a)?, number(b)?)));
        parts.ok_or_else(|| ParseVersionError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_carry_versions() {
        for (path, version, rest) in [
            ("/_ping", None, "/_ping"),
            ("/v1.51/version", Some(ApiVersion::MAX), "/version"),
            ("/v1.24/images/a/b:1/json", Some(ApiVersion::MIN), "/images/a/b:1/json"),
            ("/v1/version", None, "/v1/version"),
            ("/v1.51", None, "/v1.51"),
            ("/v1.-1/x", None, "/v1.-1/x"),
            ("/v1.99999999999/x", None, "/v1.99999999999/x"),
            ("/version", None, "/version"),
            ("", None, ""),
        ] {
            assert_eq!(split_path(path), (version, rest), "{path}");
        }
    }

    #[test]
    fn only_some_versions_are_served() {
        let check = |minor, text: &str| {
            let got = ApiVersion::new(1, minor).check().map(|v| v.to_string());
            assert_eq!(got.unwrap_or_else(|e| e.to_string()), text);
        };
        check(24, "1.24");
        check(51, "1.51");
        check(
            10,
            "client version 1.10 is too old. Minimum supported API version is 1.24, please upgrade your client to a \
             newer version",
        );
        check(52, "client version 1.52 is too new. Maximum supported API version is 1.51");
        assert!(ApiVersion::new(9, 99).check().is_err());
    }
}
