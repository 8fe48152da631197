//! `--filter name=value`.

use sampan_api::Filters;

/// A filter has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid argument \"{0}\" for \"-f, --filter\" flag: bad format of filter (expected name=value)")]
pub(crate) struct FilterError(String);

/// All filters of one command line.
pub(crate) fn filters(texts: &[String]) -> Result<Filters, FilterError> {
    let mut filters = Filters::default();
    for text in texts.iter().filter(|text| !text.is_empty()) {
        let (name, value) = text.split_once('=').ok_or_else(|| FilterError(text.clone()))?;
        filters.add(&name.trim().to_ascii_lowercase(), value.trim());
    }
    Ok(filters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values() {
        let got = filters(&["Label=a=b".into(), "label=c".into()]).unwrap();
        assert_eq!(got.get("label"), ["a=b", "c"]);
        assert!(filters(&["x".into()]).is_err());
    }
}
