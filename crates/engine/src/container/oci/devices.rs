//! Which devices the container has, and which it may use.

use super::Context;
use crate::container::devices::{Node, Rule};
use sampan_spec::oci::{
    LinuxDevice, LinuxDeviceBuilder, LinuxDeviceCgroup, LinuxDeviceCgroupBuilder, LinuxDeviceType, Spec,
};

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
    let rule = LinuxDeviceCgroupBuilder::default().allow(allow).typ(kind).access(access);
    let mut rule = rule.build().unwrap_or_default();
    rule.set_major(major).set_minor(minor);
    rule
}

/// The runtime makes the default devices itself (runtime specification, "Default Devices").
pub(super) fn devices(spec: &mut Spec, context: &Context<'_>) {
    let nodes = context.found.devices.nodes.iter().filter_map(device).collect::<Vec<_>>();
    if let Some(linux) = spec.linux_mut() {
        linux.set_devices(Some(nodes));
    }
}

fn device(node: &Node) -> Option<LinuxDevice> {
    let (major, minor) = node.number;
    let kind = if node.is_block { LinuxDeviceType::B } else { LinuxDeviceType::C };
    let device = LinuxDeviceBuilder::default().path(&node.path).typ(kind);
    let device = device.major(i64::from(major)).minor(i64::from(minor)).file_mode(node.mode);
    device.uid(node.owner.0).gid(node.owner.1).build().ok()
}
