//! A container's configuration is taken or refused, and what was read reads the same when it is written.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|json: &[u8]| {
    let Some((config, accepted)) = sampan_runtime::fuzzing::config(json) else { return };
    let written = serde_json::to_vec(&config).expect("a configuration can be written");
    let again = sampan_runtime::fuzzing::config(&written);
    assert_eq!(again, Some((config, accepted)));
});
