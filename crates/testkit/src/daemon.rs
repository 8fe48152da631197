//! A daemon under test: a real one, with folders and a network of its own.

use crate::client::{Cli, Output};
use crate::network::Network;
use crate::process::{eventually, pids_mentioning, runs, signal, soon};
use crate::{image, leaks};
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;

/// How many daemons this process has started: their bridges' names differ.
static STARTED: AtomicUsize = AtomicUsize::new(0);

/// The programs under test.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The command line and the daemon.
    pub sampan: PathBuf,
    /// The runtime and the monitor.
    pub runtime: PathBuf,
}

/// A running daemon, or one that was killed and can be started again. Its listening socket is held by the test, as
/// systemd would hold it: clients that come while there is no daemon wait.
pub struct Daemon {
    programs: Programs,
    folder: TempDir,
    network: Network,
    socket: UnixListener,
    process: Option<Child>,
    bridge: String,
    environment: Vec<(String, String)>,
    own_options: Vec<String>,
    containers: Mutex<BTreeSet<String>>,
}

impl Daemon {
    /// Starts one and waits until it answers.
    pub fn start(programs: Programs) -> Self {
        Self::start_with(programs, &[])
    }

    /// Starts one with these environment variables.
    pub fn start_with(programs: Programs, environment: &[(&str, &str)]) -> Self {
        Self::start_as(programs, environment, &[])
    }

    /// Starts one with these options beside those that each has.
    pub fn start_told(programs: Programs, options: &[&str]) -> Self {
        Self::start_as(programs, &[], options)
    }

    fn start_as(programs: Programs, environment: &[(&str, &str)], options: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("sampan-").tempdir().unwrap();
        let socket = UnixListener::bind(folder.path().join("sock")).unwrap();
        let mut daemon = Self {
            programs,
            folder,
            network: Network::new(),
            bridge: format!("sbt{:x}x{:x}", std::process::id(), STARTED.fetch_add(1, Ordering::Relaxed)),
            socket,
            process: None,
            environment: environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            own_options: options.iter().map(|option| (*option).to_owned()).collect(),
            containers: Mutex::default(),
        };
        daemon.start_again();
        daemon
    }

    /// Starts it after its end and waits until it answers.
    pub fn start_again(&mut self) {
        assert!(self.process.is_none(), "the daemon runs");
        let mut process = self.spawn();
        // The socket is the test's: a client waits for ever where no daemon comes.
        let quiet = || Stdio::null();
        let mut client = self.client(Cli::Sampan, &["ps"]).stdout(quiet()).stderr(quiet()).spawn().unwrap();
        let over = |child: &mut Child| child.try_wait().unwrap().is_some();
        soon(|| over(&mut client) || over(&mut process));
        let _it_may_have_ended = client.kill();
        let answered = client.wait().unwrap().success();
        self.process = Some(process);
        assert!(answered, "the daemon does not answer:\n{}", self.log());
    }

    /// Sets an environment variable for the next start.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Kills it with SIGKILL. Its containers go on.
    pub fn kill9(&mut self) {
        self.end(Signal::KILL);
    }

    /// Ends it with SIGTERM; it must end well. Its containers go on.
    pub fn terminate(&mut self) {
        assert_eq!(self.end(Signal::TERM), 0, "{}", self.log());
    }

    /// Waits for it to end by itself, and returns its exit code.
    pub fn wait(&mut self) -> i32 {
        let mut process = self.process.take().expect("the daemon does not run");
        eventually("the daemon has ended", || process.try_wait().unwrap().is_some());
        crate::client::code(process.wait().unwrap())
    }

    /// Its pid.
    pub fn pid(&self) -> i32 {
        self.process.as_ref().expect("the daemon does not run").id().cast_signed()
    }

    /// Gives its network a way to the outside.
    pub fn reach_out(&mut self) {
        self.network.reach_out();
    }

    /// The network name space that it and its bridge are in.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Runs a function on a thread in a running container's network: its sockets are opened there.
    pub fn inside<T: Send>(&self, container: &str, f: impl FnOnce() -> T + Send) -> T {
        let pid = self.sampan(&["inspect", "--format", "{{.State.Pid}}", container]);
        crate::network::in_network(Path::new(&format!("/proc/{pid}/ns/net")), f)
    }

    /// Its bridge's name, which also names the folder of its containers' cgroups.
    pub fn bridge(&self) -> &str {
        &self.bridge
    }

    /// Its `--data-root`.
    pub fn data_root(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Its `--exec-root`.
    pub fn exec_root(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// A folder for the test's own files.
    pub fn scratch(&self) -> &Path {
        self.folder.path()
    }

    /// How many sockets a container's monitor has: its own, the daemon's, and one for each client that was handed over.
    pub fn sockets_of(&self, id: &str) -> usize {
        let monitors = pids_mentioning(&self.exec_root().join("containers").join(id));
        let descriptors = |pid: i32| fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let targets =
            monitors.iter().flat_map(|(pid, _)| descriptors(*pid)).map(|fd| fs::read_link(fd.path()));
        let sockets = targets.flatten().filter(|target| target.to_string_lossy().starts_with("socket:"));
        sockets.collect::<BTreeSet<_>>().len()
    }

    /// What it has written to its standard error.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Where it listens, as clients are told.
    pub fn host(&self) -> String {
        format!("unix://{}", self.folder.path().join("sock").display())
    }

    /// A command of this command line, not started yet.
    pub fn client(&self, cli: Cli, arguments: &[&str]) -> Command {
        let mut command = match cli {
            Cli::Sampan => Command::new(&self.programs.sampan),
            Cli::Docker => Command::new("docker"),
        };
        command.env("DOCKER_CONFIG", self.folder.path()).env_remove("DOCKER_HOST").env_remove("SAMPAN_HOST");
        command.arg("-H").arg(self.host()).args(arguments);
        command
    }

    /// Runs a command of this command line to its end, with this standard input.
    #[track_caller]
    pub fn run_with(&self, cli: Cli, arguments: &[&str], input: &[u8]) -> Output {
        let output = Output::of(self.client(cli, arguments), input);
        self.remember_containers();
        output
    }

    /// Runs a command of this command line to its end.
    #[track_caller]
    pub fn run(&self, cli: Cli, arguments: &[&str]) -> Output {
        self.run_with(cli, arguments, &[])
    }

    /// Runs a command of our own command line that must succeed, and returns what it prints.
    #[track_caller]
    pub fn sampan(&self, arguments: &[&str]) -> String {
        self.run(Cli::Sampan, arguments).ok()
    }

    /// Imports a busybox image named `bb`.
    pub fn import_busybox(&self) {
        self.run_with(Cli::Sampan, &["import", "-", "bb"], &image::root_file_system()).ok();
    }

    /// A line for everything that the daemon's containers have left on this host: mounts, links, firewall elements,
    /// cgroups, processes, records, and the daemon's own descriptors of name spaces.
    pub fn leftovers(&self) -> Vec<String> {
        self.remember_containers();
        leaks::list(self, &self.containers.lock().unwrap())
    }

    /// Waits until nothing is left over.
    #[track_caller]
    pub fn nothing_is_left(&self) {
        let mut left = Vec::new();
        let empty = soon(|| {
            left = self.leftovers();
            left.is_empty()
        });
        assert!(empty, "left over:\n{}\nthe daemon's log:\n{}", left.join("\n"), self.log());
    }

    /// The daemon's process, if it runs.
    pub(crate) fn running(&self) -> Option<i32> {
        self.process.as_ref().map(|process| process.id().cast_signed())
    }

    /// Has what it made on its host removed, as far as that does not need it.
    #[track_caller]
    pub fn clean_up(&self) -> Output {
        let mut command = self.network.command(&self.programs.sampan.to_string_lossy());
        command.arg("daemon").args(self.options()).arg("--clean-up");
        Output::of(command, &[])
    }

    /// A daemon's options.
    fn options(&self) -> Vec<OsString> {
        let mut all: Vec<OsString> = vec!["--data-root".into(), self.data_root().into()];
        all.extend(["--exec-root".into(), self.exec_root().into(), "--bridge".into(), self.bridge().into()]);
        all.extend(["--bip", "10.213.0.1/24", "--log-level", "debug"].map(OsString::from));
        all.extend(self.own_options.iter().map(OsString::from));
        all
    }

    /// The daemon in its network, the test's socket as its descriptor 3 (sd_listen_fds(3)). The shell becomes it.
    fn spawn(&self) -> Child {
        let script = "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$@\"";
        let log =
            fs::OpenOptions::new().create(true).append(true).open(self.folder.path().join("log")).unwrap();
        let mut command = self.network.command("sh");
        command.args(["-c", script, "sh"]).arg(&self.programs.sampan).args(["daemon", "--host", "fd://"]);
        command.args(self.options());
        command.env("SAMPAN_RUNTIME", &self.programs.runtime);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let listener = OwnedFd::from(self.socket.try_clone().unwrap());
        command.stdin(Stdio::from(listener)).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
    }

    fn end(&mut self, how: Signal) -> i32 {
        self.remember_containers();
        signal(self.pid(), how);
        self.wait()
    }

    /// Notes the containers that there are, so that what they leave is found after their records are gone.
    fn remember_containers(&self) {
        let mut known = self.containers.lock().unwrap();
        for folder in [self.data_root().join("containers"), self.exec_root().join("containers")] {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            known.extend(entries.map(|entry| entry.file_name().to_string_lossy().into_owned()));
        }
    }

    /// Kills what this daemon's containers still run, and takes their cgroups and mounts away.
    fn sweep(&self) {
        let ours = || pids_mentioning(self.folder.path()).into_iter().map(|(pid, _)| pid);
        let containers = self.containers.lock().unwrap();
        eventually("the test's processes have ended", || {
            let mut all: Vec<i32> = ours().collect();
            all.extend(containers.iter().flat_map(|id| leaks::processes(id)));
            all.retain(|pid| runs(*pid));
            all.iter().for_each(|pid| signal(*pid, Signal::KILL));
            all.is_empty()
        });
        soon(|| leaks::remove_cgroups(&format!("sampan-{}", self.bridge)));
        for mount in leaks::mounts(self.folder.path()) {
            let _ = rustix::mount::unmount(mount, rustix::mount::UnmountFlags::DETACH);
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the daemon's log:\n{}", self.log());
        }
        self.remember_containers();
        if let Some(mut process) = self.process.take() {
            drop(process.kill().and_then(|()| process.wait()));
        }
        self.sweep();
    }
}
