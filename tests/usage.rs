//! How much room everything takes, and how it is given back.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod script;

use sampan_testkit::{Cli, Daemon, docker_archive, programs, root_file_system};
use script::{Act, act, equal_with_both, exits, same};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

fn looks() -> Vec<Act> {
    vec![
        exits("run -d --name u1 -v vol:/d bb sh -c 'echo 12345 > /f; echo 123 > /d/f; sleep 1000'", 0),
        // What it has written is there when it answers.
        act("exec u1 sh -c 'while ! test -s /d/f; do :; done'", 0, ""),
        exits("create --name u2 --label a=b -v /anonymous bb true", 0),
        same("system df"),
        same("system df --format raw"),
        same("system df --format json"),
        same("system df --format '{{.Type}} {{.Reclaimable}}'"),
        same("system df --format 'table {{.Type}}\\t{{.Size}}'"),
        same(
            "system df -v --format '{{range .Images}}{{.Repository}} {{.SharedSize}} {{.Containers}};{{end}}'",
        ),
        same("system df -v --format '{{range .Volumes}}{{.Links}} {{.Size}};{{end}}'"),
        same("system df -v --format '{{range .Containers}}{{.Names}} {{.Size}} {{.LocalVolumes}};{{end}}'"),
        same("system df -v"),
        act("system df nope", 1, ""),
        act("rm -fv u1 u2", 0, "u1\nu2"),
        act("volume rm vol", 0, "vol"),
    ]
}

fn prunes() -> Vec<Act> {
    vec![
        exits("create --name u1 --label p=yes -v /anonymous bb true", 0),
        exits("create --name u2 --label p=no bb true", 0),
        exits("volume create --label p=yes named", 0),
        same("system prune"),
        same("system prune -a --volumes --filter label=p=yes --filter label!=q"),
        act("system prune -f --volumes --filter until=1h", 1, ""),
        act("system prune -f --filter nope=1", 1, ""),
        act("system prune -f --filter until=1h", 0, "Total reclaimed space: 0B"),
        exits("system prune -f --volumes --filter label=p=yes", 0),
        act("ps -a --format '{{.Names}}'", 0, "u2"),
        // A volume without a name has no label of ours.
        exits("system prune -f --volumes", 0),
        act("ps -aq", 0, ""),
        act("volume ls -q", 0, "named"),
        act("volume prune -f --filter label!=p=yes", 0, "Total reclaimed space: 0B"),
        act(
            "volume prune -af --filter label=p=yes",
            0,
            "Deleted Volumes:\nnamed\n\nTotal reclaimed space: 0B",
        ),
        act("image prune -af --filter until=nonsense", 1, ""),
        act("image prune -af --filter label=made-by=nobody", 0, "Total reclaimed space: 0B"),
    ]
}

#[test]
fn looks_are_equal() {
    equal_with_both(looks);
}

#[test]
fn prunes_are_equal() {
    equal_with_both(prunes);
}

fn usage(daemon: &Daemon, types: &str) -> Value {
    daemon.ask("GET", &format!("/v1.51/system/df{types}"), None).json()
}

fn by_name<'u>(list: &'u Value, field: &str, name: &str) -> &'u Value {
    list.as_array().unwrap().iter().find(|one| one[field].to_string().contains(name)).unwrap()
}

/// Bytes of the files below a folder, as du(1) counts them: hard links once.
fn du(folder: &Path) -> f64 {
    let script = "find \"$1\" ! -type d -print0 | du -cb --files0-from=- | tail -1 | cut -f1";
    let output = Command::new("sh").args(["-c", script, "sh"]).arg(folder).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

#[track_caller]
fn within_a_percent(got: &Value, want: f64) {
    let got = got.as_f64().unwrap();
    assert!((got - want).abs() <= want / 100.0, "{got} for {want}");
}

#[test]
fn sizes_are_what_du_says() {
    let daemon = Daemon::start(programs!());
    for name in ["one:1", "two:1"] {
        let archive = docker_archive(name, &root_file_system(), &["echo", name]);
        daemon.run_with(Cli::Sampan, &["load"], &archive).ok();
    }
    let write = "dd if=/dev/zero of=/own bs=1k count=3000; dd if=/dev/zero of=/d/x bs=1k count=5000";
    daemon.run(Cli::Sampan, &["run", "--name", "measured", "-v", "vol:/d", "one:1", "sh", "-c", write]).ok();
    let all = usage(&daemon, "");
    within_a_percent(&all["LayersSize"], du(&daemon.data_root().join("snapshots")));
    let one = by_name(&all["Images"], "RepoTags", "one:1");
    assert_eq!((&one["SharedSize"], &one["Containers"]), (&one["Size"], &json!(1)));
    assert_eq!(by_name(&all["Images"], "RepoTags", "hello")["SharedSize"], json!(0));
    let container = by_name(&all["Containers"], "Names", "/measured");
    let home = daemon.data_root().join("containers").join(container["Id"].as_str().unwrap());
    within_a_percent(&container["SizeRw"], du(&home.join("rw/upper")));
    let volume = by_name(&all["Volumes"], "Name", "vol");
    within_a_percent(&volume["UsageData"]["Size"], du(&daemon.data_root().join("volumes/vol/_data")));
    assert_eq!(volume["UsageData"]["RefCount"], json!(1));
    assert_eq!(all["BuildCache"], json!([]));
    daemon.sampan(&["rm", "measured"]);
    daemon.nothing_is_left();
}

#[test]
fn only_what_is_asked_for_is_told() {
    let daemon = Daemon::start(programs!());
    let some = usage(&daemon, "?type=volume&type=build-cache");
    let want = json!({"LayersSize": 0, "Images": null, "Containers": null, "Volumes": [], "BuildCache": []});
    assert_eq!(some, want);
    let refused = daemon.ask("GET", "/v1.51/system/df?type=nope", None);
    assert_eq!((refused.status, refused.json()), (400, json!({"message": "unknown object type: nope"})));
    // Clients before 1.42 did not know the parameter.
    assert_eq!(daemon.ask("GET", "/v1.41/system/df?type=nope", None).status, 200);
}

#[test]
fn a_volume_that_is_a_mount_is_not_the_engines() {
    let daemon = Daemon::start(programs!());
    daemon.sampan(&["volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "mounted"]);
    assert_eq!(usage(&daemon, "?type=volume")["Volumes"], json!([]));
}

/// What the script expects is what Docker does. The other one would prune what is not the test's.
#[cfg(feature = "peers")]
#[test]
fn docker_does_the_same() {
    script::docker_does(looks());
}
