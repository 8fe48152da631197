//! Every image that an archive is said to hold is whole: as many layers as its configuration names, all of them there.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sampan_fuzz::{Memory, with_checksums};
use sampan_image::{Content, archive};
use sampan_spec::Platform;

const LIMIT: u64 = 1 << 20;

fuzz_target!(|input: &[u8]| {
    let tar = with_checksums(input);
    let mut memory = Memory::default();
    let platform = Platform { os: "linux".into(), architecture: "amd64".into(), variant: None };
    let Ok(images) = archive::read(&tar[..], &mut memory, &platform, LIMIT, &|_| {}) else { return };
    for image in images {
        assert_eq!(image.layers.len(), image.config.diff_ids().len());
        for layer in &image.layers {
            assert!(memory.open(&layer.digest).is_ok_and(|content| content.is_some()), "a layer is missing");
        }
    }
});
