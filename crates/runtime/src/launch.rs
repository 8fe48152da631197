//! The parent's side of a start.

use crate::child::Place;
use crate::failure::{OrFail, stage};
use crate::limits::cgroup_failure;
use crate::plan::Plan;
use crate::wire::{self, Message};
use crate::{Launch, Stdio, Unusual, child, identity, rootfs};
use rustix::process::{DumpableBehavior, dumpable_behavior, set_dumpable_behavior};
use sampan_spec::journal::Failure;
use sampan_sys::cgroup::{Cgroup, Layout};
use sampan_sys::process::{Child, Namespaces, clone, inherited, join, signal, wait};
use sampan_sys::socket::{FDS_MAX, Kind, pair};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

const SIGKILL: i32 = 9;
/// How long process 1 may take for a step: less than a daemon waits for its monitor. In a pid name space that is not its own
/// others can stop it.
const PATIENCE: Duration = Duration::from_secs(25);

/// What stays when a container's process ends and is used again when it is restarted. Dropping it removes nothing:
/// the network name space goes with its last descriptor, the cgroup with [`Cgroup::remove`].
#[derive(Debug)]
pub struct Sandbox {
    /// The network name space, its own or another container's; `None` for the host's.
    pub netns: Option<OwnedFd>,
    /// The control groups.
    pub cgroup: Cgroup,
}

/// A process 1 that waits. Dropping it is [`Prepared::abandon`].
#[derive(Debug)]
pub struct Prepared {
    plan: Plan,
    child: Child,
    cgroup: Cgroup,
    undo: Undo,
    socket: OwnedFd,
    netns: Option<OwnedFd>,
    netlink: Option<OwnedFd>,
    root: Option<OwnedFd>,
    console: Option<OwnedFd>,
}

/// A process that executes its program.
#[derive(Debug)]
pub struct Running {
    /// Its pid in the caller's pid name space.
    pub pid: i32,
    /// Its descriptor. It is the caller's child and must be waited for.
    pub pidfd: OwnedFd,
    /// Its terminal's master.
    pub console: Option<OwnedFd>,
    /// What a restart uses again.
    pub sandbox: Sandbox,
    /// The root file system once more: while this is open, the end of the process does not wait for the unmount, which
    /// can take a sync of the writable layer.
    pub root: OwnedFd,
}

/// What to take back if the start does not come to its end.
#[derive(Debug, Default)]
struct Undo {
    process: Option<OwnedFd>,
    cgroup: Option<Cgroup>,
}

/// Steps 1 to 3: reads the configuration, makes the cgroup, clones process 1 into its name spaces.
///
/// # Errors
/// What went wrong, with all undone.
pub fn prepare(launch: &Launch<'_>) -> Result<Prepared, Failure> {
    prepare_behind(launch, None)
}

/// As [`prepare`]; with a `gate`, a listening socket, process 1 waits for *go* on the first connection to that.
pub(crate) fn prepare_behind(launch: &Launch<'_>, gate: Option<BorrowedFd<'_>>) -> Result<Prepared, Failure> {
    let plan = Plan::read(launch)?;
    let cgroup = make_cgroup(launch, &plan)?;
    let mut undo = Undo { process: None, cgroup: launch.sandbox.is_none().then(|| cgroup.clone()) };
    let (ours, theirs) = pair(Kind::Packets).or_fail(stage::SYNC, || "socketpair")?;
    wire::limit(&ours, Some(PATIENCE).filter(|_| !plan.hooks.any()))?;
    let child = clone_child(launch, &plan, &cgroup, &Ends { socket: theirs.as_fd(), gate })?;
    undo.process = Some(child.pidfd.try_clone().or_fail(stage::SYNC, || "copy the pidfd")?);
    drop(theirs);
    if let Some(identity) = &plan.identity {
        identity::map(child.pid, identity)?;
        wire::send(&ours, &Message::Mapped, &[])?;
    }
    let netlink = wire::expect(&ours, &Message::Ready)?.pop();
    let netns = netns(&plan, child.pid)?;
    Ok(Prepared { plan, child, cgroup, undo, socket: ours, netns, netlink, root: None, console: None })
}

/// The child's ends.
pub(crate) struct Ends<'a> {
    pub(crate) socket: BorrowedFd<'a>,
    pub(crate) gate: Option<BorrowedFd<'a>>,
}

fn make_cgroup(launch: &Launch<'_>, plan: &Plan) -> Result<Cgroup, Failure> {
    let failed = |e| cgroup_failure(&e);
    if let Some(sandbox) = launch.sandbox {
        sandbox.cgroup.remove_children().map_err(failed)?;
        return Ok(sandbox.cgroup.clone());
    }
    let layout = Layout::detect().map_err(failed)?;
    let cgroup = Cgroup::create(&layout, &plan.cgroup_path).map_err(failed)?;
    let limited = cgroup.limit(&plan.limits).and_then(|()| match plan.device_rules[..] {
        [] => Ok(()),
        ref rules => cgroup.restrict_devices(rules),
    });
    if let Err(error) = limited {
        // The first error is the one to tell.
        let _ = cgroup.remove();
        return Err(cgroup_failure(&error));
    }
    Ok(cgroup)
}

/// Step 2.
fn clone_child(launch: &Launch<'_>, plan: &Plan, cgroup: &Cgroup, ends: &Ends<'_>) -> Result<Child, Failure> {
    let door = cgroup.door().map_err(|e| cgroup_failure(&e))?;
    let mut keep = door.tasks();
    keep.push(ends.socket);
    keep.extend(ends.gate);
    keep.extend(preserved(launch.unusual)?);
    keep.extend(plan.namespaces.joined.iter().map(|(_, fd)| fd.as_fd()));
    if let Stdio::Pipes { stdin, stdout, stderr } = launch.stdio {
        keep.extend([stdin, stdout, stderr]);
    }
    // A cgroup name space is rooted where its maker is, so the child makes that itself once it has entered; and
    // clocks must be set before anybody lives by them.
    let new = plan.namespaces.new - Namespaces::CGROUP - Namespaces::TIME;
    let joined_pid = plan.namespaces.joined.iter().find(|(kind, _)| *kind == Namespaces::PID);
    let place = Place { cgroup, door: &door };
    let start = || {
        clone(new, door.unified(), &keep, || child::init(plan, launch, &place, ends))
            .or_fail(stage::NAMESPACES, || "clone3")
    };
    match joined_pid {
        Some((_, namespace)) => in_pid_namespace(namespace.as_fd(), || privately(start)),
        None => start(),
    }
}

/// The descriptors that the caller passes on.
pub(crate) fn preserved(unusual: Unusual) -> Result<Vec<BorrowedFd<'static>>, Failure> {
    inherited(unusual.preserve_fds)
        .or_fail(stage::CONFIG, || format!("pass {} descriptors on", unusual.preserve_fds))
}

/// Makes children whose memory is closed to the processes around them from their first moment (`PR_SET_DUMPABLE`), up to their
/// program: others may see them at once. This process is as it was afterwards, as its own `/proc` entry depends on it.
pub(crate) fn privately<T>(start: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    let was = dumpable_behavior().or_fail(stage::PROCESS, || "ask for PR_GET_DUMPABLE")?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .or_fail(stage::PROCESS, || "make the process private")?;
    let started = start();
    if was == DumpableBehavior::Dumpable {
        // This can always be set; and where it is not, only a core dump is missing.
        let _ = set_dumpable_behavior(was);
    }
    started
}

/// Makes children in another pid name space; afterwards they are made in ours again. `namespace` may be a pidfd.
pub(crate) fn in_pid_namespace<T>(
    namespace: BorrowedFd<'_>,
    start: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let own = File::open("/proc/self/ns/pid").or_fail(stage::NAMESPACES, || "open /proc/self/ns/pid")?;
    join(namespace, Namespaces::PID).or_fail(stage::NAMESPACES, || "join the pid namespace")?;
    let started = start();
    join(&own, Namespaces::PID).or_fail(stage::NAMESPACES, || "return to the pid namespace")?;
    started
}

/// The network name space, unless it is the host's.
fn netns(plan: &Plan, pid: i32) -> Result<Option<OwnedFd>, Failure> {
    let failed = || "open the network namespace";
    if let Some((_, joined)) = plan.namespaces.joined.iter().find(|(kind, _)| *kind == Namespaces::NETWORK) {
        return Ok(Some(joined.try_clone().or_fail(stage::NAMESPACES, failed)?));
    }
    if !plan.namespaces.new.contains(Namespaces::NETWORK) {
        return Ok(None);
    }
    let file = File::open(format!("/proc/{pid}/ns/net")).or_fail(stage::NAMESPACES, failed)?;
    Ok(Some(file.into()))
}

impl Prepared {
    /// Process 1's pid in the caller's pid name space.
    pub fn pid(&self) -> i32 {
        self.child.pid
    }

    /// Process 1's descriptor.
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.child.pidfd.as_fd()
    }

    /// The container's network name space, if it is not the host's.
    pub fn netns(&self) -> Option<BorrowedFd<'_>> {
        self.netns.as_ref().map(AsFd::as_fd)
    }

    /// The control groups.
    pub fn cgroup(&self) -> &Cgroup {
        &self.cgroup
    }

    /// The NETLINK_ROUTE socket that was opened in the network name space, once.
    pub fn take_netlink(&mut self) -> Option<OwnedFd> {
        self.netlink.take()
    }

    /// Steps 4 and 5: builds the root and the volumes, and lets process 1 move into them. Others may configure the network
    /// name space meanwhile. Does nothing the second time.
    ///
    /// # Errors
    /// What went wrong; nothing can be done with this then but to drop it.
    pub fn mount(&mut self) -> Result<(), Failure> {
        if self.root.is_some() {
            return Ok(());
        }
        let (root, binds) = rootfs::build(&self.plan, self.child.pid)?;
        let all: Vec<BorrowedFd<'_>> = [&root].into_iter().chain(&binds).map(AsFd::as_fd).collect();
        for some in all.chunks(FDS_MAX) {
            wire::send(&self.socket, &Message::Mounts, some)?;
        }
        if self.plan.hooks.before_pivot() {
            wire::expect(&self.socket, &Message::Hooks)?;
            self.plan.hooks.create_runtime(self.child.pid)?;
            wire::send(&self.socket, &Message::Hooks, &[])?;
        }
        self.console = wire::expect(&self.socket, &Message::Mounted)?.pop();
        self.root = Some(root);
        Ok(())
    }

    /// Steps 6 to 8: lets process 1 execute its program; mounts first where that was not done.
    ///
    /// # Errors
    /// What went wrong, with all undone. In step `exec` the message is as runc words it.
    pub fn start(mut self) -> Result<Running, Failure> {
        self.mount()?;
        wire::send(&self.socket, &Message::Go, &[])?;
        match wire::receive(&self.socket)? {
            None => self.running(),
            Some((Message::Failed(failure), _)) => Err(failure),
            Some(_) => Err(crate::failure::failure(stage::SYNC, "the container's process is not in step")),
        }
    }

    fn running(mut self) -> Result<Running, Failure> {
        let root =
            self.root.take().ok_or_else(|| crate::failure::failure(stage::SYNC, "nothing was mounted"))?;
        self.undo.process = None;
        self.undo.cgroup = None;
        let sandbox = Sandbox { netns: self.netns, cgroup: self.cgroup };
        Ok(Running { pid: self.child.pid, pidfd: self.child.pidfd, console: self.console, sandbox, root })
    }

    /// Ends process 1 and undoes the rest.
    pub fn abandon(self) {}

    /// Gives process 1 up without ending it: it waits on a socket that somebody else has.
    pub(crate) fn release(mut self) -> Result<Running, Failure> {
        self.mount()?;
        self.running()
    }
}

impl Drop for Undo {
    /// What cannot be undone here is found by the next start of the engine, by its name.
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            let _ = signal(&process, SIGKILL);
            let _ = wait(&process);
        }
        if let Some(cgroup) = self.cgroup.take() {
            let _ = cgroup.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_are_private_from_their_birth() {
        let in_child = privately(|| {
            let child = clone(Namespaces::empty(), None, &[], || {
                i32::from(dumpable_behavior().unwrap() == DumpableBehavior::NotDumpable)
            });
            Ok(wait(&child.unwrap().pidfd).unwrap())
        });
        assert_eq!(in_child.unwrap(), sampan_sys::process::Ended::Code(1));
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::Dumpable);
    }
}
