//! Manifests, indexes, configurations and build instructions: what is accepted keeps its bytes and its meaning.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sampan_image::{ImageConfig, Index, Manifest, RunConfig, chain_ids, changes, history, sha256};
use sampan_spec::Platform;

fuzz_target!(|input: &[u8]| {
    documents(input);
    if let Ok(text) = std::str::from_utf8(input) {
        let changes: Vec<String> = text.split('\n').map(str::to_owned).collect();
        let _ = changes::apply(RunConfig::default(), &changes);
    }
});

fn documents(input: &[u8]) {
    if let Ok(manifest) = Manifest::parse(input.to_vec()) {
        assert_eq!((manifest.bytes(), manifest.digest()), (input, &sha256(input)));
    }
    if let Ok(index) = Index::parse(input.to_vec()) {
        let platform = Platform { os: "linux".into(), architecture: "amd64".into(), variant: None };
        let selected = index.select(&platform);
        assert!(selected.is_none_or(|descriptor| index.manifests().contains(descriptor)));
    }
    if let Ok(config) = ImageConfig::parse(input.to_vec()) {
        configuration(&config);
    }
}

fn configuration(config: &ImageConfig) {
    assert_eq!(chain_ids(config.diff_ids()).len(), config.diff_ids().len());
    assert_eq!(history(config, &[1, 2]).len(), config.document().history.len());
    let again = ImageConfig::make(config.document()).expect("a document can be written");
    assert_eq!(again.document(), config.document(), "reading and writing changes it");
}
