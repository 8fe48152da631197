//! The parent's part of user name spaces: the mappings of a child's, and name spaces that idmapped mounts take theirs from
//! (user_namespaces(7)).

use crate::failure::{OrFail, stage};
use crate::plan::{Identity, Owners};
use crate::wire;
use sampan_spec::journal::Failure;
use sampan_spec::oci::LinuxIdMapping;
use sampan_sys::mount::map_owners;
use sampan_sys::process::{Namespaces, clone, wait};
use sampan_sys::socket::{Kind, pair};
use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};

/// Says who the users in a child's new user name space are outside of it.
pub(crate) fn map(pid: i32, identity: &Identity) -> Result<(), Failure> {
    for (file, mappings) in [("uid_map", &identity.uids), ("gid_map", &identity.gids)] {
        let text = lines(mappings);
        fs::write(format!("/proc/{pid}/{file}"), &text)
            .or_fail(stage::NAMESPACES, || format!("write {:?} to {file}", text.trim_end()))?;
    }
    Ok(())
}

fn lines(mappings: &[LinuxIdMapping]) -> String {
    let line = |m: &LinuxIdMapping| format!("{} {} {}\n", m.container_id, m.host_id, m.size);
    mappings.iter().map(line).collect()
}

/// Shows a mount's files with other owners. `container` is the pid of the container's process 1.
pub(crate) fn show(mount: &OwnedFd, owners: &Owners, container: i32) -> Result<(), Failure> {
    let (users, recursive) = match owners {
        Owners::Own(identity, recursive) => (namespace(identity)?, *recursive),
        Owners::Container(recursive) => (of(container)?, *recursive),
    };
    map_owners(mount, users, recursive).or_fail(stage::MOUNT, || "make an idmapped mount")
}

fn of(pid: i32) -> Result<OwnedFd, Failure> {
    let opened = File::open(format!("/proc/{pid}/ns/user"));
    opened.map(Into::into).or_fail(stage::NAMESPACES, || "open a user namespace")
}

/// A user name space with this mapping, and nobody in it: the child that is born in it ends at once.
fn namespace(identity: &Identity) -> Result<OwnedFd, Failure> {
    let (ours, theirs) = pair(Kind::Packets).or_fail(stage::SYNC, || "socketpair")?;
    let child = clone(Namespaces::USER, None, &[theirs.as_fd()], || {
        // Until the other end is closed.
        let _nothing_is_sent = wire::receive(&theirs);
        0
    })
    .or_fail(stage::NAMESPACES, || "clone a process for a user namespace")?;
    let opened = map(child.pid, identity).and_then(|()| of(child.pid));
    drop((ours, theirs));
    wait(&child.pidfd).or_fail(stage::NAMESPACES, || "wait for the user namespace's process")?;
    opened
}
