//! Links to other containers of the default bridge.

use super::Peer;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// Another container of the bridge, under a name that only this one knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The other container.
    pub peer: Peer,
    /// The other's name when the link was made.
    pub name: String,
    /// What this container calls it.
    pub alias: String,
}

/// A text is no link. The text is Docker's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bad format for links: {0}")]
pub struct ParseLinkError(String);

impl FromStr for Link {
    type Err = ParseLinkError;

    /// `name:alias` or `name`; and `/name:/container/alias`, as an inspected container shows it.
    fn from_str(text: &str) -> Result<Self, ParseLinkError> {
        let (name, alias) = text.split_once(':').unwrap_or((text, text));
        let (name, alias) = match name.strip_prefix('/') {
            Some(bare) => (bare, alias.rsplit('/').next().unwrap_or_default()),
            None => (name, alias),
        };
        // The alias becomes a word of a line, and the end of a name with slashes.
        let fits = |alias: &str| {
            !alias.is_empty() && !alias.contains(|c: char| c == ':' || c == '/' || c.is_whitespace())
        };
        if name.is_empty() || !fits(alias) {
            return Err(ParseLinkError(text.to_owned()));
        }
        Ok(Self { peer: Peer::Named(name.to_owned()), name: name.to_owned(), alias: alias.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_and_aliases() {
        for (text, want) in [
            ("db", Some(("db", "db"))),
            ("db:data", Some(("db", "data"))),
            ("/db:/web/data", Some(("db", "data"))),
            ("", None),
            (":", None),
            ("a:", None),
            ("a:b:c", None),
            ("a:b c", None),
            ("a:b/c", None),
            ("/a:/b/", None),
        ] {
            let link = text.parse::<Link>().ok();
            assert_eq!(link.as_ref().map(|l| (l.name.as_str(), l.alias.as_str())), want, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_link_or_refused(text in "[a-c:/ \n]{0,10}") {
            if let Ok(link) = text.parse::<Link>() {
                prop_assert!(!link.alias.contains(char::is_whitespace) && !link.name.is_empty());
            }
        }
    }
}
