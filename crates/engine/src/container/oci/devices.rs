//! Which devices the container has, and which it may use.

use super::Context;
use crate::container::devices::{Node, Rule};
use sampan_spec::oci::{LinuxDevice, LinuxDeviceCgroup, LinuxDeviceType, Spec};

/// What is harmless: making nodes, and the devices of /dev; then the container's own wishes. All of a privileged one.
pub(super) fn rules(context: &Context<'_>) -> Vec<LinuxDeviceCgroup> {
    if context.container.config.host.privileged {
        return vec![rule(true, LinuxDeviceType::A, None, None, "rwm")];
    }
    let character = |major, minor: Option<i64>| rule(true, LinuxDeviceType::C, Some(major), minor, "rwm");
    let mut rules = vec![
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
    ];
    rules.extend(context.found.devices.rules.iter().map(wish));
    rules
}

fn wish(wish: &Rule) -> LinuxDeviceCgroup {
    let kind = match wish.kind {
        'b' => LinuxDeviceType::B,
        'c' => LinuxDeviceType::C,
        _ => LinuxDeviceType::A,
    };
    rule(true, kind, wish.major.map(i64::from), wish.minor.map(i64::from), &wish.access)
}

fn rule(
    allow: bool,
    kind: LinuxDeviceType,
    major: Option<i64>,
    minor: Option<i64>,
    access: &str,
) -> LinuxDeviceCgroup {
    LinuxDeviceCgroup { allow, typ: Some(kind), major, minor, access: Some(access.into()) }
}

/// The runtime makes the default devices itself (runtime specification, "Default Devices").
pub(super) fn devices(spec: &mut Spec, context: &Context<'_>) {
    if let Some(linux) = &mut spec.linux {
        linux.devices = Some(context.found.devices.nodes.iter().map(device).collect());
    }
}

fn device(node: &Node) -> LinuxDevice {
    let (major, minor) = node.number;
    LinuxDevice {
        path: (&node.path).into(),
        typ: if node.is_block { LinuxDeviceType::B } else { LinuxDeviceType::C },
        major: Some(i64::from(major)),
        minor: Some(i64::from(minor)),
        file_mode: Some(node.mode),
        uid: Some(node.owner.0),
        gid: Some(node.owner.1),
    }
}
