//! The networks that are always there, as they are listed and shown.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod script;

use sampan_testkit::{Cli, Daemon, programs};
use script::{Act, act, equal_with_both, exits, same};
use serde_json::{Value, json};

fn listing() -> Vec<Act> {
    vec![
        act(
            "network ls --format '{{.Name}} {{.Driver}} {{.Scope}} {{.IPv4}} {{.IPv6}} {{.Internal}}'",
            0,
            "bridge bridge local true false false\nhost host local true false false\nnone null local true false false",
        ),
        act("network ls -f driver=null --format '{{.Name}}'", 0, "none"),
        act("network ls -f name=o --format '{{.Name}}'", 0, "host\nnone"),
        act("network ls -f type=custom -q", 0, ""),
        exits("network ls -f type=zz", 1),
        exits("network ls -f nope=1", 1),
        same("network ls"),
        same("network ls -q"),
        same("network ls --no-trunc"),
        same("network ls --format json"),
        same("network ls --format 'table {{.ID}}\t{{.Labels}}'"),
        same("network inspect bridge host none"),
        act("network inspect -f '{{.Name}} {{.Driver}}' host", 0, "host host"),
        act("inspect --type network -f '{{.Name}}' none", 0, "none"),
        act("inspect -f '{{.Scope}}' bridge", 0, "local"),
        act("network inspect nowhere", 1, "[]"),
        act("inspect --type network nowhere", 1, "[]"),
    ]
}

#[test]
fn listings_are_equal() {
    equal_with_both(listing);
}

fn network(daemon: &Daemon, name: &str) -> Value {
    serde_json::from_str::<Value>(&daemon.sampan(&["network", "inspect", name])).unwrap()[0].take()
}

#[test]
fn a_network_shows_who_is_in_it() {
    let mut daemon = Daemon::start(programs!());
    daemon.import_busybox();
    for name in ["bridge", "host", "none"] {
        daemon.sampan(&[
            "run",
            "-d",
            "--name",
            &format!("in-{name}"),
            "--network",
            name,
            "bb",
            "sleep",
            "1000",
        ]);
    }
    daemon.sampan(&["create", "--name", "not-running", "bb", "true"]);
    let before = ["bridge", "host", "none"].map(|name| network(&daemon, name));
    for (name, shown) in ["bridge", "host", "none"].iter().zip(&before) {
        let members: Vec<&Value> = shown["Containers"].as_object().unwrap().values().collect();
        assert_eq!(members.len(), 1, "{shown}");
        assert_eq!(members[0]["Name"], format!("in-{name}"));
        let id = daemon.sampan(&[
            "inspect",
            "-f",
            &format!("{{{{(index .NetworkSettings.Networks \"{name}\").NetworkID}}}}"),
            &format!("in-{name}"),
        ]);
        assert_eq!(shown["Id"], id);
    }
    let member = before[0]["Containers"].as_object().unwrap().values().next().unwrap();
    assert_eq!(member["IPv4Address"], "10.213.0.2/24");
    assert_eq!(before[0]["IPAM"]["Config"], json!([{"Subnet": "10.213.0.0/24", "Gateway": "10.213.0.1"}]));
    daemon.kill9();
    daemon.start_again();
    for (name, old) in ["bridge", "host", "none"].iter().zip(&before) {
        let new = network(&daemon, name);
        assert_eq!(
            (&new["Id"], &new["Containers"]),
            (&old["Id"], &old["Containers"]),
            "after a daemon's end"
        );
    }
    let prefix = before[0]["Id"].as_str().unwrap()[..12].to_owned();
    assert_eq!(network(&daemon, &prefix)["Name"], "bridge");
    daemon.sampan(&["rm", "-f", "in-bridge", "in-host", "in-none", "not-running"]);
    daemon.nothing_is_left();
}

#[test]
fn what_users_cannot_do_with_networks_is_said() {
    let daemon = Daemon::start(programs!());
    daemon.import_busybox();
    daemon.sampan(&["create", "--name", "one", "bb", "true"]);
    for (line, text) in [
        ("network rm bridge", "bridge is a pre-defined network and cannot be removed"),
        ("network rm nowhere", "network nowhere not found"),
        ("network create mine", "creating networks is not supported by this version of Sampan"),
        ("network connect bridge one", "connecting a container to a further network is not supported"),
        ("network disconnect nowhere one", "network nowhere not found"),
    ] {
        let output = daemon.run(Cli::Docker, &script::words(line));
        assert!(output.code == 1 && output.stderr.contains(text), "{line}: {output:?}");
    }
    assert_eq!(daemon.run(Cli::Docker, &["network", "prune", "-f"]).ok(), "");
    daemon.sampan(&["rm", "one"]);
    daemon.nothing_is_left();
}
