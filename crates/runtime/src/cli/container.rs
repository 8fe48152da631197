//! What is done to a container that is there: `start`, `state`, `kill`, `delete`, `pause`, `resume`.

use super::args::{Flag, Parsed, flag};
use super::state::{Folder, State, Status};
use super::{CliError, Context};
use crate::wire::{self, Message};
use sampan_spec::{Signal, oci};
use sampan_sys::process::signal;
use sampan_sys::socket::{Kind, connect_unix_as};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;

pub(super) const KILL: &[Flag] = &[flag("all", Some('a'), "to all of the container's processes")];
pub(super) const DELETE: &[Flag] =
    &[flag("force", Some('f'), "kill it first, and be content if there is none")];

/// How long a killed process may take to end, in seconds.
const PATIENCE: i64 = 10;

/// `start ID`: lets a created process execute its program.
pub(super) fn start(context: Context<'_>, args: &Parsed) -> Result<i32, CliError> {
    let (folder, state) = find(&context, args.id()?)?;
    let status = folder.status(&state)?;
    if status != Status::Created {
        return Err(CliError::WrongState { verb: "start", status: status.name() });
    }
    let path = folder.gate();
    let connected = connect_unix_as(&path, Kind::Packets);
    let socket =
        connected.map_err(|source| CliError::File { what: "connect", path: path.clone(), source })?;
    fs::remove_file(&path).map_err(|source| CliError::File { what: "remove", path, source })?;
    let started = wire::send(&socket, &Message::Go, &[]).and_then(|()| match wire::receive(&socket)? {
        None => Ok(()),
        Some((Message::Failed(failure), _)) => Err(failure),
        Some(_) => Err(crate::failure::failure("sync", "the container's process is not in step")),
    });
    started.and_then(|()| state.poststart()).map(|()| 0).map_err(|failure| {
        // One that has not come far enough ends by itself.
        let _ = state.process().map(|process| signal(&process, Signal::KILL.number()));
        CliError::Start { verb: "start", failure }
    })
}

/// `state ID`: prints the state (runtime specification, runtime.md).
pub(super) fn state(mut context: Context<'_>, args: &Parsed) -> Result<i32, CliError> {
    let (folder, state) = find(&context, args.id()?)?;
    let status = folder.status(&state)?;
    let pid = if status == Status::Stopped { 0 } else { state.pid };
    let mut shown = serde_json::json!({
        "ociVersion": oci::VERSION,
        "id": state.id,
        "pid": pid,
        "status": status.name(),
        "bundle": state.bundle,
        "rootfs": state.config.root.as_ref().map(|r| state.bundle.join(&r.path)),
        "created": state.created,
        "owner": "",
    });
    if let Some(annotations) = &state.config.annotations {
        shown["annotations"] = serde_json::json!(annotations);
    }
    context.print(&shown).map(|()| 0)
}

/// `kill [--all] ID [SIGNAL]`.
pub(super) fn kill(context: Context<'_>, args: &Parsed) -> Result<i32, CliError> {
    let (_, state) = find(&context, args.id()?)?;
    let wanted = args.rest.get(1).map_or(Ok(Signal::TERM), |s| s.parse::<Signal>());
    let wanted = wanted.map_err(|e| CliError::Usage(e.to_string()))?;
    if args.has("all") {
        return kill_all(&state, wanted).map(|()| 0);
    }
    let process = state.process().ok_or(CliError::NotRunning)?;
    send(&process, wanted.number()).map(|()| 0)
}

fn kill_all(state: &State, wanted: Signal) -> Result<(), CliError> {
    let cgroup = state.cgroup()?;
    if wanted == Signal::KILL {
        return Ok(cgroup.kill_all()?);
    }
    let mut processes =
        cgroup.pids()?.into_iter().filter_map(|pid| sampan_sys::process::pidfd_open(pid).ok());
    processes.try_for_each(|p| send(&p, wanted.number()))
}

/// A process that has just ended is as dead as any signal could wish.
fn send(process: &OwnedFd, number: i32) -> Result<(), CliError> {
    match signal(process, number) {
        Err(e) if e.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => Ok(()),
        sent => sent.map_err(|source| CliError::System { what: "kill", source }),
    }
}

/// `delete [--force] ID`.
pub(super) fn delete(context: Context<'_>, args: &Parsed) -> Result<i32, CliError> {
    let force = args.has("force");
    let id = args.id()?;
    let (folder, state) = match find(&context, id) {
        Err(CliError::NotFound(_)) if force => return Folder::of(&context, id).remove().map(|()| 0),
        found => found?,
    };
    let status = folder.status(&state)?;
    if !force && !matches!(status, Status::Stopped | Status::Created) {
        return Err(CliError::NotStopped { id: id.into(), status: status.name() });
    }
    if let Some(process) = state.process() {
        send(&process, Signal::KILL.number())?;
        wait_for_end(&process)?;
    }
    state.cgroup()?.remove()?;
    folder.remove()?;
    state.poststop(context.log);
    Ok(0)
}

/// Waits for a process that need not be our child.
fn wait_for_end(process: &OwnedFd) -> Result<(), CliError> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let failed = |source| CliError::System { what: "wait for the process to end", source };
    let limit = Timespec { tv_sec: PATIENCE, tv_nsec: 0 };
    let ready = poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&limit));
    match ready.map_err(|e| failed(e.into()))? {
        0 => Err(failed(io::ErrorKind::TimedOut.into())),
        _ => Ok(()),
    }
}

/// `pause ID`.
pub(super) fn pause(context: Context<'_>, args: &Parsed) -> Result<i32, CliError> {
    freeze(&context, args, true)
}

/// `resume ID`.
pub(super) fn resume(context: Context<'_>, args: &Parsed) -> Result<i32, CliError> {
    freeze(&context, args, false)
}

fn freeze(context: &Context<'_>, args: &Parsed, frozen: bool) -> Result<i32, CliError> {
    let (folder, state) = find(context, args.id()?)?;
    let status = folder.status(&state)?;
    match (status, frozen) {
        (Status::Running | Status::Created, true) => state.cgroup()?.freeze()?,
        (Status::Paused, false) => state.cgroup()?.thaw()?,
        _ => {
            let verb = if frozen { "pause" } else { "resume" };
            return Err(CliError::WrongState { verb, status: status.name() });
        }
    }
    Ok(0)
}

/// `checkpoint` and `restore`.
pub(super) fn unsupported(_: Context<'_>, _: &Parsed) -> Result<i32, CliError> {
    Err(CliError::Usage("checkpoint and restore are not supported by this runtime".into()))
}

pub(super) fn find(context: &Context<'_>, id: &str) -> Result<(Folder, State), CliError> {
    let folder = Folder::of(context, id);
    let state = folder.read(id)?;
    Ok((folder, state))
}
