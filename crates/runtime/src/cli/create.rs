//! `create` and `run`.

use super::args::Parsed;
use super::foreground::{Ending, follow};
use super::log::Log;
use super::state::{Folder, State, start_time};
use super::{CliError, Context};
use crate::launch::prepare_behind;
use crate::{Launch, Running, Stdio, Unusual};
use sampan_spec::bundle::RootFs;
use sampan_spec::oci;
use sampan_sys::socket::{self, Kind};
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// `create [--bundle DIR] [--console-socket PATH] [--pid-file PATH] ID`: a process that waits for `start`.
pub(super) fn create(context: Context<'_>, args: &Parsed) -> Result<i32, CliError> {
    let new = New::read(&context, args)?;
    new.folder.create()?;
    let created = new.create();
    if created.is_err() {
        // The first error is the one to tell.
        let _ = new.folder.remove();
    }
    created.map(|()| 0)
}

/// `run [--detach] [--keep] ... ID`: as `create`, `start`, and in the foreground wait and `delete`.
pub(super) fn run(context: Context<'_>, args: &Parsed) -> Result<i32, CliError> {
    let new = New::read(&context, args)?;
    new.folder.create()?;
    let ran = new.run();
    let keep = new.args.has("keep") || (new.args.has("detach") && ran.is_ok());
    if !keep {
        let removed = new.folder.remove();
        if ran.is_ok() {
            removed?;
        }
    }
    ran
}

/// Refuses options that would change what a process gets and are not supported.
pub(super) fn refuse(args: &Parsed, names: &[&str]) -> Result<(), CliError> {
    let given =
        names.iter().find(|n| args.value(n).is_some_and(|v| v != "0" && v != "false" && !v.is_empty()));
    given.map_or(Ok(()), |name| Err(CliError::Usage(format!("--{name} is not supported"))))
}

/// What the caller has otherwise than usual. One that was given descriptors by systemd passes them on (sd_listen_fds(3)).
pub(super) fn unusual(args: &Parsed) -> Result<Unusual, CliError> {
    let listening = std::env::var("LISTEN_FDS").ok().and_then(|count| count.parse().ok()).unwrap_or(0u32);
    Ok(Unusual {
        preserve_fds: args.number("preserve-fds")?.unwrap_or(0u32).saturating_add(listening),
        no_pivot: args.has("no-pivot"),
        no_new_keyring: args.has("no-new-keyring"),
    })
}

/// A container to make.
struct New<'a> {
    id: String,
    args: &'a Parsed,
    log: &'a Log,
    folder: Folder,
    bundle: PathBuf,
    config: oci::Spec,
}

impl<'a> New<'a> {
    fn read(context: &'a Context<'_>, args: &'a Parsed) -> Result<Self, CliError> {
        let id = args.id()?.to_owned();
        let bundle = Path::new(args.value("bundle").unwrap_or("."));
        let bundle = fs::canonicalize(bundle).map_err(|source| CliError::File {
            what: "bundle",
            path: bundle.into(),
            source,
        })?;
        let config = read_json(&bundle.join("config.json"))?;
        let folder = Folder::of(context, &id);
        for warning in crate::plan::warnings(&config) {
            context.log.warn(&warning);
        }
        Ok(Self { id, args, log: context.log, folder, bundle, config })
    }

    fn terminal(&self) -> bool {
        self.config.process.as_ref().is_some_and(|p| p.terminal.unwrap_or(false))
    }

    /// Calls `use_launch` with what the library needs.
    fn launch<T>(&self, use_launch: impl FnOnce(&Launch<'_>) -> T) -> Result<T, CliError> {
        let root = self.config.root.as_ref();
        let root = root.ok_or_else(|| CliError::Usage("config.json has no root".into()))?;
        let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
        let pipes = Stdio::Pipes { stdin: stdin.as_fd(), stdout: stdout.as_fd(), stderr: stderr.as_fd() };
        Ok(use_launch(&Launch {
            id: &self.id,
            bundle: &self.bundle,
            config: &self.config,
            rootfs: &RootFs::Path { path: self.bundle.join(&root.path) },
            stdio: if self.terminal() { Stdio::Terminal { size: None } } else { pipes },
            sandbox: None,
            want_netlink: false,
            die_with_parent: false,
            unusual: unusual(self.args)?,
        }))
    }

    fn create(&self) -> Result<(), CliError> {
        let console = ConsoleSocket::needed(self.args, self.terminal())?;
        let path = self.folder.gate();
        let gate = socket::bind_unix_as(&path, Kind::Packets).map_err(|source| CliError::File {
            what: "bind",
            path,
            source,
        })?;
        let prepared = self.launch(|launch| prepare_behind(launch, Some(gate.as_fd())))?;
        let running = prepared.and_then(crate::Prepared::release);
        let running = running.map_err(|failure| CliError::Start { verb: "create", failure })?;
        self.announce(&running, console.as_ref()).inspect_err(|_| undo(&running))
    }

    fn run(&self) -> Result<i32, CliError> {
        let detach = self.args.has("detach");
        let console = ConsoleSocket::needed(self.args, self.terminal() && detach)?;
        let started = self.launch(|launch| prepare_behind(launch, None))?.and_then(crate::Prepared::start);
        let running = started.map_err(|failure| CliError::Start { verb: "run", failure })?;
        self.announce(&running, console.as_ref()).inspect_err(|_| undo(&running))?;
        let state = self.state(&running);
        state.poststart().map_err(|failure| {
            undo(&running);
            state.poststop(self.log);
            CliError::Start { verb: "run", failure }
        })?;
        if detach {
            return Ok(0);
        }
        let ended = follow(&Ending { pidfd: running.pidfd.as_fd(), console: running.console.as_ref() });
        if !self.args.has("keep") {
            running.sandbox.cgroup.remove()?;
            state.poststop(self.log);
        }
        ended
    }

    /// Tells everyone who wants to know: the console's receiver, `state.json`, the pid file.
    fn announce(&self, running: &Running, console: Option<&ConsoleSocket>) -> Result<(), CliError> {
        if let (Some(socket), Some(master)) = (console, &running.console) {
            socket.send(master.as_fd())?;
        }
        send_pidfd(self.args, running.pidfd.as_fd())?;
        self.folder.write(&self.state(running))?;
        write_pid_file(self.args, running.pid)
    }

    fn state(&self, running: &Running) -> State {
        State {
            id: self.id.clone(),
            pid: running.pid,
            started: start_time(running.pid),
            bundle: self.bundle.clone(),
            created: sampan_spec::Timestamp::now(),
            cgroup: running.sandbox.cgroup.path().to_owned(),
            config: self.config.clone(),
        }
    }
}

/// Ends what was started but could not be announced.
fn undo(running: &Running) {
    let _ = sampan_sys::process::signal(&running.pidfd, 9);
    let _ = sampan_sys::process::wait(&running.pidfd);
    let _ = running.sandbox.cgroup.remove();
}

/// The socket on which somebody waits for a terminal's master (`--console-socket`).
pub(super) struct ConsoleSocket(OwnedFd);

impl ConsoleSocket {
    /// Connects, where a terminal is to be sent; there must be a socket exactly then.
    pub(super) fn needed(args: &Parsed, terminal: bool) -> Result<Option<Self>, CliError> {
        match (args.text("console-socket"), terminal) {
            (None, false) => Ok(None),
            (None, true) => Err(CliError::Usage(
                "cannot allocate tty if the runtime will detach without setting console socket".into(),
            )),
            (Some(_), false) => Err(CliError::Usage(
                "cannot use console socket if the runtime will not detach or allocate tty".into(),
            )),
            (Some(path), true) => {
                let path = PathBuf::from(path);
                let connected = socket::connect_unix(&path);
                let socket = connected.map_err(|source| CliError::File { what: "connect", path, source })?;
                Ok(Some(Self(socket)))
            }
        }
    }

    pub(super) fn send(&self, master: BorrowedFd<'_>) -> Result<(), CliError> {
        let sent = socket::send_with_fds(&self.0, b"/dev/ptmx", &[master]);
        sent.map(drop).map_err(|source| CliError::System { what: "send the console", source })
    }
}

/// `--pidfd-socket`.
pub(super) fn send_pidfd(args: &Parsed, pidfd: BorrowedFd<'_>) -> Result<(), CliError> {
    let Some(path) = args.text("pidfd-socket").map(PathBuf::from) else { return Ok(()) };
    let sent = socket::connect_unix(&path).and_then(|s| socket::send_with_fds(&s, b"pidfd", &[pidfd]));
    sent.map(drop).map_err(|source| CliError::File { what: "send the pidfd to", path, source })
}

pub(super) fn write_pid_file(args: &Parsed, pid: i32) -> Result<(), CliError> {
    let Some(path) = args.text("pid-file").map(PathBuf::from) else {
        return Ok(());
    };
    let mut new = path.clone().into_os_string();
    new.push(".new");
    let written = fs::write(&new, pid.to_string()).and_then(|()| fs::rename(&new, &path));
    written.map_err(|source| CliError::File { what: "write", path, source })
}

pub(super) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, CliError> {
    let json = fs::read(path);
    let json = json.map_err(|source| CliError::File { what: "read", path: path.into(), source })?;
    serde_json::from_slice(&json).map_err(|source| CliError::Json { what: "read", path: path.into(), source })
}
