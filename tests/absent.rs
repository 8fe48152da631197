//! What there is not here: it is answered as by a Docker that has none of it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use sampan_testkit::{Daemon, programs};
use serde_json::json;

#[test]
fn swarms_and_plugins() {
    let daemon = Daemon::start(programs!());
    let ask = |method: &str, path: &str| daemon.ask(method, &format!("/v1.51{path}"), None);
    for (method, path) in [
        ("GET", "/swarm"),
        ("GET", "/nodes"),
        ("GET", "/services/x"),
        ("GET", "/tasks"),
        ("GET", "/secrets"),
        ("POST", "/configs/create"),
    ] {
        let answer = ask(method, path);
        let text = answer.json()["message"].to_string();
        assert!(
            answer.status == 503 && text.contains("This node is not a swarm manager."),
            "{path}: {answer:?}"
        );
        assert!(answer.head.to_lowercase().contains("api-version: 1.51"), "{path}: {answer:?}");
    }
    assert_eq!((ask("GET", "/plugins").status, ask("GET", "/plugins").json()), (200, json!([])));
    let missing = ask("GET", "/plugins/a/b/json");
    assert_eq!((missing.status, missing.json()), (404, json!({"message": "plugin \"a/b\" not found"})));
    assert_eq!(ask("GET", "/images/search?term=x").status, 501);
}

#[test]
fn lists_that_nobody_gave_are_null() {
    let daemon = Daemon::start(programs!());
    daemon.import_busybox();
    let made = daemon.ask(
        "POST",
        "/v1.51/containers/create?name=bare",
        Some(&json!({"Image": "bb", "Cmd": ["true"]})),
    );
    assert_eq!(made.status, 201, "{made:?}");
    let shown = daemon.ask("GET", "/v1.51/containers/bare/json", None).json();
    for field in ["Devices", "Ulimits", "BlkioWeightDevice", "BlkioDeviceReadBps", "BlkioDeviceWriteIOps"] {
        assert_eq!(shown["HostConfig"].get(field), Some(&json!(null)), "{field}");
    }
    let sample = daemon.ask("GET", "/v1.51/containers/bare/stats?stream=0&one-shot=1", None).json();
    assert_eq!((sample.get("id"), sample.get("name")), (None, None));
    let look = daemon.ask("HEAD", "/v1.51/containers/bare/archive?path=/etc", None);
    assert!(!look.head.to_lowercase().contains("content-type"), "{look:?}");
    daemon.sampan(&["rm", "bare"]);
    daemon.nothing_is_left();
}
