//! Hooks: when, where and with what they are called (config.md "POSIX-platform Hooks").

use crate::Test;
use crate::look::assert_nothing_left;
use crate::verbs::Bundle;
use serde_json::{Value, json};
use std::fs;

pub(crate) const TESTS: &[Test] = &[
    ("every_hook_in_its_turn", every_hook_in_its_turn),
    ("a_hook_that_fails_ends_the_start", a_hook_that_fails_ends_the_start),
    ("hooks_behind_the_program", hooks_behind_the_program),
];

/// A shell script as a hook of the host's.
fn hook(script: &str) -> Value {
    json!([{"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin"]}])
}

fn every_hook_in_its_turn() {
    let bundle = Bundle::new(&["/bin/sh", "-c", "cat /told"], |_| {});
    let told = bundle.box_.path("layer/told");
    // Name, status, whether the pid is the container's own view of itself, and whether the host's root is seen.
    let on_host = |name: &str| {
        let told = told.display();
        format!(
            "read -r state; ls -d /bundle-less {told} >/dev/null 2>&1; echo {name} $state $(readlink /proc/self/ns/uts) >>{told}"
        )
    };
    let inside = "read -r state; echo startContainer $state $(readlink /proc/self/ns/uts) >>/told";
    let mut config = bundle.box_.config.clone();
    config["annotations"] = json!({"key": "value"});
    config["hooks"] = json!({});
    for name in ["prestart", "createRuntime", "createContainer", "poststart", "poststop"] {
        config["hooks"][name] = hook(&on_host(name));
    }
    config["hooks"]["startContainer"] = json!([{"path": "/bin/sh", "args": ["sh", "-c", inside]}]);
    fs::write(bundle.box_.path("config.json"), config.to_string()).unwrap();
    let id = bundle.box_.id.as_str();
    bundle.check(&["create", id], 0, "");
    let lines = |count: usize| -> Vec<String> {
        let text = fs::read_to_string(&told).unwrap();
        assert_eq!(text.lines().count(), count, "{text}");
        text.lines().map(str::to_owned).collect()
    };
    let before = lines(3);
    bundle.call(&["start", id]);
    bundle.call(&["delete", "--force", id]);
    let all = lines(6);
    assert_eq!(all[..3], before[..]);
    let host = fs::read_link("/proc/self/ns/uts").unwrap().display().to_string();
    for (line, name, status, is_host) in [
        (&all[0], "prestart", "creating", true),
        (&all[1], "createRuntime", "creating", true),
        (&all[2], "createContainer", "creating", false),
        (&all[3], "startContainer", "created", false),
        (&all[4], "poststart", "running", true),
        (&all[5], "poststop", "stopped", true),
    ] {
        let (told, rest) = line.split_once(' ').unwrap();
        let (state, namespace) = rest.rsplit_once(' ').unwrap();
        let state: Value = serde_json::from_str(state).unwrap();
        assert_eq!((told, &state["status"], namespace == host), (name, &json!(status), is_host), "{line}");
        assert_eq!((&state["id"], &state["annotations"]["key"]), (&json!(id), &json!("value")), "{line}");
        assert_eq!(state["bundle"], json!(bundle.box_.folder.path()), "{line}");
        match status {
            "stopped" => assert_eq!(state["pid"], json!(0)),
            _ if is_host => assert!(state["pid"].as_i64().unwrap() > 1, "{line}"),
            _ => assert_eq!(state["pid"], json!(1), "{line}"),
        }
    }
    assert_nothing_left(&bundle.box_);
}

fn a_hook_that_fails_ends_the_start() {
    let check = |name: &str, hooks: Value, text: &str| {
        let bundle =
            Bundle::new(&["/bin/sh", "-c", "touch /ran"], |config| config["hooks"] = json!({ name: hooks }));
        let failed = format!(
            "sampan-runtime run failed: unable to start container process: error running {name} hook #0: {text}"
        );
        bundle.check(&["run", &bundle.box_.id], 1, &failed);
        assert!(!bundle.box_.path("layer/ran").exists(), "{name}");
        assert_nothing_left(&bundle.box_);
    };
    for name in ["prestart", "createRuntime", "createContainer"] {
        check(name, hook("echo why >&2; exit 3"), "exit status 3, output: why");
    }
    check(
        "startContainer",
        json!([{"path": "/bin/sh", "args": ["sh", "-c", "exit 4"]}]),
        "exit status 4, output:",
    );
    let endless = json!([{"path": "/bin/sleep", "args": ["sleep", "1000"], "timeout": 1}]);
    check("createRuntime", endless, "timed out after 1 seconds, output:");
    check("createRuntime", json!([{"path": "/no/hook"}]), "/no/hook: no such file or directory");
}

/// The program has been started: it is ended again; and nothing is undone for what comes after the end.
fn hooks_behind_the_program() {
    let bundle = Bundle::new(&["/bin/sleep", "1000"], |config| {
        config["hooks"] = json!({"poststart": hook("exit 5")});
    });
    let text = "sampan-runtime run failed: unable to start container process: error running poststart hook #0: exit status 5, output:";
    bundle.check(&["run", &bundle.box_.id], 1, text);
    assert_nothing_left(&bundle.box_);
    let bundle = Bundle::new(&["/bin/true"], |config| config["hooks"] = json!({"poststop": hook("exit 6")}));
    let log = bundle.box_.path("log");
    bundle.check(&["--log", log.to_str().unwrap(), "run", &bundle.box_.id], 0, "");
    let text = fs::read_to_string(log).unwrap();
    assert!(text.contains("level=warning") && text.contains("poststop hook #0: exit status 6"), "{text}");
    assert_nothing_left(&bundle.box_);
}
