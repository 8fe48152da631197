//! The command line: this program, called with `--root`.

use crate::Test;
use crate::box_::Box_;
use crate::look::assert_nothing_left;
use crate::restart::read_terminal;
use sampan_spec::bundle::RootFs;
use serde_json::{Value, json};
use std::fs;
use std::os::fd::AsFd;
use std::process::{Command, Output};

pub(crate) const TESTS: &[Test] = &[
    ("create_start_kill_delete", create_start_kill_delete),
    ("run_in_the_foreground", run_in_the_foreground),
    ("exec_and_its_codes", exec_and_its_codes),
    ("errors_of_the_command_line", errors_of_the_command_line),
    ("a_console_socket", a_console_socket),
    ("pause_and_resume", pause_and_resume),
];

/// What makes this program the runtime.
pub(crate) const ROOT: &str = "--root";

/// A bundle on disk: the layer itself is the root.
struct Bundle {
    box_: Box_,
}

impl Bundle {
    fn new(args: &[&str], change: impl FnOnce(&mut Value)) -> Self {
        let mut box_ = Box_::new(args);
        box_.config["root"]["path"] = json!("layer");
        change(&mut box_.config);
        assert!(matches!(box_.rootfs(), RootFs::Overlay { .. }));
        fs::write(box_.path("config.json"), box_.config.to_string()).unwrap();
        Self { box_ }
    }

    /// Output goes into files: a container that goes on would keep a pipe open.
    fn call(&self, args: &[&str]) -> Output {
        let (out, err) = (self.box_.path("out"), self.box_.path("err"));
        let status = Command::new(std::env::current_exe().unwrap())
            .args([ROOT, self.box_.path("state").to_str().unwrap()])
            .args(args)
            .current_dir(self.box_.folder.path())
            .stdin(std::process::Stdio::null())
            .stdout(fs::File::create(&out).unwrap())
            .stderr(fs::File::create(&err).unwrap())
            .status()
            .unwrap();
        Output { status, stdout: fs::read(out).unwrap(), stderr: fs::read(err).unwrap() }
    }

    /// Calls it and takes exit code and output.
    fn check(&self, args: &[&str], code: i32, text: &str) {
        let output = self.call(args);
        let got = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!((output.status.code(), got.trim()), (Some(code), text), "{args:?}");
    }

    fn status(&self) -> String {
        let output = self.call(&["state", &self.box_.id]);
        let state: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(state["id"], json!(self.box_.id));
        state["status"].as_str().unwrap().to_owned()
    }

    fn wait_for(&self, status: &str) {
        while self.status() != status {}
    }
}

fn create_start_kill_delete() {
    let bundle = Bundle::new(&["/bin/sh", "-c", "touch /tmp/ran; exec sleep 1000"], |_| {});
    let id = bundle.box_.id.as_str();
    bundle.check(&["create", "--bundle", ".", "--pid-file", "pid", id], 0, "");
    assert_eq!(bundle.status(), "created");
    let pid: i32 = fs::read_to_string(bundle.box_.path("pid")).unwrap().parse().unwrap();
    assert!(!bundle.box_.path("layer/tmp/ran").exists());
    bundle.check(&["create", id], 1, "container with given ID already exists");
    bundle.check(&["start", id], 0, "");
    assert_eq!(bundle.status(), "running");
    while !bundle.box_.path("layer/tmp/ran").exists() {}
    bundle.check(&["start", id], 1, "cannot start a container in the running state");
    let refusal = format!("cannot delete container {id} that is not stopped: running");
    bundle.check(&["delete", id], 1, &refusal);
    assert!(fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap().contains(id));
    bundle.check(&["kill", id, "KILL"], 0, "");
    bundle.wait_for("stopped");
    bundle.check(&["kill", id], 1, "container not running");
    bundle.check(&["delete", id], 0, "");
    bundle.check(&["state", id], 1, &format!("container {id:?} does not exist"));
    bundle.check(&["delete", "--force", id], 0, "");
    assert_nothing_left(&bundle.box_);
}

fn run_in_the_foreground() {
    for (script, code, text) in [("echo hi; exit 3", 3, "hi"), ("kill -TERM $$; echo no", 0, "no")] {
        let bundle = Bundle::new(&["/bin/sh", "-c", script], |_| {});
        bundle.check(&["run", &bundle.box_.id], code, text);
        assert_nothing_left(&bundle.box_);
        assert!(!bundle.box_.path("state").join(&bundle.box_.id).exists());
    }
    let bundle = Bundle::new(&["/bin/sh", "-c", "tty; exit 4"], |config| {
        config["process"]["terminal"] = json!(true);
    });
    bundle.check(&["run", &bundle.box_.id], 4, "/dev/pts/0");
    let bundle = Bundle::new(&["/bin/sleep", "1000"], |_| {});
    let id = bundle.box_.id.as_str();
    bundle.check(&["run", "-d", id], 0, "");
    assert_eq!(bundle.status(), "running");
    bundle.check(&["delete", "-f", id], 0, "");
    assert_nothing_left(&bundle.box_);
}

fn exec<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [&["exec"], args].concat()
}

fn exec_and_its_codes() {
    let bundle = Bundle::new(&["/bin/sleep", "1000"], |_| {});
    let id = bundle.box_.id.as_str();
    bundle.check(&["run", "--detach", id], 0, "");
    bundle.check(&exec(&[id, "sh", "-c", "echo $$ >/dev/null; hostname; exit 7"]), 7, "boxed");
    bundle.check(
        &exec(&[
            "-e",
            "A=b",
            "--cwd",
            "/tmp",
            "-u",
            "5:6",
            id,
            "sh",
            "-c",
            "echo $A $(pwd) $(id -u) $(id -g)",
        ]),
        0,
        "b /tmp 5 6",
    );
    bundle.check(&exec(&["-t", id, "tty"]), 0, "/dev/pts/0");
    bundle.check(
        &exec(&["--cap", "CAP_SYS_TIME", id, "grep", "CapEff", "/proc/self/status"]),
        0,
        "CapEff:\t00000000aa0425fb",
    );
    let text =
        r#"exec failed: unable to start container process: exec: "nope": executable file not found in $PATH"#;
    bundle.check(&exec(&[id, "nope"]), 255, text);
    let process = json!({"user": {"uid": 0, "gid": 0}, "cwd": "/", "args": ["/bin/echo", "from file"]});
    fs::write(bundle.box_.path("process.json"), process.to_string()).unwrap();
    bundle.check(&exec(&["--process", "process.json", id]), 0, "from file");
    bundle.check(&["delete", "--force", id], 0, "");
    bundle.check(&exec(&[id, "true"]), 255, &format!("container {id:?} does not exist"));
}

fn errors_of_the_command_line() {
    let bundle = Bundle::new(&["nope"], |_| {});
    let id = bundle.box_.id.as_str();
    let text =
        r#"run failed: unable to start container process: exec: "nope": executable file not found in $PATH"#;
    bundle.check(&["run", id], 1, text);
    assert_nothing_left(&bundle.box_);
    bundle.check(&["create", id], 1, &text.replace("run failed", "create failed"));
    assert_nothing_left(&bundle.box_);
    bundle.check(&["create", "--preserve-fds", "2", id], 1, "--preserve-fds is not supported");
    bundle.check(&["create", "--nope", id], 1, "no such option: --nope");
    bundle.check(&["create", "a/b"], 1, "invalid container ID format: \"a/b\"");
    let late = Bundle::new(&["/late"], |_| {});
    let (id, program) = (late.box_.id.as_str(), late.box_.path("layer/late"));
    fs::copy("/bin/busybox", &program).unwrap();
    late.check(&["create", id], 0, "");
    fs::remove_file(program).unwrap();
    let text = r#"start failed: unable to start container process: exec: "/late": stat /late: no such file or directory"#;
    late.check(&["start", id], 1, text);
    late.wait_for("stopped");
    late.check(&["delete", id], 0, "");
    let log = bundle.box_.path("log");
    bundle.call(&["--log", log.to_str().unwrap(), "--log-format", "json", "state", "gone"]);
    let line: Value = serde_json::from_str(&fs::read_to_string(log).unwrap()).unwrap();
    assert_eq!(
        (&line["level"], &line["msg"]),
        (&json!("error"), &json!("container \"gone\" does not exist"))
    );
}

fn a_console_socket() {
    let bundle = Bundle::new(&["/bin/sh", "-c", "tty"], |config| {
        config["process"]["terminal"] = json!(true);
    });
    let id = bundle.box_.id.as_str();
    let path = bundle.box_.path("console");
    let listener = sampan_sys::socket::bind_unix(&path).unwrap();
    bundle.check(&["create", "--console-socket", path.to_str().unwrap(), id], 0, "");
    let connection = sampan_sys::socket::accept(listener.as_fd()).unwrap();
    let (_, mut fds) = sampan_sys::socket::recv_with_fds(&connection, &mut [0; 64], 1).unwrap();
    let master = fds.pop().unwrap();
    bundle.check(&["start", id], 0, "");
    assert_eq!(read_terminal(&master), "/dev/pts/0\r\n");
    bundle.check(&["delete", "-f", id], 0, "");
}

fn pause_and_resume() {
    let bundle = Bundle::new(&["/bin/sleep", "1000"], |_| {});
    let id = bundle.box_.id.as_str();
    bundle.check(&["run", "-d", id], 0, "");
    bundle.check(&["pause", id], 0, "");
    assert_eq!(bundle.status(), "paused");
    let text = "exec failed: unable to start container process: cannot exec in a paused container";
    bundle.check(&["exec", id, "true"], 255, text);
    bundle.check(&["resume", id], 0, "");
    assert_eq!(bundle.status(), "running");
    bundle.check(&["resume", id], 1, "cannot resume a container in the running state");
    bundle.check(&["delete", "-f", id], 0, "");
    assert_nothing_left(&bundle.box_);
}
