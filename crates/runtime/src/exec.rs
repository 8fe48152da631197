//! A further process in a running container.
//!
//! One clone: it is born in the container's pid name space and cgroup, and enters the other name spaces itself. Its memory
//! is not open to the container's processes meanwhile (`PR_SET_DUMPABLE`), and descriptors of the host are closed.

use crate::child::{self, Finish, Standard, execute, open_terminal};
use crate::failure::{OrFail, failure, stage};
use crate::launch::{in_pid_namespace, preserved, privately};
use crate::limits::cgroup_failure;
use crate::plan::{ProcessPlan, namespace_kind};
use crate::wire::{self, Message};
use crate::{Stdio, Unusual};
use rustix::fs::{CWD, Mode, OFlags};
use sampan_spec::journal::Failure;
use sampan_spec::oci;
use sampan_sys::cgroup::{Cgroup, Door};
use sampan_sys::process::{Child, Namespaces, clone, join, signal, wait};
use sampan_sys::socket::{Kind, pair};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// How long each half of the way to the program may take. The container's processes see this one, and can stop it.
const PATIENCE: Duration = Duration::from_secs(5);
const SIGKILL: i32 = 9;

/// The container to execute in.
#[derive(Clone, Copy, Debug)]
pub struct ExecTarget<'a> {
    /// The container's id.
    pub id: &'a str,
    /// Its process 1.
    pub pidfd: BorrowedFd<'a>,
    /// Its control groups.
    pub cgroup: &'a Cgroup,
    /// Its configuration: which name spaces to enter, and the seccomp profile.
    pub config: &'a oci::Spec,
    /// SIGKILL for the process when the calling thread ends.
    pub die_with_parent: bool,
    /// What the caller has otherwise than usual.
    pub unusual: Unusual,
}

/// A process that executes its program.
#[derive(Debug)]
pub struct ExecProcess {
    /// Its pid in the caller's pid name space.
    pub pid: i32,
    /// Its descriptor. It is the caller's child and must be waited for.
    pub pidfd: OwnedFd,
    /// Its terminal's master.
    pub console: Option<OwnedFd>,
}

/// Executes a process in a running container, and returns when its program runs.
///
/// # Errors
/// What went wrong; no process is left. In step `exec` the message is as runc words it.
pub fn exec(
    target: &ExecTarget<'_>,
    process: &oci::Process,
    stdio: Stdio<'_>,
) -> Result<ExecProcess, Failure> {
    let plan =
        ProcessPlan::read(process, target.config, target.id, target.die_with_parent)?.with(target.unusual);
    let kinds = namespaces(target.config);
    if target.cgroup.is_frozen().unwrap_or(false) {
        return Err(failure(stage::EXEC, "cannot exec in a paused container"));
    }
    let (ours, theirs) = pair(Kind::Packets).or_fail(stage::SYNC, || "socketpair")?;
    wire::limit(&ours, Some(PATIENCE))?;
    let child = start(target, &plan, kinds, stdio, theirs.as_fd())?;
    drop(theirs);
    match follow(&ours) {
        Ok(console) => Ok(ExecProcess { pid: child.pid, pidfd: child.pidfd, console }),
        Err(failure) => {
            // After a failure that it told it ends by itself, but it may have told none.
            let _it_may_have_ended = signal(&child.pidfd, SIGKILL);
            wait(&child.pidfd).or_fail(stage::SYNC, || "wait for the process")?;
            Err(failure)
        }
    }
}

/// The name spaces that the container has for itself.
fn namespaces(config: &oci::Spec) -> Namespaces {
    let linux = config.linux.as_ref().and_then(|l| l.namespaces.as_ref());
    linux.into_iter().flatten().map(|n| namespace_kind(n.typ)).collect()
}

fn start(
    target: &ExecTarget<'_>,
    plan: &ProcessPlan,
    kinds: Namespaces,
    stdio: Stdio<'_>,
    socket: BorrowedFd<'_>,
) -> Result<Child, Failure> {
    let door = target.cgroup.door().map_err(|e| cgroup_failure(&e))?;
    let mut keep = door.tasks();
    keep.extend([socket, target.pidfd]);
    keep.extend(preserved(target.unusual)?);
    if let Stdio::Pipes { stdin, stdout, stderr } = stdio {
        keep.extend([stdin, stdout, stderr]);
    }
    let others = kinds - Namespaces::PID;
    let make = || {
        privately(|| {
            clone(Namespaces::empty(), door.unified(), &keep, || {
                child::report(socket, run(plan, target.pidfd, others, stdio, &door, socket))
            })
            .or_fail(stage::NAMESPACES, || "clone3")
        })
    };
    if kinds.contains(Namespaces::PID) { in_pid_namespace(target.pidfd, make) } else { make() }
}

/// The terminal's master, once the program runs.
fn follow(socket: &OwnedFd) -> Result<Option<OwnedFd>, Failure> {
    let console = wire::expect(socket, &Message::Mounted)?.pop();
    match wire::receive(socket)? {
        None => Ok(console),
        Some((Message::Failed(failure), _)) => Err(failure),
        Some(_) => Err(failure(stage::SYNC, "the process is not in step")),
    }
}

/// The child's whole life up to its program. Returns only if that failed.
fn run(
    plan: &ProcessPlan,
    container: BorrowedFd<'_>,
    kinds: Namespaces,
    stdio: Stdio<'_>,
    door: &Door,
    socket: BorrowedFd<'_>,
) -> Failure {
    match enter(plan, container, kinds, stdio, door) {
        Err(failure) => failure,
        Ok((proc, mut standard)) => {
            let master = standard.master.take();
            let fds: Vec<BorrowedFd<'_>> = master.iter().map(AsFd::as_fd).collect();
            if let Err(failure) = wire::send(socket, &Message::Mounted, &fds) {
                return failure;
            }
            drop(master);
            if let Err(failure) = child::run_on(&plan.processors) {
                return failure;
            }
            let proc = proc.as_fd();
            execute(&Finish { process: plan, sysctls: &[], proc, standard: &standard, socket })
        }
    }
}

fn enter(
    plan: &ProcessPlan,
    container: BorrowedFd<'_>,
    kinds: Namespaces,
    stdio: Stdio<'_>,
    door: &Door,
) -> Result<(OwnedFd, Standard), Failure> {
    child::run_on(&plan.first_processors)?;
    door.enter_v1().or_fail(stage::CGROUP, || "enter the cgroup")?;
    rustix::process::setsid().or_fail(stage::PROCESS, || "setsid")?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let proc =
        rustix::fs::openat(CWD, "/proc", flags, Mode::empty()).or_fail(stage::PROCESS, || "open /proc")?;
    if !kinds.is_empty() {
        join(container, kinds).or_fail(stage::NAMESPACES, || "enter the container's namespaces")?;
    }
    if kinds.contains(Namespaces::USER) {
        child::become_root()?;
    }
    let standard = match stdio {
        Stdio::Pipes { stdin, stdout, stderr } => Standard::copies(stdin, stdout, stderr)?,
        Stdio::Terminal { size } => open_terminal(size.or(plan.console_size))?,
    };
    Ok((proc, standard))
}
