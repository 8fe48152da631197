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

/// A client's version cannot be served. The texts are Docker's, with the version as the client wrote it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// Below [`ApiVersion::MIN`].
    #[error(
        "client version {0} is too old. Minimum supported API version is {min}, please upgrade your client to a newer \
         version",
        min = ApiVersion::MIN
    )]
    TooOld(String),
    /// Above [`ApiVersion::MAX`].
    #[error("client version {0} is too new. Maximum supported API version is {max}", max = ApiVersion::MAX)]
    TooNew(String),
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

    /// The version of a request, as [`split_path`] gives it. Any digits and points are compared number by number, as
    /// Docker does: `9` is too new, `1.44.1` is served like `1.44`.
    ///
    /// # Errors
    /// When it is too old or too new.
    pub fn served(text: &str) -> Result<Self, Unsupported> {
        let number = |part: &str| if part.is_empty() { 0 } else { part.parse().unwrap_or(u32::MAX) };
        let mut numbers: Vec<u32> = text.split('.').map(number).collect();
        numbers.resize(numbers.len().max(2), 0);
        while numbers.len() > 2 && numbers.last() == Some(&0) {
            numbers.pop();
        }
        if numbers < vec![Self::MIN.major, Self::MIN.minor] {
            Err(Unsupported::TooOld(text.to_owned()))
        } else if numbers > vec![Self::MAX.major, Self::MAX.minor] {
            Err(Unsupported::TooNew(text.to_owned()))
        } else {
            Ok(Self::new(numbers[0], numbers[1]))
        }
    }
}

/// Splits a request's path into the digits and points of the version that it begins with, if any, and the rest with its
/// slash.
pub fn split_path(path: &str) -> (Option<&str>, &str) {
    let versioned = path.strip_prefix("/v").and_then(|rest| {
        let (version, _) = rest.split_once('/')?;
        let fits = !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        fits.then(|| (version, &rest[version.len()..]))
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
    use proptest::prelude::*;

    #[test]
    fn paths_carry_versions() {
        for (path, version, rest) in [
            ("/_ping", None, "/_ping"),
            ("/v1.51/version", Some("1.51"), "/version"),
            ("/v1.24/images/a/b:1/json", Some("1.24"), "/images/a/b:1/json"),
            ("/v1/version", Some("1"), "/version"),
            ("/v.1./x", Some(".1."), "/x"),
            ("/v1.51", None, "/v1.51"),
            ("/v1.-1/x", None, "/v1.-1/x"),
            ("/v/x", None, "/v/x"),
            ("/version", None, "/version"),
            ("", None, ""),
        ] {
            assert_eq!(split_path(path), (version, rest), "{path}");
        }
    }

    #[test]
    fn only_some_versions_are_served() {
        let check = |version: &str, text: &str| {
            let got = ApiVersion::served(version).map(|v| v.to_string());
            assert_eq!(got.unwrap_or_else(|e| e.to_string()), text);
        };
        check("1.24", "1.24");
        check("1.51", "1.51");
        check("01.051", "1.51");
        check("1.44.1", "1.44");
        check("1.51.0", "1.51");
        let upgrade = "is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version";
        for old in ["1.23", "1", "1.", ".1", "0.99", "..."] {
            check(old, &format!("client version {old} {upgrade}"));
        }
        for new in ["1.52", "1.51.1", "9", "9.99", "1.99999999999"] {
            check(new, &format!("client version {new} is too new. Maximum supported API version is 1.51"));
        }
    }

    proptest! {
        #[test]
        fn any_path_is_split(path in "/?v?[0-9./a]{0,16}") {
            let (version, rest) = split_path(&path);
            if let Some(version) = version {
                prop_assert_eq!(format!("/v{version}{rest}"), &path[..]);
                if let Ok(version) = ApiVersion::served(version) {
                    prop_assert!((ApiVersion::MIN..=ApiVersion::MAX).contains(&version));
                }
            } else {
                prop_assert_eq!(rest, &path[..]);
            }
        }
    }
}
