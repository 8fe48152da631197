//! The child's part of new user and time name spaces (user_namespaces(7), time_namespaces(7)).

use super::finish::write;
use crate::failure::{OrFail, stage};
use crate::plan::Plan;
use rustix::fs::{Mode, OFlags, Uid};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::thread::Gid;
use sampan_spec::journal::Failure;
use sampan_sys::process::{Namespaces, join, unshare};
use std::os::fd::BorrowedFd;

/// Sets the clocks of a new time name space, and becomes root of a new user name space. `proc` is the host's.
pub(super) fn enter(plan: &Plan, proc: BorrowedFd<'_>) -> Result<(), Failure> {
    if plan.namespaces.new.contains(Namespaces::TIME) {
        set_clocks(plan, proc)?;
    }
    if plan.identity.is_none() {
        return Ok(());
    }
    become_root()?;
    if plan.namespaces.new.contains(Namespaces::PID) {
        // Another user than before may not write to its own files in /proc; in this pid name space there is nobody to see them.
        set_dumpable_behavior(DumpableBehavior::Dumpable)
            .or_fail(stage::PROCESS, || "set PR_SET_DUMPABLE")?;
    }
    Ok(())
}

fn set_clocks(plan: &Plan, proc: BorrowedFd<'_>) -> Result<(), Failure> {
    unshare(Namespaces::TIME).or_fail(stage::NAMESPACES, || "unshare the time namespace")?;
    if !plan.clocks.is_empty() {
        let lines = plan.clocks.join("\n");
        write(proc, "self/timens_offsets", &lines)
            .or_fail(stage::NAMESPACES, || format!("write time offsets {lines:?}"))?;
    }
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let made = rustix::fs::openat(proc, "self/ns/time_for_children", flags, Mode::empty());
    let made = made.or_fail(stage::NAMESPACES, || "open the time namespace")?;
    join(made, Namespaces::TIME).or_fail(stage::NAMESPACES, || "enter the time namespace")
}

/// Becomes root of the user name space that this process is in.
pub(crate) fn become_root() -> Result<(), Failure> {
    let failed = || "become root of the user namespace";
    rustix::thread::set_thread_groups(&[]).or_fail(stage::NAMESPACES, failed)?;
    rustix::thread::set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT).or_fail(stage::NAMESPACES, failed)?;
    rustix::thread::set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT).or_fail(stage::NAMESPACES, failed)
}
