//! Which devices a cgroup's processes may use: a list on version 1, a program on version 2.

use super::files::Values;
use super::{Cgroup, CgroupError, Place};
use crate::bpf;
use bitflags::bitflags;

bitflags! {
    /// Kinds of access, with the values of `BPF_DEVCG_ACC_*`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Access: u32 {
        /// Make the node.
        const MKNOD = 1;
        /// Read.
        const READ = 2;
        /// Write.
        const WRITE = 4;
    }
}

/// Kinds of devices, with the values of `BPF_DEVCG_DEV_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceKind {
    /// Block devices.
    Block = 1,
    /// Character devices.
    Char = 2,
}

/// One rule. Of several that match an access, the last decides; if none does, it is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceRule {
    /// Allow or refuse.
    pub allow: bool,
    /// The kind; `None` is both.
    pub kind: Option<DeviceKind>,
    /// The major number; `None` is any.
    pub major: Option<u32>,
    /// The minor number; `None` is any.
    pub minor: Option<u32>,
    /// An allowing rule covers accesses that ask for nothing else; a refusing rule those that ask for any of these.
    pub access: Access,
}

impl Cgroup {
    /// Restricts devices. To be called once, on a new cgroup, before a process is in it.
    ///
    /// # Errors
    /// [`CgroupError::Write`] on version 1; [`CgroupError::DeviceProgram`] on version 2.
    pub fn restrict_devices(&self, rules: &[DeviceRule]) -> Result<(), CgroupError> {
        if let Ok(Place::V1(folder)) = self.place("devices") {
            let [allow, deny] = ["devices.allow", "devices.deny"].map(|name| Values::open(folder.join(name)));
            let (allow, deny) = (allow?, deny?);
            return rules.iter().try_for_each(|rule| {
                if rule.allow { allow.write(&rule.v1_line()) } else { deny.write(&rule.v1_line()) }
            });
        }
        let folder = self.unified.as_ref().ok_or(CgroupError::NoController("devices"))?;
        let program = bpf::device_program(rules);
        bpf::load_and_attach_device_program(&program, folder)
            .map_err(|source| CgroupError::DeviceProgram { path: folder.clone(), source })
    }
}

impl DeviceRule {
    /// The line that version 1 takes (Documentation/admin-guide/cgroup-v1/devices.rst).
    fn v1_line(&self) -> String {
        let number = |n: Option<u32>| n.map_or("*".to_owned(), |n| n.to_string());
        let letters = [(Access::READ, 'r'), (Access::WRITE, 'w'), (Access::MKNOD, 'm')];
        let access: String =
            letters.iter().filter(|(a, _)| self.access.contains(*a)).map(|(_, c)| *c).collect();
        let kind = match self.kind {
            None => return "a".into(),
            Some(DeviceKind::Char) => 'c',
            Some(DeviceKind::Block) => 'b',
        };
        format!("{kind} {}:{} {access}", number(self.major), number(self.minor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_for_version_1() {
        let rule = DeviceRule {
            allow: true,
            kind: Some(DeviceKind::Char),
            major: Some(136),
            minor: None,
            access: Access::READ | Access::WRITE,
        };
        assert_eq!(rule.v1_line(), "c 136:* rw");
        assert_eq!(DeviceRule { kind: None, ..rule }.v1_line(), "a");
        let block = DeviceRule { kind: Some(DeviceKind::Block), access: Access::all(), ..rule };
        assert_eq!(block.v1_line(), "b 136:* rwm");
    }
}
