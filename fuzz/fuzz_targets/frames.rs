//! The monitor's protocol: frames come out as they went in, and a request that is understood is the same when it is sent on.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sampan_spec::monitor::{Call, Message, encode_frame};

fuzz_target!(|input: &[u8]| {
    let frames = sampan_monitor::fuzzing::frames(input);
    let again: Vec<u8> = frames.iter().flat_map(|(json, bytes)| encode_frame(json, bytes)).collect();
    assert!(input.starts_with(&again), "frames differ from the bytes that they were read from");
    for (json, _) in frames {
        if let Ok(call) = serde_json::from_slice::<Call>(&json) {
            let text = serde_json::to_vec(&call).expect("a call can be written");
            assert_eq!(serde_json::from_slice::<Call>(&text).ok(), Some(call));
        }
        if let Ok(message) = serde_json::from_slice::<Message>(&json) {
            let text = serde_json::to_vec(&message).expect("a message can be written");
            assert_eq!(serde_json::from_slice::<Message>(&text).ok(), Some(message));
        }
    }
});
