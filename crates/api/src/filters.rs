//! The `filters` parameter of list requests: names, each with values of which one must fit.

use serde_json::Value;
use std::collections::BTreeMap;

/// Filters by name. Two JSON forms are read: `{"label":["a"]}`, and `{"label":{"a":true}}` of old clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters(BTreeMap<String, Vec<String>>);

/// Filters cannot be understood. The texts are Docker's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// They are not JSON of either form.
    #[error("invalid filter")]
    Format,
    /// There is no filter of this name here.
    #[error("invalid filter '{0}'")]
    Unknown(String),
    /// The value is neither true nor false.
    #[error("invalid filter '{name}=[{value}]'")]
    Truth {
        /// The filter.
        name: String,
        /// Its value.
        value: String,
    },
    /// The value makes no sense.
    #[error("invalid filter '{name}={value}'")]
    Value {
        /// The filter.
        name: String,
        /// Its value.
        value: String,
    },
    /// The value is no state of health.
    #[error("invalid filter 'health={value}': invalid value for health ({value}): must be one of {allowed}")]
    Health {
        /// The value.
        value: String,
        /// All that there are, separated by commas.
        allowed: String,
    },
    /// The value is not one of those there are.
    #[error("invalid filter 'status={value}': invalid value for state ({value}): must be one of {allowed}")]
    Status {
        /// The value.
        value: String,
        /// All that there are, separated by commas.
        allowed: String,
    },
}

impl Filters {
    /// Reads the parameter; empty means no filters.
    ///
    /// # Errors
    /// When it is no JSON of either form.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let members = match serde_json::from_str(text) {
            Ok(Value::Object(members)) => members,
            Ok(Value::Null) => return Ok(Self::default()),
            _ => return Err(FilterError::Format),
        };
        let filters = members.into_iter().map(|(name, values)| Some((name, strings(values)?)));
        filters.collect::<Option<_>>().map(Self).ok_or(FilterError::Format)
    }

    /// The parameter's text.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    /// Adds a value.
    pub fn add(&mut self, name: &str, value: &str) {
        self.0.entry(name.to_owned()).or_default().push(value.to_owned());
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The values of one name; empty: everything fits.
    pub fn get(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// Accepts only these names.
    ///
    /// # Errors
    /// When there is another.
    pub fn only(&self, names: &[&str]) -> Result<(), FilterError> {
        match self.0.keys().find(|name| !names.contains(&name.as_str())) {
            Some(name) => Err(FilterError::Unknown(name.clone())),
            None => Ok(()),
        }
    }

    /// One truth value, if the filter is there.
    ///
    /// # Errors
    /// When a value is neither of `1`, `true`, `0`, `false`.
    pub fn truth(&self, name: &str) -> Result<Option<bool>, FilterError> {
        let bad = |value: &str| FilterError::Truth { name: name.to_owned(), value: value.to_owned() };
        match self.get(name) {
            [] => Ok(None),
            [value] if matches!(value.as_str(), "1" | "true") => Ok(Some(true)),
            [value] if matches!(value.as_str(), "0" | "false") => Ok(Some(false)),
            [value, ..] => Err(bad(value)),
        }
    }

    /// Whether labels have every `key` or `key=value` of the filter `name`.
    pub fn labels_fit(&self, name: &str, labels: &BTreeMap<String, String>) -> bool {
        self.get(name).iter().all(|wanted| match wanted.split_once('=') {
            Some((key, value)) => labels.get(key).is_some_and(|own| own == value),
            None => labels.contains_key(wanted),
        })
    }
}

fn strings(values: Value) -> Option<Vec<String>> {
    match values {
        Value::Array(values) => {
            let text = |value| if let Value::String(text) = value { Some(text) } else { None };
            values.into_iter().map(text).collect()
        }
        Value::Object(values) => {
            let all = values.iter().all(|(_, wanted)| wanted.is_boolean());
            all.then(|| values.into_iter().map(|(value, _)| value).collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_forms_are_read() {
        let mut want = Filters::default();
        want.add("name", "a");
        for text in [r#"{"name":["a"]}"#, r#"{"name":{"a":true}}"#] {
            assert_eq!(Filters::parse(text).as_ref(), Ok(&want), "{text}");
        }
        for nothing in ["", "{}", "null"] {
            assert_eq!(Filters::parse(nothing), Ok(Filters::default()), "{nothing}");
        }
        for bad in ["zzz", "[]", r#"{"a":1}"#, r#"{"a":[1]}"#, r#"{"a":{"b":1}}"#] {
            assert_eq!(Filters::parse(bad), Err(FilterError::Format), "{bad}");
        }
        assert_eq!(want.only(&["label"]).unwrap_err().to_string(), "invalid filter 'name'");
    }

    #[test]
    fn labels_fit_by_key_or_value() {
        let labels = BTreeMap::from([("k".to_owned(), "v".to_owned())]);
        for (value, want) in [("k", true), ("k=v", true), ("k=w", false), ("x", false), ("k=", false)] {
            let mut filters = Filters::default();
            filters.add("label", value);
            assert_eq!(filters.labels_fit("label", &labels), want, "{value}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            filters in prop::collection::btree_map(".{0,8}", prop::collection::vec(".{0,8}", 0..3), 0..4),
        ) {
            let filters = Filters(filters);
            prop_assert_eq!(Filters::parse(&filters.to_json()), Ok(filters));
        }

        #[test]
        fn garbage_is_refused_or_read(text in ".{0,60}") {
            let _ = Filters::parse(&text);
        }
    }
}
