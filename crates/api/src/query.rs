//! Query strings, read by Docker's rules and written.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::fmt::Write as _;

/// Everything that need not be escaped in a path's part or a query's value stays (RFC 3986 section 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The parameters of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

/// A parameter's value is no number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid value for {name}: {value:?} is not a number")]
pub struct NotANumber {
    /// The parameter.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl Query {
    /// Reads what stands behind the question mark.
    pub fn parse(text: &str) -> Self {
        Self(form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    /// A parameter's first value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// A parameter's value, empty if there is none.
    pub fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// All values of a parameter.
    pub fn all<'q>(&'q self, name: &'q str) -> impl Iterator<Item = &'q str> {
        self.0.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Whether a parameter is set to anything but `0`, `no`, `false`, `none` or nothing.
    pub fn flag(&self, name: &str) -> bool {
        let value = self.text(name).trim().to_ascii_lowercase();
        !matches!(value.as_str(), "" | "0" | "no" | "false" | "none")
    }

    /// A number, if the parameter is there and not empty.
    ///
    /// # Errors
    /// When it is none.
    pub fn number<N: std::str::FromStr>(&self, name: &str) -> Result<Option<N>, NotANumber> {
        let Some(value) = self.get(name).filter(|value| !value.is_empty()) else { return Ok(None) };
        value.parse().map(Some).map_err(|_| NotANumber { name: name.to_owned(), value: value.to_owned() })
    }

    /// Adds a parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.push((name.to_owned(), value.into()));
        self
    }

    /// Adds `name=1` if it is so.
    #[must_use]
    pub fn with_flag(self, name: &str, value: bool) -> Self {
        if value { self.with(name, "1") } else { self }
    }

    /// Adds a parameter if there is a value.
    #[must_use]
    pub fn with_some(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(name, value.to_string()),
            None => self,
        }
    }

    /// The parameters with their question mark; nothing if there are none.
    pub fn to_suffix(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.0 {
            let mark = if text.is_empty() { '?' } else { '&' };
            let _ = write!(text, "{mark}{}={}", escape(name), escape(value));
        }
        text
    }
}

/// Escapes a value for a query or one part of a path.
pub fn escape(text: &str) -> impl std::fmt::Display {
    utf8_percent_encode(text, RESERVED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn queries_read_back() {
        let query = Query::default().with("a", "b c&d=/?").with_flag("f", true).with_flag("g", false);
        let query = query.with_some("n", Some(3)).with_some("m", None::<u8>);
        let text = query.to_suffix();
        assert_eq!(text, "?a=b%20c%26d%3D%2F%3F&f=1&n=3");
        assert_eq!(Query::parse(&text[1..]), query);
        assert_eq!(query.number("n"), Ok(Some(3)));
        assert_eq!(query.number::<u8>("m"), Ok(None));
        assert!(query.number::<u8>("a").is_err());
        assert_eq!(Query::default().to_suffix(), "");
        let odd = Query::default().with("&=%", "1").with("", "");
        assert_eq!(odd.to_suffix(), "?%26%3D%25=1&=");
        assert_eq!(Query::parse(&odd.to_suffix()[1..]), odd);
    }

    #[test]
    fn flags_are_dockers() {
        for (value, want) in [
            ("1", true),
            ("true", true),
            ("yes", true),
            ("0", false),
            ("False", false),
            ("", false),
            ("none", false),
        ] {
            assert_eq!(Query::default().with("f", value).flag("f"), want, "{value}");
        }
        assert!(!Query::default().flag("f"));
    }

    proptest! {
        #[test]
        fn any_value_reads_back(values in prop::collection::vec(("[a-z]{1,4}", "\\PC{0,12}"), 0..5)) {
            let query = values.iter().fold(Query::default(), |query, (name, value)| query.with(name, value));
            let text = query.to_suffix();
            prop_assert_eq!(Query::parse(text.strip_prefix('?').unwrap_or_default()), query);
        }

        #[test]
        fn any_query_is_read(text in "[a=&%0-9;+?]{0,40}") {
            let query = Query::parse(&text);
            prop_assert_eq!(Query::parse(query.to_suffix().strip_prefix('?').unwrap_or_default()), query);
        }
    }
}
