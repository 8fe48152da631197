//! The container's view of control groups at `/sys/fs/cgroup`: one mount on version 2; on version 1 a tmpfs with a folder
//! for each hierarchy.

use super::attach::{failed, filesystem, put};
use super::resolve;
use crate::failure::{OrFail, stage};
use crate::options::Options;
use crate::plan::{MountPlan, Plan};
use rustix::fs::CWD;
use rustix::mount::{OpenTreeFlags, open_tree};
use sampan_spec::journal::Failure;
use sampan_sys::cgroup::Cgroup;
use sampan_sys::mount::change;
use sampan_sys::process::Namespaces;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

pub(super) fn mount(
    plan: &Plan,
    own: &Cgroup,
    mount: &MountPlan,
    root: BorrowedFd<'_>,
) -> Result<(), Failure> {
    let layout = own.layout();
    let private = plan.namespaces.new.contains(Namespaces::CGROUP);
    if layout.v1.is_empty() {
        let made = match own.unified() {
            Some(folder) if !private => copy_of(folder, &mount.options),
            _ => fresh("cgroup2", "cgroup", vec![], &mount.options),
        };
        let made = made.map_err(|e| failed(mount, e, ""))?;
        return put(root, &mount.destination, &made, true).map_err(|e| failed(mount, e, ""));
    }
    mount_v1(mount, root, own, private)
}

fn mount_v1(mount: &MountPlan, root: BorrowedFd<'_>, own: &Cgroup, private: bool) -> Result<(), Failure> {
    let fail = |e: io::Error| failed(mount, e, "");
    let mut writable = mount.options.clone();
    writable.attributes.set.remove(sampan_sys::mount::Attributes::READ_ONLY);
    writable.data = vec![("mode".into(), Some("755".into()))];
    let base =
        filesystem("tmpfs", Path::new("tmpfs"), &writable).map_err(|(e, why)| failed(mount, e, &why))?;
    put(root, &mount.destination, &base, true).map_err(fail)?;
    for (hierarchy, own) in own.layout().v1.iter().zip(own.v1()) {
        let Some(name) = hierarchy.folder.file_name().and_then(|n| n.to_str()) else { continue };
        let made = if private {
            let data = hierarchy.controllers.iter().map(|c| option(c)).collect();
            fresh("cgroup", "cgroup", data, &mount.options)
        } else {
            copy_of(&own.folder, &mount.options)
        };
        let destination = format!("{}/{name}", mount.destination);
        put(root, &destination, &made.map_err(fail)?, true).map_err(fail)?;
        links(root, &mount.destination, name, &hierarchy.controllers)?;
    }
    Ok(())
}

/// `cpu` beside `cpu,cpuacct`.
fn links(
    root: BorrowedFd<'_>,
    destination: &str,
    folder: &str,
    controllers: &[String],
) -> Result<(), Failure> {
    for controller in controllers.iter().filter(|c| *c != folder && !c.contains('=')) {
        let base = resolve::place(root, Path::new(destination)).or_fail(stage::MOUNT, || destination)?;
        match rustix::fs::symlinkat(folder, base, controller.as_str()) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(e) => return Err(e).or_fail(stage::MOUNT, || format!("link {destination}/{controller}")),
        }
    }
    Ok(())
}

/// A hierarchy's file system once more: in a new cgroup name space it shows the container's part only.
fn fresh(
    kind: &str,
    source: &str,
    data: Vec<(String, Option<String>)>,
    options: &Options,
) -> io::Result<OwnedFd> {
    let options = Options { data, ..options.clone() };
    filesystem(kind, Path::new(source), &options).map_err(|(e, _)| e)
}

fn option(controller: &str) -> (String, Option<String>) {
    match controller.split_once('=') {
        Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
        None => (controller.to_owned(), None),
    }
}

/// A part of the host's mount: without a cgroup name space of its own the container sees where it is.
fn copy_of(folder: &Path, options: &Options) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::OPEN_TREE_CLONE;
    let copy = open_tree(CWD, folder, flags)?;
    change(&copy, options.attributes.set, options.attributes.clear, None, false)?;
    Ok(copy)
}
