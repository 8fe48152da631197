//! Platforms of images (OCI image specification, "Image Index": `platform`), and which of them run on which.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// An operating system and architecture in Go's terms, which image formats use: `linux/arm64/v8`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// `linux`.
    pub os: String,
    /// `amd64`, `arm64`, ...
    pub architecture: String,
    /// `v7`, `v8`, ... where an architecture has variants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

/// A string names no platform. The texts are Docker's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParsePlatformError {
    /// A part has characters that no platform has.
    #[error(
        "{part:?} is an invalid component of {text:?}: platform specifier component must match \"^[A-Za-z0-9_.-]+$\": invalid \
         argument"
    )]
    Component {
        /// The part.
        part: String,
        /// The whole.
        text: String,
    },
    /// One word, which is neither an operating system nor an architecture.
    #[error("{0:?}: unknown operating system or architecture: invalid argument")]
    Unknown(String),
    /// More than three parts.
    #[error("{0:?}: cannot parse platform specifier: invalid argument")]
    Format(String),
}

impl Platform {
    /// The platform this program was built for, which is the one it can run.
    pub fn host() -> Self {
        let (architecture, variant) = match std::env::consts::ARCH {
            "x86_64" => ("amd64", None),
            "aarch64" => ("arm64", Some("v8")),
            "x86" => ("386", None),
            "powerpc64" => ("ppc64le", None),
            other => (other, None),
        };
        Self { os: "linux".into(), architecture: architecture.into(), variant: variant.map(Into::into) }
    }

    /// How well an image for `self` runs where `host` does: 0 is best, `None` not at all. A processor runs what is for
    /// older variants of it and, if it has 64 bits, what is for its kind with 32.
    pub fn fitness(&self, host: &Self) -> Option<usize> {
        let own = self.normalized();
        let runnable = host.normalized().runnable();
        runnable.iter().position(|platform| *platform == own)
    }

    /// The same platform in one way of writing it: `aarch64` is `arm64`, and a variant that an architecture always has
    /// is left out.
    fn normalized(&self) -> Self {
        let variant = self.variant.as_deref().unwrap_or_default().to_lowercase();
        let architecture = self.architecture.to_lowercase();
        let (architecture, variant) = match (architecture.as_str(), variant.as_str()) {
            ("i386" | "i686", _) => ("386", ""),
            ("x86_64" | "x86-64" | "amd64", "v1") => ("amd64", ""),
            ("x86_64" | "x86-64", variant) => ("amd64", variant),
            ("aarch64" | "arm64", "8" | "v8") => ("arm64", ""),
            ("aarch64", variant) => ("arm64", variant),
            ("armhf", _) | ("arm", "" | "7") => ("arm", "v7"),
            ("armel", _) | ("arm", "6") => ("arm", "v6"),
            ("arm", "5") => ("arm", "v5"),
            ("arm", "8") => ("arm", "v8"),
            (architecture, variant) => (architecture, variant),
        };
        let os = if self.os == "macos" { "darwin".into() } else { self.os.to_lowercase() };
        let variant = (!variant.is_empty()).then(|| variant.to_owned());
        Self { os, architecture: architecture.to_owned(), variant }
    }

    /// What runs on a normalized platform, the best first.
    fn runnable(&self) -> Vec<Self> {
        let variant = self.variant.as_deref();
        let below: Vec<(&str, Option<&str>)> = match self.architecture.as_str() {
            "amd64" => [("amd64", None), ("386", None)].to_vec(),
            "arm64" => [("arm64", None), ("arm", Some("v8"))].into_iter().chain(arms_below("v8")).collect(),
            "arm" => arms_below(variant.unwrap_or_default()).collect(),
            _ => Vec::new(),
        };
        let platform = |(architecture, variant): (&str, Option<&str>)| Self {
            os: self.os.clone(),
            architecture: architecture.into(),
            variant: variant.map(Into::into),
        };
        std::iter::once(self.clone()).chain(below.into_iter().map(platform)).collect()
    }
}

/// The variants of `arm` below one, the newest first.
fn arms_below(variant: &str) -> impl Iterator<Item = (&'static str, Option<&'static str>)> {
    let all = ["v8", "v7", "v6", "v5"].into_iter();
    all.skip_while(move |known| *known != variant).skip(1).map(|variant| ("arm", Some(variant)))
}

impl FromStr for Platform {
    type Err = ParsePlatformError;

    /// `linux/arm64/v8`, `linux/arm64`, `arm64`, `linux`. What is not said is the host's.
    fn from_str(text: &str) -> Result<Self, ParsePlatformError> {
        let parts: Vec<&str> = text.split('/').collect();
        let is_word = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
        };
        if let Some(part) = parts.iter().find(|part| !is_word(part)) {
            return Err(ParsePlatformError::Component { part: (*part).into(), text: text.into() });
        }
        let host = Self::host();
        let of = |os: &str, architecture: &str, variant: Option<&str>| {
            Self { os: os.into(), architecture: architecture.into(), variant: variant.map(Into::into) }
                .normalized()
        };
        match parts[..] {
            [word] if OPERATING_SYSTEMS.contains(&word.to_lowercase().as_str()) => {
                Ok(of(word, &host.architecture, host.variant.as_deref()))
            }
            [word] => {
                let platform = of(&host.os, word, None);
                let known = ARCHITECTURES.contains(&platform.architecture.as_str());
                known.then_some(platform).ok_or_else(|| ParsePlatformError::Unknown(text.into()))
            }
            [os, architecture] => Ok(of(os, architecture, None)),
            [os, architecture, variant] => Ok(of(os, architecture, Some(variant))),
            _ => Err(ParsePlatformError::Format(text.into())),
        }
    }
}

/// The operating systems and architectures that can stand alone, in Go's terms.
const OPERATING_SYSTEMS: [&str; 10] =
    ["linux", "windows", "darwin", "macos", "freebsd", "netbsd", "openbsd", "solaris", "android", "wasip1"];
const ARCHITECTURES: [&str; 11] =
    ["386", "amd64", "arm", "arm64", "loong64", "mips64le", "ppc64", "ppc64le", "riscv64", "s390x", "wasm"];

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |v| write!(f, "/{v}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn platform(text: &str) -> Platform {
        let mut parts = text.split('/').map(str::to_owned);
        let mut next = || parts.next();
        Platform { os: next().unwrap(), architecture: next().unwrap(), variant: next() }
    }

    #[test]
    fn an_image_fits_a_host_better_or_worse() {
        for (image, host, want) in [
            ("linux/amd64", "linux/amd64", Some(0)),
            ("linux/x86_64", "linux/amd64", Some(0)),
            ("linux/amd64/v2", "linux/amd64", None),
            ("linux/386", "linux/amd64", Some(2)),
            ("linux/amd64", "linux/386", None),
            ("linux/arm64", "linux/arm64/v8", Some(0)),
            ("linux/arm64/v8", "linux/arm64", Some(0)),
            ("linux/arm", "linux/arm64", Some(3)),
            ("linux/arm/v6", "linux/arm/v7", Some(1)),
            ("linux/arm/v7", "linux/arm/v6", None),
            ("linux/arm", "linux/arm/v7", Some(0)),
            ("windows/amd64", "linux/amd64", None),
            ("unknown/unknown", "linux/amd64", None),
        ] {
            assert_eq!(platform(image).fitness(&platform(host)), want, "{image} on {host}");
        }
    }

    #[test]
    fn platforms_are_typed_in_several_ways() {
        let host = Platform::host();
        for (text, want) in [
            ("linux/arm64/v8", "linux/arm64".to_owned()),
            ("linux/arm", "linux/arm/v7".to_owned()),
            ("aarch64", "linux/arm64".to_owned()),
            ("linux", host.normalized().to_string()),
            ("Linux/AMD64", "linux/amd64".to_owned()),
            ("wasi/wasm32", "wasi/wasm32".to_owned()),
        ] {
            assert_eq!(text.parse::<Platform>().unwrap().to_string(), want, "{text}");
        }
        for (bad, want) in [
            (
                "linux/",
                r#""" is an invalid component of "linux/": platform specifier component must match "^[A-Za-z0-9_.-]+$": invalid argument"#,
            ),
            ("nope", r#""nope": unknown operating system or architecture: invalid argument"#),
            ("a/b/c/d", r#""a/b/c/d": cannot parse platform specifier: invalid argument"#),
        ] {
            assert_eq!(bad.parse::<Platform>().unwrap_err().to_string(), want);
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(text in "[a-z0-9/_-]{0,24}") {
            if let Ok(platform) = text.parse::<Platform>() {
                prop_assert_eq!(platform.to_string().parse(), Ok(platform));
            }
        }
    }
}
