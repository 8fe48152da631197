//! `exec`.

use super::args::Parsed;
use super::container::find;
use super::create::{ConsoleSocket, read_json, refuse, send_pidfd, unusual, write_pid_file};
use super::foreground::{Ending, follow};
use super::state::{State, Status};
use super::{CliError, Context};
use crate::{ExecTarget, Stdio};
use sampan_spec::oci::{self, Capability};
use sampan_sys::cgroup::Cgroup;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

/// `exec [options] ID COMMAND [ARGUMENT...]` or `exec --process FILE ID`.
pub(super) fn exec(context: Context<'_>, args: &Parsed) -> Result<i32, CliError> {
    refuse(args, &["ignore-paused"])?;
    let (folder, state) = find(&context, args.id()?)?;
    if folder.status(&state)? == Status::Stopped {
        return Err(CliError::WrongState { verb: "exec in", status: Status::Stopped.name() });
    }
    let process = process(args, &state)?;
    let terminal = process.terminal.unwrap_or(false);
    let detach = args.has("detach");
    let console = ConsoleSocket::needed(args, terminal && detach)?;
    let pidfd = state.process().ok_or(CliError::NotRunning)?;
    let target = ExecTarget {
        id: &state.id,
        pidfd: pidfd.as_fd(),
        cgroup: &cgroup(args, &state)?,
        config: &state.config,
        die_with_parent: false,
        unusual: unusual(args)?,
    };
    let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    let pipes = Stdio::Pipes { stdin: stdin.as_fd(), stdout: stdout.as_fd(), stderr: stderr.as_fd() };
    let stdio = if terminal { Stdio::Terminal { size: None } } else { pipes };
    let started = crate::exec(&target, &process, stdio);
    let started = started.map_err(|failure| CliError::Start { verb: "exec", failure })?;
    if let (Some(socket), Some(master)) = (console, &started.console) {
        socket.send(master.as_fd())?;
    }
    send_pidfd(args, started.pidfd.as_fd())?;
    write_pid_file(args, started.pid)?;
    if detach {
        return Ok(0);
    }
    follow(&Ending { pidfd: started.pidfd.as_fd(), console: started.console.as_ref() })
}

/// The container's cgroup, or one that is there below it.
fn cgroup(args: &Parsed, state: &State) -> Result<Cgroup, CliError> {
    let own = state.cgroup()?;
    let Some(below) = args.text("cgroup") else { return Ok(own) };
    if below.contains(':') {
        return Err(CliError::Usage("--cgroup for single controllers is not supported".into()));
    }
    let path = format!("{}/{}", own.path(), below.trim_start_matches('/'));
    Ok(Cgroup::at(own.layout(), path.trim_end_matches('/'))?)
}

/// The process of `--process`, or the container's own with other arguments.
fn process(args: &Parsed, state: &State) -> Result<oci::Process, CliError> {
    if let Some(path) = args.value("process") {
        let mut process: oci::Process = read_json(Path::new(path))?;
        if args.has("tty") {
            process.terminal = Some(true);
        }
        return Ok(process);
    }
    let command = args.rest.get(1..).filter(|c| !c.is_empty());
    let command = command.ok_or_else(|| CliError::Usage("exec needs a command".into()))?;
    let mut process = state.config.process.clone().unwrap_or_default();
    process.args = Some(command.to_vec());
    process.terminal = Some(args.has("tty"));
    if let Some(cwd) = args.value("cwd") {
        process.cwd = PathBuf::from(cwd);
    }
    process.env.get_or_insert_default().extend(args.values("env"));
    if args.has("no-new-privs") {
        process.no_new_privileges = Some(true);
    }
    if let Some(profile) = args.value("apparmor") {
        process.apparmor_profile = Some(profile.to_owned());
    }
    if let Some(label) = args.text("process-label") {
        process.selinux_label = Some(label.to_owned());
    }
    set_user(&mut process, args)?;
    add_capabilities(&mut process, &args.values("cap"))?;
    Ok(process)
}

fn set_user(process: &mut oci::Process, args: &Parsed) -> Result<(), CliError> {
    let number = |text: &str| {
        text.parse::<u32>().map_err(|_| CliError::Usage(format!("{text:?} is no user or group number")))
    };
    let user = &mut process.user;
    if let Some(given) = args.value("user") {
        let (uid, gid) = given.split_once(':').unwrap_or((given, ""));
        user.uid = number(uid)?;
        if !gid.is_empty() {
            user.gid = number(gid)?;
        }
    }
    for group in args.values("additional-gids") {
        user.additional_gids.get_or_insert_default().push(number(&group)?);
    }
    Ok(())
}

fn add_capabilities(process: &mut oci::Process, names: &[String]) -> Result<(), CliError> {
    if names.is_empty() {
        return Ok(());
    }
    let sets = process.capabilities.get_or_insert_default();
    for name in names {
        if Capability::from_name(name).is_none() {
            return Err(CliError::Usage(format!("{name:?} is no capability")));
        }
        for set in [&mut sets.bounding, &mut sets.effective, &mut sets.permitted] {
            set.get_or_insert_default().push(name.clone());
        }
    }
    Ok(())
}
