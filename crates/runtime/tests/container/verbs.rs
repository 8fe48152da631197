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
    ("verbs_that_look", verbs_that_look),
    ("limits_change", limits_change),
    ("a_written_configuration_runs", a_written_configuration_runs),
    ("descriptors_are_passed_on", descriptors_are_passed_on),
    ("the_root_is_changed_without_pivot", the_root_is_changed_without_pivot),
];

/// What makes this program the runtime.
pub(crate) const ROOT: &str = "--root";

/// A bundle on disk: the layer itself is the root.
pub(crate) struct Bundle {
    pub(crate) box_: Box_,
}

impl Bundle {
    pub(crate) fn new(args: &[&str], change: impl FnOnce(&mut Value)) -> Self {
        let mut box_ = Box_::new(args);
        box_.config["root"]["path"] = json!("layer");
        change(&mut box_.config);
        assert!(matches!(box_.rootfs(), RootFs::Overlay { .. }));
        fs::write(box_.path("config.json"), box_.config.to_string()).unwrap();
        Self { box_ }
    }

    /// Output goes into files: a container that goes on would keep a pipe open.
    pub(crate) fn call(&self, args: &[&str]) -> Output {
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
    pub(crate) fn check(&self, args: &[&str], code: i32, text: &str) {
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
    let text = r#"sampan-runtime run failed: unable to start container process: error during container init: exec: "nope": executable file not found in $PATH"#;
    bundle.check(&["run", id], 1, text);
    assert_nothing_left(&bundle.box_);
    bundle.check(&["create", id], 1, &text.replace("run failed", "create failed"));
    assert_nothing_left(&bundle.box_);
    let text = "sampan-runtime create failed: unable to start container process: pass 700 descriptors on: bad file descriptor";
    bundle.check(&["create", "--preserve-fds", "700", id], 1, text);
    bundle.check(&["create", "--preserve-fds", "x", id], 1, "invalid value \"x\" for flag --preserve-fds");
    bundle.check(&["checkpoint", id], 1, "checkpoint and restore are not supported by this runtime");
    bundle.check(&["fly", id], 1, "no such command: fly: see sampan-runtime --help");
    bundle.check(&["create", "--nope", id], 1, "no such option: --nope");
    bundle.check(&["create", "a/b"], 1, "invalid container ID format: \"a/b\"");
    let late = Bundle::new(&["/late"], |_| {});
    let (id, program) = (late.box_.id.as_str(), late.box_.path("layer/late"));
    fs::copy("/bin/busybox", &program).unwrap();
    late.check(&["create", id], 0, "");
    fs::remove_file(program).unwrap();
    let text = r#"sampan-runtime start failed: unable to start container process: error during container init: exec: "/late": stat /late: no such file or directory"#;
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
    // Pipes: the caller hears the end of them, although the process still waits for its start.
    let mut create = Command::new(std::env::current_exe().unwrap());
    create.args([ROOT, bundle.box_.path("state").to_str().unwrap(), "create", "--console-socket"]);
    let created = create.arg(&path).arg(id).current_dir(bundle.box_.folder.path()).output().unwrap();
    assert!(created.status.success(), "{created:?}");
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

/// A command's output in JSON.
fn json_of(bundle: &Bundle, args: &[&str]) -> Value {
    let output = bundle.call(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn verbs_that_look() {
    let bundle = Bundle::new(&["/bin/sleep", "1000"], |config| {
        config["annotations"] = json!({"a": "b"});
        config["process"]["capabilities"]["bounding"].as_array_mut().unwrap().push(json!("CAP_OF_TOMORROW"));
    });
    let id = bundle.box_.id.as_str();
    let log = bundle.box_.path("log");
    bundle.check(&["--log", log.to_str().unwrap(), "run", "-d", id], 0, "");
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.contains("level=warning") && text.contains("CAP_OF_TOMORROW"), "{text}");
    let state = json_of(&bundle, &["state", id]);
    assert_eq!(state["annotations"], json!({"a": "b"}));
    let pid = &state["pid"];
    assert_eq!(json_of(&bundle, &["ps", "--format", "json", id]), json!([pid]));
    let table = String::from_utf8(bundle.call(&["ps", id]).stdout).unwrap();
    let lines: Vec<_> = table.lines().collect();
    assert!(lines.len() == 2 && lines[0].contains("PID") && lines[1].ends_with("sleep 1000"), "{table}");
    let listed = json_of(&bundle, &["list", "-f", "json"]);
    let first = &listed[0];
    assert_eq!((&first["id"], &first["pid"], &first["status"]), (&json!(id), pid, &json!("running")));
    bundle.check(&["list", "-q"], 0, id);
    let stats = json_of(&bundle, &["events", "--stats", id]);
    assert_eq!((&stats["type"], &stats["data"]["pids"]["current"]), (&json!("stats"), &json!(1)));
    let features = json_of(&bundle, &["features"]);
    let kinds = features["linux"]["namespaces"].as_array().unwrap();
    assert!(kinds.contains(&json!("pid")) && features["hooks"][0] == json!("prestart"), "{features}");
    let help = String::from_utf8(bundle.call(&["run", "--help"]).stdout).unwrap();
    assert!(help.contains("--pid-file value"), "{help}");
    bundle.check(&["delete", "-f", id], 0, "");
    bundle.check(&["list", "-q"], 0, "");
}

fn limits_change() {
    let bundle = Bundle::new(&["/bin/sleep", "1000"], |_| {});
    let id = bundle.box_.id.as_str();
    bundle.check(&["run", "-d", id], 0, "");
    bundle.check(&["update", "--memory", "67108864", "--pids-limit", "50", id], 0, "");
    let stats = json_of(&bundle, &["events", "--stats", id]);
    let data = &stats["data"];
    assert_eq!((&data["pids"]["limit"], &data["memory"]["usage"]["limit"]), (&json!(50), &json!(67_108_864)));
    let file = bundle.box_.path("resources");
    fs::write(&file, r#"{"pids":{"limit":60}}"#).unwrap();
    bundle.check(&["update", "-r", file.to_str().unwrap(), id], 0, "");
    assert_eq!(json_of(&bundle, &["events", "--stats", id])["data"]["pids"]["limit"], json!(60));
    bundle.check(&["update", "--memory", "much", id], 1, "invalid value \"much\" for flag --memory");
    bundle.check(&["delete", "-f", id], 0, "");
}

fn a_written_configuration_runs() {
    let bundle = Bundle::new(&["sh"], |_| {});
    fs::remove_file(bundle.box_.path("config.json")).unwrap();
    std::os::unix::fs::symlink("layer", bundle.box_.path("rootfs")).unwrap();
    bundle.check(&["spec"], 0, "");
    let path = bundle.box_.path("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(config["process"]["args"], json!(["sh"]));
    config["process"]["args"] = json!(["sh", "-c", "tty; touch /x 2>/dev/null || echo ro"]);
    fs::write(&path, config.to_string()).unwrap();
    bundle.check(&["run", &bundle.box_.id], 0, "/dev/pts/0\r\nro");
    let text = format!("write {}: file exists", "./config.json");
    bundle.check(&["spec"], 1, &text);
}

/// A shell opens them: what this program opens itself is closed at execution.
fn descriptors_are_passed_on() {
    let script = "cat <&3; [ -e /proc/self/fd/4 ] || echo closed";
    let bundle = Bundle::new(&["/bin/sh", "-c", script], |_| {});
    fs::write(bundle.box_.path("file"), "inherited\n").unwrap();
    let exe = std::env::current_exe().unwrap();
    let call = |options: &str| {
        let command =
            format!("exec 3<file 4<file; {} {ROOT} state run {options} {}", exe.display(), bundle.box_.id);
        let mut shell = Command::new("/bin/sh");
        let output = shell.args(["-c", &command]).current_dir(bundle.box_.folder.path()).output().unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    assert_eq!(call("--preserve-fds 1"), "inherited\nclosed\n");
    assert!(!call("").contains("inherited"));
}

fn the_root_is_changed_without_pivot() {
    let bundle = Bundle::new(&["/bin/sh", "-c", "ls -d /bin /layer /var 2>/dev/null; pwd"], |_| {});
    bundle.check(&["run", "--no-pivot", &bundle.box_.id], 0, "/bin\n/");
    let keyring = |options: &[&str]| {
        let bundle = Bundle::new(&["/bin/cat", "/proc/keys"], |config| {
            config["linux"]["maskedPaths"] = json!([]);
        });
        let output = bundle.call(&[&["run"], options, &[&bundle.box_.id]].concat());
        String::from_utf8(output.stdout).unwrap().contains(&format!("_ses.{}", bundle.box_.id))
    };
    assert!(keyring(&[]));
    assert!(!keyring(&["--no-new-keyring"]));
}
