//! Layers as one tree that can only be read: a detached overlay without an upper folder, in nobody's mount table.

use crate::process::{Namespaces, unshare};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, OpenTreeFlags,
    fsconfig_create, fsconfig_set_string, fsmount, fsopen, mount, mount_change, open_tree,
};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The merged tree of these folders, topmost first. One alone is opened as it is: an overlay wants two.
///
/// # Errors
/// When a folder cannot be opened, or the kernel refuses the overlay.
pub fn read_only(layers: &[PathBuf]) -> io::Result<OwnedFd> {
    match layers {
        [one] => folder(one),
        _ => match configure(layers) {
            // Before Linux 6.7 a layer by itself is not understood.
            Err(Errno::INVAL) => mount_apart(layers),
            result => Ok(result?),
        },
    }
}

fn folder(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(CWD, path, flags, Mode::empty())?)
}

fn configure(layers: &[PathBuf]) -> Result<OwnedFd, Errno> {
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    for layer in layers {
        fsconfig_set_string(&context, "lowerdir+", layer)?;
    }
    fsconfig_create(&context)?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
}

/// mount(2) in a mount name space that a thread has for itself, then a detached copy of that mount.
fn mount_apart(layers: &[PathBuf]) -> io::Result<OwnedFd> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| mount_here(layers));
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread that mounts has panicked")))
    })
}

/// Layers are named by descriptor, relative to `/proc/self/fd`: all options must fit into one page.
fn mount_here(layers: &[PathBuf]) -> io::Result<OwnedFd> {
    unshare(Namespaces::MOUNT)?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let open: Vec<OwnedFd> = layers.iter().map(|layer| folder(layer)).collect::<Result<_, _>>()?;
    let names: Vec<String> = open.iter().map(|layer| layer.as_raw_fd().to_string()).collect();
    let data = CString::new(format!("lowerdir={}", names.join(":")))?;
    rustix::process::chdir("/proc/self/fd")?;
    let place = layers.first().ok_or(Errno::INVAL)?;
    mount("overlay", place, "overlay", MountFlags::RDONLY, Some(data.as_c_str()))?;
    let flags = OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::OPEN_TREE_CLONE;
    Ok(open_tree(CWD, place, flags)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn read(tree: &OwnedFd, name: &str) -> String {
        fs::read_to_string(format!("/proc/self/fd/{}/{name}", tree.as_raw_fd())).unwrap_or_default()
    }

    #[test]
    fn layers_are_one_tree_in_nobodys_table() {
        let root = tempfile::tempdir().unwrap();
        let layers = ["top", "bottom"].map(|name| root.path().join(name));
        for layer in &layers {
            fs::create_dir(layer).unwrap();
            fs::write(layer.join("both"), layer.file_name().unwrap().as_encoded_bytes()).unwrap();
        }
        fs::write(layers[1].join("below"), "b").unwrap();
        let table = || fs::read_to_string("/proc/self/mountinfo").unwrap();
        let before = table();
        for tree in [read_only(&layers).unwrap(), mount_apart(&layers).unwrap()] {
            assert_eq!((read(&tree, "both"), read(&tree, "below")), ("top".into(), "b".into()));
            assert!(fs::write(format!("/proc/self/fd/{}/x", tree.as_raw_fd()), "").is_err());
        }
        assert_eq!(read(&read_only(&layers[1..]).unwrap(), "both"), "bottom");
        assert_eq!(table(), before);
    }

    #[test]
    fn a_missing_layer_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        let layers = [root.path().to_owned(), root.path().join("missing")];
        for tree in [read_only(&layers), mount_apart(&layers), read_only(&layers[1..])] {
            assert_eq!(tree.unwrap_err().kind(), io::ErrorKind::NotFound);
        }
    }
}
