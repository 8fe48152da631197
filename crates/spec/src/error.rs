//! What kind of failure an error is, as far as a caller needs to tell kinds apart.

use serde::{Deserialize, Serialize};
use std::error::Error;

/// A closed list of kinds. Every error enum of the engine maps its variants onto it with a `kind()` method; the HTTP
/// server maps it onto a status code, the command line onto an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// The caller asked for something that can never be right: 400.
    InvalidParameter,
    /// Somebody does not believe who the caller is: 401.
    Unauthorized,
    /// The caller may not do this: 403.
    Forbidden,
    /// The named thing does not exist: 404.
    NotFound,
    /// The thing exists and its state does not allow this: 409.
    Conflict,
    /// The thing is already as asked: 304.
    NotModified,
    /// Sampan or this host cannot do it: 501.
    NotImplemented,
    /// A part that is needed does not answer now; a later try may succeed: 503.
    Unavailable,
    /// Anything else that went wrong on this host: 500.
    System,
}

/// An error's text with its sources; one that the text repeats already is left out.
pub fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let more = source.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        next = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_told_once() {
        #[derive(Debug, thiserror::Error)]
        enum Layer {
            #[error("outer")]
            Outer(#[source] Box<Layer>),
            #[error("outer with inner")]
            Repeats(#[source] Box<Layer>),
            #[error("inner")]
            Inner,
        }
        assert_eq!(with_sources(&Layer::Outer(Layer::Inner.into())), "outer: inner");
        assert_eq!(with_sources(&Layer::Repeats(Layer::Inner.into())), "outer with inner");
    }
}
