//! `exec`: another process in a running container. Its record lives in the container's journal.

use super::driver::{Command, Handle};
use super::oci::{ProcessRequest, build_process, environment, replace_variables, with_home};
use super::phase::{Verdict, Wish, allow};
use super::user::User;
use super::{bundle, links};
use crate::engine::Engine;
use crate::monitor::Handover;
use crate::{Error, Result};
use sampan_spec::journal::{Exec, ExecProcess};
use sampan_spec::monitor::Request;
use sampan_spec::{ContainerId, ExecId};

/// A process to execute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecRequest {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Variables beside the container's.
    pub env: Vec<String>,
    /// Its directory; empty: the container's.
    pub working_dir: String,
    /// `user[:group]`; empty: the container's.
    pub user: String,
    /// Whether its streams are a terminal.
    pub tty: bool,
    /// Which streams the client gets.
    pub attach: super::Attach,
    /// The bytes that detach from its terminal; empty: none.
    pub detach_keys: Vec<u8>,
    /// Rows and columns of the client's terminal.
    pub size: Option<(u16, u16)>,
}

/// How an exec process is to be started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExecStart {
    /// Without a client.
    pub detach: bool,
    /// Rows and columns of its terminal.
    pub size: Option<(u16, u16)>,
}

/// What came of it.
pub enum ExecStarted {
    /// It runs without a client.
    Detached,
    /// The monitor starts it with the client that is handed over. The second value says whether it has a terminal.
    Handover(Handover, bool),
}

/// An exec process at one moment.
#[derive(Clone, Debug)]
pub struct ExecSnapshot {
    /// Its id.
    pub id: ExecId,
    /// Its container.
    pub container: ContainerId,
    /// What it is and how far it came.
    pub exec: Exec,
}

/// Makes a process known in a running container.
///
/// # Errors
/// When there is no such container, it does not run or is paused, or no command is given.
pub async fn exec_create(engine: &Engine, name: &str, request: ExecRequest) -> Result<ExecId> {
    let handle = engine.containers().resolve(name)?;
    if request.command.is_empty() {
        return Err(Error::NoExecCommand);
    }
    may_execute(&handle, name)?;
    let id = ExecId::from_bytes(crate::engine::random()?);
    let typed = if request.user.is_empty() { &handle.container().config.user } else { &request.user };
    let root = bundle::rootfs(engine, &handle.container()).await?;
    let user = bundle::resolve_user(&root, typed).await?;
    let groups = handle.container().config.host.group_add.clone();
    let user = crate::blocking::blocking(move || user.with_groups(&root, &groups)).await?;
    let links = links::variables_at_hand(engine, &handle.container());
    let process = Box::new(describe(&handle, &request, (&user, &links)));
    let not_running = || Error::NotRunning(handle.id().to_string());
    let connection = handle.ask(Command::Running).await?.ok_or_else(not_running)?;
    let call = Request::ExecCreate { exec: id.clone(), process };
    connection
        .call(call)
        .await
        .map_err(|e| if e.is_gone() { not_running() } else { e.about(handle.id(), name) })?;
    // The entry precedes the answer on the wire, but it is folded in by another task.
    handle
        .wait_until(|snapshot| {
            snapshot.state.summary.execs.contains_key(&id) || !snapshot.state.phase.is_active()
        })
        .await;
    Ok(id)
}

fn may_execute(handle: &Handle, name: &str) -> Result<()> {
    match allow(handle.snapshot().state.phase, Wish::Exec) {
        Verdict::Go | Verdict::Already => Ok(()),
        Verdict::Paused => Err(Error::Paused(name.to_owned())),
        Verdict::Restarting => Err(Error::Restarting(name.to_owned())),
        Verdict::Removing => Err(Error::Removing(name.to_owned())),
        Verdict::NotRunning | Verdict::Running => Err(Error::NotRunning(handle.id().to_string())),
    }
}

fn describe(handle: &Handle, request: &ExecRequest, (user, links): (&User, &[String])) -> ExecProcess {
    let container = handle.container();
    let mut env = environment(&container, links);
    if request.tty && !container.config.tty {
        env = replace_variables(env, &["TERM=xterm".to_owned()]);
    }
    let process = build_process(
        &ProcessRequest {
            args: request.command.clone(),
            env: with_home(replace_variables(env, &request.env), user),
            cwd: if request.working_dir.is_empty() {
                &container.config.working_dir
            } else {
                &request.working_dir
            },
            user,
            terminal: request.tty,
            size: request.size,
        },
        &container,
    );
    ExecProcess {
        process: Box::new(process),
        stdin: request.attach.stdin,
        stdout: request.attach.stdout,
        stderr: request.attach.stderr,
        detach_keys: request.detach_keys.clone(),
    }
}

/// Starts a process that was made known.
///
/// # Errors
/// When there is none, it was started before, or (detached) it cannot be started.
pub async fn exec_start(engine: &Engine, id: &str, start: ExecStart) -> Result<ExecStarted> {
    let (handle, id, exec) = find(engine, id)?;
    if exec.pid.is_some() || exec.ended.is_some() {
        return Err(Error::ExecAlreadyRan(id.to_string()));
    }
    may_execute(&handle, id.as_str())?;
    let not_running = || Error::NotRunning(handle.id().to_string());
    let connection = handle.ask(Command::Running).await?.ok_or_else(not_running)?;
    if !start.detach {
        let tty = exec.process.process.terminal.unwrap_or(false);
        let name = id.to_string();
        let request = move |client| Request::ExecStart { exec: id, client: Some(client), size: start.size };
        return Ok(ExecStarted::Handover(Handover::new(connection, &name, request), tty));
    }
    let request = Request::ExecStart { exec: id.clone(), client: None, size: start.size };
    connection.call(request).await.map_err(|e| match e.failure() {
        Some(failure) => Error::ExecStart(failure.clone()),
        None => e.about(handle.id(), id.as_str()),
    })?;
    Ok(ExecStarted::Detached)
}

/// Looks at an exec process.
///
/// # Errors
/// When there is none, or it ended so long ago that it is forgotten.
pub async fn exec_inspect(engine: &Engine, id: &str) -> Result<ExecSnapshot> {
    let (handle, id, mut exec) = find(engine, id)?;
    if exec.ended.is_none()
        && let Some(now) = handle.current().await.state.summary.execs.get(&id)
    {
        exec = now.clone();
    }
    Ok(ExecSnapshot { id, container: handle.id().clone(), exec })
}

/// Sets the size of an exec process's terminal.
///
/// # Errors
/// When there is none, it does not run, or it has no terminal.
pub async fn exec_resize(engine: &Engine, id: &str, rows: u16, columns: u16) -> Result<()> {
    let (handle, id, _) = find(engine, id)?;
    super::resize::send(&handle, Some(id), rows, columns).await
}

fn find(engine: &Engine, text: &str) -> Result<(Handle, ExecId, Exec)> {
    let missing = || Error::NoSuchExec(text.to_owned());
    let id: ExecId = text.parse().map_err(|_| missing())?;
    let found = engine.containers().all().into_iter().find_map(|handle| {
        let exec = handle.snapshot().state.summary.execs.get(&id).cloned()?;
        Some((handle, exec))
    });
    let (handle, exec) = found.ok_or_else(missing)?;
    Ok((handle, id, exec))
}
