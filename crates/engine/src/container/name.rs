//! Names of containers: what is allowed, and one for those who give none.

use crate::{Error, Result};

const ADJECTIVES: &[&str] = &[
    "amber",
    "breezy",
    "brisk",
    "calm",
    "coastal",
    "crisp",
    "drifting",
    "eager",
    "early",
    "fair",
    "floating",
    "gentle",
    "gliding",
    "golden",
    "hardy",
    "humble",
    "island",
    "jolly",
    "keen",
    "lively",
    "lucky",
    "mellow",
    "merry",
    "misty",
    "moored",
    "nimble",
    "northern",
    "patient",
    "placid",
    "quiet",
    "rapid",
    "ready",
    "roving",
    "rustic",
    "sailing",
    "salty",
    "serene",
    "shallow",
    "silent",
    "silver",
    "sleek",
    "southern",
    "spry",
    "steady",
    "sturdy",
    "sunny",
    "swift",
    "tidal",
    "trim",
    "trusty",
    "upstream",
    "vivid",
    "wandering",
    "weathered",
    "wiry",
    "zesty",
];
const NOUNS: &[&str] = &[
    "anchor",
    "albatross",
    "barge",
    "bay",
    "beacon",
    "boatman",
    "bow",
    "buoy",
    "canal",
    "canoe",
    "cape",
    "captain",
    "coracle",
    "cormorant",
    "cove",
    "crane",
    "current",
    "delta",
    "dhow",
    "dinghy",
    "dock",
    "dory",
    "egret",
    "estuary",
    "ferry",
    "fisher",
    "harbor",
    "heron",
    "hull",
    "inlet",
    "jetty",
    "junk",
    "kayak",
    "keel",
    "kingfisher",
    "lagoon",
    "lantern",
    "lugger",
    "mast",
    "mooring",
    "oar",
    "otter",
    "paddle",
    "pelican",
    "pier",
    "pilot",
    "plank",
    "punt",
    "quay",
    "raft",
    "reef",
    "reed",
    "rudder",
    "sail",
    "sampan",
    "sculler",
    "shoal",
    "skiff",
    "sloop",
    "tern",
    "tide",
    "wharf",
    "wherry",
    "yawl",
];

/// Refuses what is not `[a-zA-Z0-9][a-zA-Z0-9_.-]+`. A leading slash is taken away.
pub(crate) fn valid(text: &str) -> Result<String> {
    let name = text.strip_prefix('/').unwrap_or(text);
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
    let rest = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    if first && rest && name.len() > 1 { Ok(name.to_owned()) } else { Err(Error::BadName(text.to_owned())) }
}

/// A name made of random bytes: `steady_heron`. From the third try on with a number behind.
pub(crate) fn generated(random: [u8; 8], attempt: u32) -> String {
    let number = u64::from_le_bytes(random);
    let (adjectives, nouns) = (ADJECTIVES.len() as u64, NOUNS.len() as u64);
    let adjective = ADJECTIVES[(number % adjectives) as usize];
    let noun = NOUNS[(number / adjectives % nouns) as usize];
    let suffix = if attempt < 2 { String::new() } else { (number >> 32 & 0xffff).to_string() };
    format!("{adjective}_{noun}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (text, want) in [
            ("web", Some("web")),
            ("/web", Some("web")),
            ("a1_.-", Some("a1_.-")),
            ("_", None),
            ("a", None),
            ("", None),
            ("a/b", None),
            ("ä1", None),
        ] {
            assert_eq!(valid(text).ok().as_deref(), want, "{text}");
        }
        for attempt in 0..4 {
            assert!(valid(&generated([attempt as u8 * 37; 8], attempt)).is_ok());
        }
    }
}
