//! Mounts by descriptor: mount_setattr(2), and what the new mount API has to say when it fails.

use bitflags::bitflags;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

bitflags! {
    /// Attributes of one mount, with the values of `MOUNT_ATTR_*`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct Attributes: u64 {
        /// Nothing can be written.
        const READ_ONLY = 0x1;
        /// Set-user-id bits and file capabilities have no effect.
        const NO_SUID = 0x2;
        /// Device nodes cannot be opened.
        const NO_DEVICES = 0x4;
        /// No program can be executed.
        const NO_EXECUTE = 0x8;
        /// Reading does not change the access time.
        const NO_ACCESS_TIME = 0x10;
        /// Each reading changes the access time.
        const STRICT_ACCESS_TIME = 0x20;
        /// All values that the access time's field can have: clears it.
        const ACCESS_TIME_FIELD = 0x70;
        /// Reading a folder does not change its access time.
        const NO_DIRECTORY_ACCESS_TIME = 0x80;
        /// Symbolic links are not followed.
        const NO_SYMLINKS = 0x20_0000;
    }
}

/// Whether what is mounted beneath a mount appears in its copies elsewhere (mount_namespaces(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// Not at all.
    Private,
    /// Only to here.
    Slave,
    /// In both directions.
    Shared,
    /// As private, and it cannot be bind-mounted.
    Unbindable,
}

/// `struct mount_attr`.
#[repr(C)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

/// Changes the mount at whose root `mount` is open, or with `recursive` all mounts from there on.
///
/// # Errors
/// Those of mount_setattr(2).
pub fn change(
    mount: impl AsFd,
    set: Attributes,
    clear: Attributes,
    propagation: Option<Propagation>,
    recursive: bool,
) -> io::Result<()> {
    let change = MountAttr {
        set: set.bits(),
        clear: clear.bits(),
        propagation: propagation.map_or(0, Propagation::flag),
        user_namespace: 0,
    };
    apply(&mount, &change, recursive)
}

/// Shows a detached mount's files with the owners that `users`, a user name space, maps theirs to.
///
/// # Errors
/// Those of mount_setattr(2): EINVAL where the file system has no such mounts, or has been seen already.
pub fn map_owners(mount: impl AsFd, users: impl AsFd, recursive: bool) -> io::Result<()> {
    const IDMAP: u64 = 0x10_0000;
    let users = users.as_fd().as_raw_fd() as u64;
    apply(&mount, &MountAttr { set: IDMAP, clear: 0, propagation: 0, user_namespace: users }, recursive)
}

fn apply(mount: &impl AsFd, change: &MountAttr, recursive: bool) -> io::Result<()> {
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a C string, `change` a live variable of the given size.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_fd().as_raw_fd(),
            c"".as_ptr(),
            flags,
            std::ptr::from_ref(change),
            size_of::<MountAttr>(),
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

impl Propagation {
    fn flag(self) -> u64 {
        match self {
            Self::Private => libc::MS_PRIVATE,
            Self::Slave => libc::MS_SLAVE,
            Self::Shared => libc::MS_SHARED,
            Self::Unbindable => libc::MS_UNBINDABLE,
        }
    }
}

/// What the kernel wrote into a file system context about its last failure (fsopen(2) "Message retrieval"): `""` if
/// nothing.
pub fn explanation(context: &OwnedFd) -> String {
    let mut text = Vec::new();
    let Ok(copy) = context.try_clone() else { return String::new() };
    let mut log = std::fs::File::from(copy);
    loop {
        let mut line = [0; 512];
        match log.read(&mut line) {
            Ok(n) if n > 0 => text.push(String::from_utf8_lossy(&line[..n]).trim().to_owned()),
            _ => return text.join("; "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};

    #[test]
    fn a_detached_mount_becomes_read_only() {
        let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).unwrap();
        fsconfig_create(&context).unwrap();
        let mount = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty()).unwrap();
        rustix::fs::mkdirat(&mount, "a", 0o700.into()).unwrap();
        change(&mount, Attributes::READ_ONLY, Attributes::empty(), Some(Propagation::Private), true).unwrap();
        let refused = rustix::fs::mkdirat(&mount, "b", 0o700.into());
        assert_eq!(refused, Err(rustix::io::Errno::ROFS));
        change(&mount, Attributes::empty(), Attributes::READ_ONLY, None, false).unwrap();
        rustix::fs::mkdirat(&mount, "b", 0o700.into()).unwrap();
    }

    #[test]
    fn failures_are_explained() {
        let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).unwrap();
        assert!(rustix::mount::fsconfig_set_string(&context, "nosuchoption", "1").is_err());
        assert!(explanation(&context).contains("nosuchoption"));
    }
}
