//! A bundle, and its monitor in a process of its own.

use crate::daemon::{Daemon, MULTIPLEXED, Peer};
use sampan_spec::bundle::{
    CONFIG, Log, LogFormat, Restart, RootFs, SOCKET, SUPERVISE, Sandbox, Stdin, Stop, Supervise, VERSION,
};
use sampan_spec::journal::ExecProcess;
use sampan_spec::monitor::{Answer, ENVIRONMENT, Framing, LISTENER_FD, Refusal, Request};
use sampan_spec::stream::Stream;
use sampan_spec::{ContainerId, ExecId, Signal};
use sampan_sys::cgroup::{Cgroup, Layout};
use sampan_sys::process::{Ended, signal, spawn_detached, wait};
use serde_json::{Value, json};
use std::ffi::CString;
use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::PathBuf;

const APPLETS: [&str; 12] =
    ["sh", "cat", "sleep", "true", "false", "head", "tty", "stty", "yes", "wc", "dd", "trap"];

/// A bundle before its monitor.
pub(crate) struct Plan {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) config: Value,
    pub(crate) supervise: Supervise,
}

/// A monitor that runs.
pub(crate) struct Bed {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) id: ContainerId,
    pub(crate) pid: i32,
    pidfd: Option<OwnedFd>,
    pub(crate) daemon: Daemon,
}

impl Plan {
    /// A container that runs a shell script.
    pub(crate) fn sh(script: &str) -> Self {
        Self::new(&["/bin/sh", "-c", script])
    }

    pub(crate) fn new(args: &[&str]) -> Self {
        let mut random = [0; 32];
        rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty()).unwrap();
        let id = ContainerId::from_bytes(random);
        let folder = tempfile::tempdir().unwrap();
        let layer = folder.path().join("layer");
        for sub in ["layer/bin", "layer/proc", "layer/dev", "layer/tmp", "upper", "work"] {
            fs::create_dir_all(folder.path().join(sub)).unwrap();
        }
        fs::copy("/bin/busybox", layer.join("bin/busybox")).unwrap();
        for applet in APPLETS {
            symlink("busybox", layer.join("bin").join(applet)).unwrap();
        }
        let path = |name: &str| folder.path().join(name);
        let supervise = Supervise {
            version: VERSION,
            id: id.clone(),
            rootfs: RootFs::Overlay {
                lower: vec![layer],
                upper: path("upper"),
                work: path("work"),
                volatile: true,
            },
            journal: path("journal"),
            log: Some(Log {
                format: LogFormat::JsonFile,
                path: path("log"),
                max_size: None,
                max_files: 1,
                compress: false,
                attributes: [].into(),
            }),
            stdin: Stdin::Null,
            sandbox: Sandbox::Isolated,
            restart: Restart::No,
            stop: Stop { signal: Signal::TERM, timeout: Some(10) },
            health: None,
            remove: false,
        };
        Self { config: config(&id, args), supervise, folder }
    }

    pub(crate) fn stdin(mut self, stdin: Stdin) -> Self {
        self.supervise.stdin = stdin;
        self
    }

    pub(crate) fn restart(mut self, restart: Restart) -> Self {
        self.supervise.restart = restart;
        self
    }

    pub(crate) fn terminal(mut self) -> Self {
        self.config["process"]["terminal"] = true.into();
        self
    }

    /// Writes the bundle and launches the monitor.
    pub(crate) fn launch(self) -> Bed {
        let folder = self.folder;
        fs::write(folder.path().join(CONFIG), self.config.to_string()).unwrap();
        fs::write(folder.path().join(SUPERVISE), serde_json::to_vec(&self.supervise).unwrap()).unwrap();
        let socket = folder.path().join(SOCKET);
        let listener = sampan_sys::socket::bind_unix(&socket).unwrap();
        let exe = File::open(std::env::current_exe().unwrap()).unwrap();
        let stderr = std::io::stderr().as_fd().try_clone_to_owned().unwrap();
        let bundle = CString::new(folder.path().to_str().unwrap()).unwrap();
        let argv = [c"test".to_owned(), c"monitor".to_owned(), bundle];
        let fds = [(listener, LISTENER_FD), (stderr, 2)];
        let (pid, pidfd) = spawn_detached(exe.as_fd(), &argv, &[ENVIRONMENT.to_owned()], &fds, None).unwrap();
        drop(fds);
        let daemon = Daemon::connect(&socket, 0);
        Bed { folder, id: self.supervise.id, pid, pidfd: Some(pidfd), daemon }
    }
}

impl Bed {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn start(&mut self) -> i32 {
        match self.daemon.call(Request::Start) {
            Ok(Answer::Started { pid }) => pid,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn attach(&mut self, framing: Framing, early: &[u8], keys: &[u8]) -> Peer {
        let streams = vec![Stream::Stdin, Stream::Stdout, Stream::Stderr];
        let detach_keys = keys.to_vec();
        self.daemon
            .hand(framing, early, |client| Request::Attach {
                client,
                streams,
                logs: false,
                follow: true,
                detach_keys,
            })
            .unwrap()
    }

    /// Makes an exec process known.
    pub(crate) fn exec_create(&mut self, script: &str, terminal: bool) -> Result<ExecId, Refusal> {
        static NEXT: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(1);
        let exec = ExecId::from_bytes([NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed); 32]);
        let mut process = process(&["/bin/sh", "-c", script]);
        process["terminal"] = terminal.into();
        let process = ExecProcess {
            process: serde_json::from_value(process).unwrap(),
            stdin: true,
            stdout: true,
            stderr: true,
            detach_keys: b"\x10\x11".to_vec(),
        };
        self.daemon.call(Request::ExecCreate { exec: exec.clone(), process: Box::new(process) })?;
        Ok(exec)
    }

    /// Executes a script with a client.
    pub(crate) fn exec(&mut self, script: &str, framing: Framing, early: &[u8]) -> (ExecId, Peer) {
        let exec = self.exec_create(script, false).unwrap();
        let start = |client| Request::ExecStart { exec: exec.clone(), client: Some(client), size: None };
        let peer = self.daemon.hand(framing, early, start).unwrap();
        (exec, peer)
    }

    /// What a script writes, with its exit code.
    pub(crate) fn exec_output(&mut self, script: &str) -> (String, i32) {
        let (exec, mut peer) = self.exec(script, MULTIPLEXED, b"");
        let out = demultiplex(&peer.read_all());
        (String::from_utf8([out.0, out.1].concat()).unwrap(), self.until_exec_ended(&exec))
    }

    pub(crate) fn until_exec_ended(&mut self, wanted: &ExecId) -> i32 {
        use sampan_spec::journal::Event;
        let ended = |event: &Event| matches!(event, Event::ExecEnded { exec, .. } if exec == wanted);
        match self.daemon.until(ended).event {
            Event::ExecEnded { code, .. } => code,
            other => panic!("{other:?}"),
        }
    }

    /// Says goodbye and waits for the monitor's end.
    pub(crate) fn quit(mut self) {
        assert_eq!(self.daemon.call(Request::Quit), Ok(Answer::Done));
        self.wait_for_end();
    }

    pub(crate) fn wait_for_end(mut self) {
        let pidfd = self.pidfd.take().unwrap();
        assert_eq!(wait(&pidfd).unwrap(), Ended::Code(0));
        assert!(!self.cgroup().v1().iter().map(|h| &h.folder).any(|folder| folder.exists()));
        assert!(!self.cgroup().unified().is_some_and(|folder| folder.exists()));
    }

    fn cgroup(&self) -> Cgroup {
        Cgroup::at(&Layout::detect().unwrap(), &format!("{}/{}", cgroups(), self.id)).unwrap()
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        if let Some(pidfd) = self.pidfd.take() {
            let _ = signal(&pidfd, Signal::KILL.number());
            let _ = wait(&pidfd);
        }
        let _ = self.cgroup().remove();
        let layout = Layout::detect().unwrap();
        let parent = Cgroup::at(&layout, &cgroups()).unwrap();
        let folders = parent.v1().iter().map(|h| h.folder.as_path()).chain(parent.unified());
        // Another test may still be in them.
        folders.for_each(|folder| drop(fs::remove_dir(folder)));
    }
}

/// The parent of this run's cgroups: another run may remove its own at any moment.
fn cgroups() -> String {
    format!("/sampan-monitor-test-{}", std::process::id())
}

/// What came on stdout and on stderr.
pub(crate) fn demultiplex(mut bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
    use sampan_spec::stream::{HEADER, parse_frame_header};
    let (mut out, mut err) = (Vec::new(), Vec::new());
    while !bytes.is_empty() {
        let (stream, length) = parse_frame_header(bytes[..HEADER].try_into().unwrap()).unwrap();
        let end = HEADER + length as usize;
        match stream {
            Stream::Stdout => out.extend_from_slice(&bytes[HEADER..end]),
            Stream::Stderr => err.extend_from_slice(&bytes[HEADER..end]),
            other => panic!("{other:?}"),
        }
        bytes = &bytes[end..];
    }
    (out, err)
}

pub(crate) fn process(args: &[&str]) -> Value {
    json!({"args": args, "env": ["PATH=/bin"], "cwd": "/", "user": {"uid": 0, "gid": 0}})
}

fn config(id: &ContainerId, args: &[&str]) -> Value {
    let namespaces = ["mount", "pid", "network", "uts", "ipc", "cgroup"].map(|t| json!({"type": t}));
    json!({
        "ociVersion": "1.2.0",
        "process": process(args),
        "root": {"path": "rootfs"},
        "hostname": "box",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
        ],
        "linux": {"namespaces": namespaces, "cgroupsPath": format!("{}/{id}", cgroups()),
                  "resources": {"memory": {"limit": 64 << 20}}},
    })
}
