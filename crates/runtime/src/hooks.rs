//! Hooks (config.md "POSIX-platform Hooks"): programs of the user's that are executed at points of a container's life,
//! with its state in JSON on their standard input.
//!
//! Whose turn it is, and what comes of a hook that fails, is decided where each point is.

use crate::failure::{failure, reason, stage};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Access, MemfdFlags, access, memfd_create};
use sampan_spec::journal::Failure;
use sampan_spec::oci::{ContainerState, Hook, State};
use sampan_sys::process::{Child, Ended, Namespaces, clone, close_on_exec_from, execute, reset_signals};
use sampan_sys::process::{signal, wait};
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

const SIGKILL: i32 = 9;
/// The exit code of a hook that could not be executed.
const NOT_EXECUTED: i32 = 127;
/// So much of what a hook has written is told when it fails.
const OUTPUT_MAX: u64 = 4096;

/// Executes hooks, one after another.
///
/// # Errors
/// The first that fails: the others are not executed.
pub(crate) fn run(hooks: &[Hook], name: &str, state: &State, status: ContainerState) -> Result<(), Failure> {
    if hooks.is_empty() {
        return Ok(());
    }
    let json = serde_json::to_vec(&State { status, ..state.clone() }).unwrap_or_default();
    for (number, hook) in hooks.iter().enumerate() {
        one(hook, &json)
            .map_err(|why| failure(stage::HOOK, format!("error running {name} hook #{number}: {why}")))?;
    }
    Ok(())
}

/// Why it failed.
fn one(hook: &Hook, state: &[u8]) -> Result<(), String> {
    let shown = |error: io::Error| format!("{}: {}", hook.path.display(), reason(&error));
    access(&hook.path, Access::EXEC_OK).map_err(|error| shown(error.into()))?;
    let mut output = memory().map_err(shown)?;
    let child = start(hook, state, &output).map_err(shown)?;
    let why = match end(&child, hook.timeout).map_err(shown)? {
        Some(Ended::Code(0)) => return Ok(()),
        Some(Ended::Code(code)) => format!("exit status {code}"),
        Some(Ended::Signal(number)) => format!("signal {number}"),
        None => format!("timed out after {} seconds", hook.timeout.unwrap_or(0)),
    };
    let mut text = Vec::new();
    let _what_can_be_read = output.rewind().and_then(|()| output.take(OUTPUT_MAX).read_to_end(&mut text));
    Err(format!("{why}, output: {}", String::from_utf8_lossy(&text)))
}

fn memory() -> io::Result<File> {
    Ok(memfd_create("hook", MemfdFlags::CLOEXEC)?.into())
}

fn start(hook: &Hook, state: &[u8], output: &File) -> io::Result<Child> {
    let mut input = memory()?;
    input.write_all(state)?;
    input.rewind()?;
    let path = CString::new(hook.path.as_os_str().as_bytes())?;
    let strings =
        |list: &[String]| list.iter().map(|s| CString::new(s.as_str())).collect::<Result<Vec<_>, _>>();
    let args = match hook.args.as_deref() {
        None | Some([]) => vec![path.clone()],
        Some(args) => strings(args)?,
    };
    let env = strings(hook.env.as_deref().unwrap_or_default())?;
    clone(Namespaces::empty(), None, &[input.as_fd(), output.as_fd()], || {
        let placed = rustix::stdio::dup2_stdin(&input)
            .and_then(|()| rustix::stdio::dup2_stdout(output))
            .and_then(|()| rustix::stdio::dup2_stderr(output));
        if placed.is_ok() && close_on_exec_from(3).is_ok() {
            reset_signals();
            let _refused = execute(&path, &args, &env);
        }
        NOT_EXECUTED
    })
}

/// How it ended; `None` if it took too long, and was killed for that.
fn end(child: &Child, timeout: Option<i64>) -> io::Result<Option<Ended>> {
    let limit = timeout.filter(|seconds| *seconds > 0).map(|tv_sec| Timespec { tv_sec, tv_nsec: 0 });
    loop {
        match poll(&mut [PollFd::new(&child.pidfd, PollFlags::IN)], limit.as_ref()) {
            Ok(0) => break,
            Ok(_) => return wait(&child.pidfd).map(Some),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    signal(&child.pidfd, SIGKILL)?;
    wait(&child.pidfd)?;
    Ok(None)
}
