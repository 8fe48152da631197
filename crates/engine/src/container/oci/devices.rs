//! Which devices the container has, and which it may use.

use super::Context;
use sampan_spec::oci::{LinuxDeviceCgroup, LinuxDeviceCgroupBuilder, LinuxDeviceType, Spec};

/// Nothing, but what is harmless: making nodes, and the devices of /dev.
pub(super) fn rules() -> Vec<LinuxDeviceCgroup> {
    let rule = |allow, kind, major, minor, access: &str| {
        let mut rule = LinuxDeviceCgroupBuilder::default()
            .allow(allow)
            .typ(kind)
            .access(access)
            .build()
            .unwrap_or_default();
        rule.set_major(major).set_minor(minor);
        rule
    };
    let character = |major, minor: Option<i64>| rule(true, LinuxDeviceType::C, Some(major), minor, "rwm");
    vec![
        rule(false, LinuxDeviceType::A, None, None, "rwm"),
        rule(true, LinuxDeviceType::C, None, None, "m"),
        rule(true, LinuxDeviceType::B, None, None, "m"),
        character(1, Some(3)),
        character(1, Some(5)),
        character(1, Some(7)),
        character(1, Some(8)),
        character(1, Some(9)),
        character(5, Some(0)),
        character(5, Some(1)),
        character(5, Some(2)),
        character(136, None),
    ]
}

/// The runtime makes the default devices itself (runtime specification, "Default Devices").
pub(super) fn devices(spec: &mut Spec, _: &Context<'_>) {
    if let Some(linux) = spec.linux_mut() {
        linux.set_devices(Some(Vec::new()));
    }
}
