//! A container to test with: a busybox root as an overlay in a folder of its own, and a configuration like Docker's.

use sampan_runtime::{Failure, Launch, Prepared, Running, Sandbox, Stdio, prepare};
use sampan_spec::bundle::RootFs;
use sampan_spec::oci;
use sampan_sys::cgroup::{Cgroup, Layout};
use sampan_sys::process::{Ended, wait};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{Read, Seek};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A bundle in a temporary folder.
pub(crate) struct Box_ {
    pub(crate) id: String,
    pub(crate) config: Value,
    pub(crate) folder: tempfile::TempDir,
}

/// What a container's process did.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) ended: Ended,
}

/// Where this run's cgroups are.
pub(crate) fn cgroups() -> String {
    format!("/sampan-test-{}", std::process::id())
}

const APPLETS: [&str; 26] = [
    "cut", "sh", "cat", "ls", "mount", "sleep", "id", "hostname", "mknod", "dd", "touch", "stat", "true",
    "false", "chmod", "mkdir", "echo", "tty", "stty", "readlink", "ps", "kill", "grep", "pwd", "ip", "env",
];

impl Box_ {
    /// A container that runs a shell script.
    pub(crate) fn sh(script: &str) -> Self {
        Self::new(&["/bin/sh", "-c", script])
    }

    pub(crate) fn new(args: &[&str]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let id = format!("sampan-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = tempfile::tempdir().unwrap();
        let layer = folder.path().join("layer");
        for sub in ["bin", "etc", "proc", "sys", "dev", "tmp"] {
            fs::create_dir_all(layer.join(sub)).unwrap();
        }
        for sub in ["upper", "work"] {
            fs::create_dir_all(folder.path().join(sub)).unwrap();
        }
        fs::copy("/bin/busybox", layer.join("bin/busybox")).unwrap();
        for applet in APPLETS {
            std::os::unix::fs::symlink("busybox", layer.join("bin").join(applet)).unwrap();
        }
        fs::write(layer.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\nu:x:1000:1000::/home/u:/bin/sh\n")
            .unwrap();
        Self { config: config(&id, args), id, folder }
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    pub(crate) fn rootfs(&self) -> RootFs {
        RootFs::Overlay {
            lower: vec![self.path("layer")],
            upper: self.path("upper"),
            work: self.path("work"),
            volatile: true,
        }
    }

    /// Adds a mount to the configuration.
    pub(crate) fn mount(&mut self, source: &Path, destination: &str, options: &[&str]) -> &mut Self {
        let mount = json!({"destination": destination, "type": "bind", "source": source, "options": options});
        self.config["mounts"].as_array_mut().unwrap().push(mount);
        self
    }

    pub(crate) fn spec(&self) -> oci::Spec {
        serde_json::from_value(self.config.clone()).unwrap()
    }

    /// Everything up to the waiting process 1.
    pub(crate) fn prepare(&self, stdio: Stdio<'_>, sandbox: Option<&Sandbox>) -> Result<Prepared, Failure> {
        prepare(&Launch {
            id: &self.id,
            bundle: self.folder.path(),
            config: &self.spec(),
            rootfs: &self.rootfs(),
            stdio,
            sandbox,
            want_netlink: false,
            die_with_parent: true,
            unusual: Default::default(),
        })
    }

    /// A running container whose output goes into these files.
    pub(crate) fn start(&self, streams: &Streams) -> Result<Running, Failure> {
        self.prepare(streams.stdio(), None)?.start()
    }

    /// Runs it to its end.
    pub(crate) fn run(&self) -> Result<Outcome, Failure> {
        let streams = Streams::new();
        let running = self.start(&streams)?;
        let ended = wait(&running.pidfd).unwrap();
        running.sandbox.cgroup.remove().unwrap();
        let (out, err) = streams.read();
        Ok(Outcome { out, err, ended })
    }

    /// Runs it to a good end and returns what it wrote.
    pub(crate) fn output(&self) -> String {
        let outcome = self.run().unwrap();
        assert_eq!((outcome.ended, outcome.err.as_str()), (Ended::Code(0), ""), "{}", outcome.out);
        outcome.out
    }
}

impl Drop for Box_ {
    /// A test that failed may have left processes.
    fn drop(&mut self) {
        if let Ok(layout) = Layout::detect() {
            for path in [format!("{}/{}", cgroups(), self.id), cgroups()] {
                let cgroup = Cgroup::at(&layout, &path).unwrap();
                let _ = if path == cgroups() {
                    remove_empty(&cgroup)
                } else {
                    cgroup.remove().map_err(std::io::Error::other)
                };
            }
        }
    }
}

/// The folders above may still have another run's in them.
fn remove_empty(cgroup: &Cgroup) -> std::io::Result<()> {
    let mut folders = cgroup.v1().iter().map(|h| h.folder.as_path()).chain(cgroup.unified());
    folders.try_for_each(fs::remove_dir)
}

/// Files for a process's streams.
pub(crate) struct Streams {
    stdin: File,
    out: File,
    err: File,
}

impl Streams {
    pub(crate) fn new() -> Self {
        let file = || tempfile::tempfile().unwrap();
        Self { stdin: File::open("/dev/null").unwrap(), out: file(), err: file() }
    }

    pub(crate) fn stdio(&self) -> Stdio<'_> {
        Stdio::Pipes { stdin: self.stdin.as_fd(), stdout: self.out.as_fd(), stderr: self.err.as_fd() }
    }

    pub(crate) fn read(mut self) -> (String, String) {
        let text = |file: &mut File| {
            let mut text = String::new();
            file.rewind().unwrap();
            file.read_to_string(&mut text).unwrap();
            text
        };
        (text(&mut self.out), text(&mut self.err))
    }
}

const CAPABILITIES: [&str; 14] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
];

/// A configuration with what Docker's has by default.
fn config(id: &str, args: &[&str]) -> Value {
    let caps = json!(CAPABILITIES);
    let namespaces = ["mount", "pid", "network", "uts", "ipc", "cgroup"].map(|t| json!({"type": t}));
    json!({
        "ociVersion": "1.2.0",
        "process": {
            "user": {"uid": 0, "gid": 0, "additionalGids": [0]},
            "args": args, "cwd": "/", "env": ["PATH=/usr/bin:/bin"],
            "capabilities": {"bounding": caps, "effective": caps, "permitted": caps},
        },
        "root": {"path": "rootfs"},
        "hostname": "boxed",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
            {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
             "options": ["ro", "nosuid", "noexec", "nodev"]},
            {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
             "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=67108864"]},
        ],
        "linux": {
            "cgroupsPath": format!("{}/{id}", cgroups()),
            "resources": {"devices": [{"allow": false, "access": "rwm"}]},
            "namespaces": namespaces,
            "maskedPaths": ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware", "/no/such"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        },
    })
}
