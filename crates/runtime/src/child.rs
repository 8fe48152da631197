//! The child's side of a start: from the clone to the program (steps 3, 5 and 7).
//!
//! It runs in a copy of the parent's memory with one thread, so the plan is simply there. All work on the container's
//! files goes through descriptors of its root, resolved by the kernel below that root (openat2(2), `RESOLVE_IN_ROOT`).

mod attach;
mod cgroups;
mod copy;
mod devices;
mod finish;
mod passwd;
mod program;
mod protect;
mod resolve;
mod schedule;
mod terminal;
mod users;

pub(crate) use finish::{Finish, execute};
pub(crate) use program::{find as find_program, refused};
pub(crate) use schedule::run_on;
pub(crate) use terminal::{Standard, open as open_terminal};
pub(crate) use users::become_root;

use crate::failure::{OrFail, failure, stage};
use crate::launch::Ends;
use crate::plan::Plan;
use crate::wire::{self, Message};
use crate::{Launch, Stdio};
use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::mount::{MountPropagationFlags, MoveMountFlags, UnmountFlags, move_mount};
use sampan_spec::journal::Failure;
use sampan_sys::cgroup::{Cgroup, Door};
use sampan_sys::mount::{Attributes, Propagation, change};
use sampan_sys::process::{Namespaces, join, unshare};
use sampan_sys::socket::{self, FDS_MAX};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The control groups to be in, and the way in.
pub(crate) struct Place<'a> {
    pub(crate) cgroup: &'a Cgroup,
    pub(crate) door: &'a Door,
}

/// The exit code of a child that could not execute its program.
const FAILED: i32 = 1;

/// The whole life of process 1 up to its program. Returns its exit code if it does not get that far.
pub(crate) fn init(plan: &Plan, launch: &Launch<'_>, place: &Place<'_>, ends: &Ends<'_>) -> i32 {
    let proc = match prepare(plan, launch, place.door, ends.socket) {
        Ok(proc) => proc,
        Err(failure) => return report(ends.socket, failure),
    };
    let standard = match build(plan, launch, place.cgroup, ends) {
        Ok(standard) => standard,
        Err(failure) => return report(ends.socket, failure),
    };
    match ends.gate {
        None => go(plan, &proc, &standard, ends.socket),
        Some(gate) => match socket::accept(gate) {
            Ok(connection) => go(plan, &proc, &standard, connection.as_fd()),
            Err(_) => FAILED,
        },
    }
}

/// Sends the failure; if nobody hears it, there is nobody to tell.
pub(crate) fn report(socket: BorrowedFd<'_>, failure: Failure) -> i32 {
    let _ = wire::send(socket, &Message::Failed(failure), &[]);
    FAILED
}

/// Step 3. Returns the host's `/proc`, which the container cannot have replaced.
fn prepare(
    plan: &Plan,
    launch: &Launch<'_>,
    door: &Door,
    socket: BorrowedFd<'_>,
) -> Result<OwnedFd, Failure> {
    if plan.identity.is_some() {
        wire::expect(socket, &Message::Mapped)?;
    }
    door.enter_v1().or_fail(stage::CGROUP, || "enter the cgroup")?;
    rustix::process::setsid().or_fail(stage::PROCESS, || "setsid")?;
    rustix::process::umask(Mode::empty());
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let proc =
        rustix::fs::openat(CWD, "/proc", flags, Mode::empty()).or_fail(stage::PROCESS, || "open /proc")?;
    users::enter(plan, proc.as_fd())?;
    for (kind, namespace) in &plan.namespaces.joined {
        if *kind != Namespaces::PID {
            join(namespace, *kind).or_fail(stage::NAMESPACES, || format!("join namespace {kind:?}"))?;
        }
    }
    if plan.namespaces.new.contains(Namespaces::CGROUP) {
        unshare(Namespaces::CGROUP).or_fail(stage::NAMESPACES, || "unshare the cgroup namespace")?;
    }
    if plan.namespaces.new.contains(Namespaces::NETWORK) {
        sampan_sys::host::raise_loopback().or_fail(stage::NAMESPACES, || "raise the loopback interface")?;
    }
    let netlink = if launch.want_netlink { Some(netlink_socket()?) } else { None };
    let fds: Vec<BorrowedFd<'_>> = netlink.iter().map(AsFd::as_fd).collect();
    wire::send(socket, &Message::Ready, &fds)?;
    Ok(proc)
}

fn netlink_socket() -> Result<OwnedFd, Failure> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
    // NETLINK_ROUTE is protocol 0.
    let made = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None);
    made.or_fail(stage::NAMESPACES, || "open a netlink socket")
}

/// Step 5.
fn build(plan: &Plan, launch: &Launch<'_>, cgroup: &Cgroup, ends: &Ends<'_>) -> Result<Standard, Failure> {
    let (root, binds) = receive_mounts(plan, ends.socket)?;
    rustix::mount::mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)
        .or_fail(stage::ROOTFS, || "make / a slave mount")?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    move_mount(&root, "", CWD, plan.place_of_root(), flags).or_fail(stage::ROOTFS, || "attach the rootfs")?;
    attach::mounts(plan, cgroup, root.as_fd(), binds)?;
    if !plan.dev_is_bound() {
        devices::make(plan, root.as_fd())?;
    }
    protect::paths(plan, root.as_fd())?;
    if plan.hooks.before_pivot() {
        wire::send(ends.socket, &Message::Hooks, &[])?;
        wire::expect(ends.socket, &Message::Hooks)?;
    }
    plan.hooks.create_container()?;
    enter_root(plan, &root)?;
    names(plan)?;
    make_cwd(plan)?;
    if ends.gate.is_some() {
        look_for_program(plan)?;
    }
    let standard = standard_streams(plan, launch)?;
    let none = Attributes::empty();
    if plan.propagation != Propagation::Private {
        change(&root, none, none, Some(plan.propagation), false)
            .or_fail(stage::ROOTFS, || "set the rootfs propagation")?;
    }
    if plan.read_only {
        change(&root, Attributes::READ_ONLY, none, None, false)
            .or_fail(stage::ROOTFS, || "make the rootfs read-only")?;
    }
    let fds: Vec<BorrowedFd<'_>> = standard.master.iter().map(AsFd::as_fd).collect();
    wire::send(ends.socket, &Message::Mounted, &fds)?;
    Ok(Standard { master: None, ..standard })
}

fn receive_mounts(plan: &Plan, socket: BorrowedFd<'_>) -> Result<(OwnedFd, Vec<OwnedFd>), Failure> {
    use crate::plan::MountKind;
    let binds = plan.mounts.iter().filter(|m| matches!(m.kind, MountKind::Bind { .. })).count();
    let mut all = Vec::with_capacity(binds + 1);
    while all.len() < binds + 1 {
        all.extend(wire::expect(socket, &Message::Mounts)?);
    }
    debug_assert!(all.len() <= (binds + 1).next_multiple_of(FDS_MAX));
    let rest = all.split_off(1);
    let root = all.pop().ok_or_else(|| failure(stage::SYNC, "no rootfs was sent"))?;
    Ok((root, rest))
}

/// Makes the new root the root of this mount name space and lets go of the host's tree (pivot_root(2), "pivot_root(".",
/// ".")").
fn enter_root(plan: &Plan, root: &OwnedFd) -> Result<(), Failure> {
    rustix::process::fchdir(root).or_fail(stage::ROOTFS, || "enter the rootfs")?;
    if plan.no_pivot {
        return rustix::process::chroot(".").or_fail(stage::ROOTFS, || "chroot");
    }
    rustix::process::pivot_root(".", ".").or_fail(stage::ROOTFS, || "pivot_root")?;
    rustix::mount::unmount(".", UnmountFlags::DETACH).or_fail(stage::ROOTFS, || "detach the old root")?;
    rustix::process::chdir("/").or_fail(stage::ROOTFS, || "enter /")
}

fn names(plan: &Plan) -> Result<(), Failure> {
    if let Some(name) = &plan.hostname {
        rustix::system::sethostname(name.as_bytes()).or_fail(stage::PROCESS, || "sethostname")?;
    }
    if let Some(name) = &plan.domainname {
        rustix::system::setdomainname(name.as_bytes()).or_fail(stage::PROCESS, || "setdomainname")?;
    }
    if plan.personality_32 {
        sampan_sys::host::set_personality_32().or_fail(stage::PROCESS, || "set the personality")?;
    }
    Ok(())
}

/// The working directory is made if it is missing, as the other runtimes do it, also behind a symbolic link.
fn make_cwd(plan: &Plan) -> Result<(), Failure> {
    let cwd = &plan.process.cwd;
    if let Ok(found) = rustix::fs::statat(CWD, cwd, rustix::fs::AtFlags::empty()) {
        let is_folder = FileType::from_raw_mode(found.st_mode) == FileType::Directory;
        let refused =
            || failure(stage::WORKDIR, format!("Cannot mkdir: {} is not a directory", cwd.display()));
        return if is_folder { Ok(()) } else { Err(refused()) };
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let made = rustix::fs::openat(CWD, "/", flags, Mode::empty())
        .and_then(|root| resolve::make_place(root.as_fd(), cwd, true));
    made.map(drop).or_fail(stage::WORKDIR, || format!("mkdir {}", cwd.display()))
}

/// Callers of `create` expect to hear there already that there is no such program.
fn look_for_program(plan: &Plan) -> Result<(), Failure> {
    let Some(name) = plan.process.args.first() else { return Ok(()) };
    // A directory that only the user may enter is left to the last step.
    match rustix::process::chdir(&plan.process.cwd) {
        Ok(()) => program::find(name, &plan.process.env).map(drop),
        Err(_) => Ok(()),
    }
}

fn standard_streams(plan: &Plan, launch: &Launch<'_>) -> Result<Standard, Failure> {
    match launch.stdio {
        Stdio::Pipes { stdin, stdout, stderr } => Standard::copies(stdin, stdout, stderr),
        Stdio::Terminal { size } => {
            let standard = terminal::open(size.or(plan.process.console_size))?;
            terminal::show_as_console(&standard)?;
            // Who called `create` waits for the end of these streams, and this process may be long in starting.
            standard.place().or_fail(stage::TERMINAL, || "let go of the caller's streams")?;
            Ok(standard)
        }
    }
}

/// Step 6 and 7. Returns only if it failed.
fn go(plan: &Plan, proc: &OwnedFd, standard: &Standard, socket: BorrowedFd<'_>) -> i32 {
    if !matches!(wire::receive(socket), Ok(Some((Message::Go, _)))) {
        return FAILED;
    }
    if let Err(failure) = plan.hooks.start_container() {
        return report(socket, failure);
    }
    let finish =
        Finish { process: &plan.process, sysctls: &plan.sysctls, proc: proc.as_fd(), standard, socket };
    report(socket, execute(&finish))
}
