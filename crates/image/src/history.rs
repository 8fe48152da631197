//! How an image was made, as `docker history` tells it.

use crate::{History, ImageConfig};
use sampan_spec::Digest;

/// One step of an image's making.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The image's id with its last step; the ids of the others are not known any more.
    pub image: Option<Digest>,
    /// What the configuration says of it.
    pub entry: History,
    /// How many bytes of files it added.
    pub size: u64,
}

/// The steps of an image, newest first. `sizes` are those of its layers, lowest first: a step that is not said to have
/// made an empty layer made the next of them.
pub fn history(config: &ImageConfig, sizes: &[u64]) -> Vec<Step> {
    let mut sizes = sizes.iter();
    let size_of = |entry: &History| if entry.empty_layer { 0 } else { sizes.next().copied().unwrap_or(0) };
    let entries = config.document().history.iter();
    let sized: Vec<(&History, u64)> = entries.clone().zip(entries.map(size_of)).collect();
    let newest_first = sized.into_iter().rev().enumerate();
    newest_first
        .map(|(i, (entry, size))| Step {
            image: (i == 0).then(|| config.id().clone()),
            entry: entry.clone(),
            size,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_layers_take_no_size() {
        let text = r#"{"rootfs":{"type":"layers"},"history":[
            {"created_by":"ADD"}, {"created_by":"CMD","empty_layer":true}, {"created_by":"RUN"}, {"created_by":"X"}]}"#;
        let config = ImageConfig::parse(text.into()).unwrap();
        let steps = history(&config, &[10, 20]);
        let got: Vec<_> = steps.iter().map(|s| (s.entry.created_by.as_str(), s.size)).collect();
        assert_eq!(got, [("X", 0), ("RUN", 20), ("CMD", 0), ("ADD", 10)]);
        assert_eq!(steps[0].image.as_ref(), Some(config.id()));
        assert_eq!(steps[1].image, None);
    }
}
