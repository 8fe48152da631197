//! A reference that is accepted is the same when it is read again, in full and as people type it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sampan_spec::{ImageName, Reference, Signal, parse_size};

fuzz_target!(|text: &str| {
    if let Ok(reference) = text.parse::<Reference>() {
        assert_eq!(reference.to_string().parse().as_ref(), Ok(&reference));
        if is_familiar(&reference.name) {
            assert_eq!(reference.familiar().parse().as_ref(), Ok(&reference), "{text}");
        }
    }
    if let Ok(name) = text.parse::<ImageName>() {
        assert_eq!(name.to_string().parse().as_ref(), Ok(&name));
    }
    let _ = (parse_size(text), text.parse::<Signal>());
});

/// Whether the short form means the same. Docker's, which ours is, leaves out `docker.io` even if what is next looks like a host.
fn is_familiar(name: &ImageName) -> bool {
    let first = name.path().split_once('/').map(|(first, _)| first);
    name.domain() != "docker.io" || first.is_none_or(|first| !first.contains('.') && first != "localhost")
}
