//! What a registry says when it refuses (OCI distribution specification, "Error Codes").

use serde::Deserialize;
use std::fmt;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Problem {
    /// `MANIFEST_UNKNOWN`, `DENIED`, ...
    #[serde(default)]
    pub code: String,
    /// For people.
    #[serde(default)]
    pub message: String,
}

/// Everything that is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

/// More than this of an answer is not read.
pub(crate) const BODY_MAX: usize = 64 << 10;

impl Problems {
    /// Reads an answer's body. One that is no list of problems gives an empty one.
    pub(crate) fn parse(body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Body {
            #[serde(default)]
            errors: Vec<Problem>,
            /// Some registries and token servers say it so.
            #[serde(default)]
            details: Option<String>,
        }
        let Ok(body) = serde_json::from_slice::<Body>(body) else { return Self::default() };
        let details = body.details.map(|message| Problem { code: String::new(), message });
        Self(body.errors.into_iter().chain(details).collect())
    }

    /// One problem.
    pub(crate) fn of(code: &str, message: &str) -> Self {
        Self(vec![Problem { code: code.to_owned(), message: message.to_owned() }])
    }

    /// The first problem's code.
    pub fn code(&self) -> Option<&str> {
        self.0.first().map(|problem| problem.code.as_str())
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Problem {
    /// `manifest unknown: manifest unknown`: the code in small letters, then the message.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code.to_lowercase().replace('_', " ");
        match (code.as_str(), self.message.as_str()) {
            ("", message) => f.write_str(message),
            (code, "") => f.write_str(code),
            (code, message) => write!(f, "{code}: {message}"),
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.first().map_or(Ok(()), |first| first.fmt(f))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_worded_as_dockers() {
        for (body, code, want) in [
            (
                r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{"Tag":"1"}},{"code":"X"}]}"#,
                Some("MANIFEST_UNKNOWN"),
                "manifest unknown: manifest unknown",
            ),
            (r#"{"errors":[{"code":"DENIED"}]}"#, Some("DENIED"), "denied"),
            (r#"{"details":"incorrect username or password"}"#, Some(""), "incorrect username or password"),
            (r#"{"errors":[]}"#, None, ""),
            ("<html>", None, ""),
            ("[]", None, ""),
        ] {
            let problems = Problems::parse(body.as_bytes());
            assert_eq!((problems.code(), problems.to_string().as_str()), (code, want), "{body}");
        }
    }
}
