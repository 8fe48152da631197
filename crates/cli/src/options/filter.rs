//! `--filter name=value`.

use sampan_api::Filters;

/// A filter has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bad format of filter (expected name=value)")]
pub(crate) struct FilterError;

/// A filter's name and the value that must fit.
pub(crate) type Filter = (String, String);

/// Reads one filter. An empty one is none, as with Docker.
pub(crate) fn filter(text: &str) -> Result<Filter, FilterError> {
    if text.is_empty() {
        return Ok(Filter::default());
    }
    let (name, value) = text.split_once('=').ok_or(FilterError)?;
    Ok((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
}

/// All filters of one command line.
pub(crate) fn filters(all: &[Filter]) -> Filters {
    let mut filters = Filters::default();
    all.iter()
        .filter(|filter| **filter != Filter::default())
        .for_each(|(name, value)| filters.add(name, value));
    filters
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_and_values() {
        let got = filters(&["Label=a=b", "label=c"].map(|text| filter(text).unwrap()));
        assert_eq!(got.get("label"), ["a=b", "c"]);
        assert_eq!(filter("x"), Err(FilterError));
        assert!(filters(&[filter("").unwrap()]).is_empty());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[a= \\PC]{0,12}") {
            let fits = filter(&text).is_ok();
            prop_assert_eq!(fits, text.is_empty() || text.contains('='));
        }
    }
}
