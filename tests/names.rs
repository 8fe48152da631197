//! The names by which a container finds others, and itself: `hosts`, `hostname`, `resolv.conf`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod script;

use sampan_testkit::{Cli, Daemon, programs, root_file_system};
use script::{BOTH, daemon, prints, refuses, words};
use serde_json::{Value, json};
use std::process::Command;

fn inspected(daemon: &Daemon, name: &str) -> Value {
    serde_json::from_str::<Value>(&daemon.sampan(&["inspect", name])).unwrap()[0].take()
}

const LOCAL: &str = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\n\
                     ff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n";

#[test]
fn the_file_of_hosts() {
    let daemon = daemon();
    let own = "10.213.0.2\tbox.example box";
    let extra = "1.2.3.4\ta\n5.6.7.8\tb\nfd00::1\tc\n10.213.0.1\tgw\n";
    prints(
        &daemon,
        "-h box --domainname example --add-host a:1.2.3.4 --add-host b=5.6.7.8 --add-host c:[fd00::1] \
         --add-host gw:host-gateway bb cat /etc/hosts",
        &format!("{LOCAL}{extra}{own}"),
    );
    prints(&daemon, "--network none bb cat /etc/hosts", LOCAL.trim_end());
    let host = std::fs::read_to_string("/etc/hosts").unwrap();
    prints(&daemon, "--network host bb cat /etc/hosts", host.trim_end());
    prints(&daemon, "--network host --add-host q:1.1.1.1 bb cat /etc/hosts", &format!("{LOCAL}1.1.1.1\tq"));
    prints(&daemon, "-h box bb cat /etc/hostname", "box");
    daemon.nothing_is_left();
}

#[test]
fn how_names_are_looked_up() {
    let daemon = daemon();
    let flags =
        "--dns 9.9.9.9 --dns fd00::9 --dns-search a.b --dns-search c --dns-opt ndots:3 --dns-option rotate";
    let want = "nameserver 9.9.9.9\nnameserver fd00::9\nsearch a.b c\noptions ndots:3 rotate";
    for network in ["bridge", "none", "host"] {
        let line = format!("--network {network} {flags} bb cat /etc/resolv.conf");
        prints(&daemon, &line, want);
    }
    let host = std::fs::read_to_string("/etc/resolv.conf").unwrap();
    prints(&daemon, "--network host bb cat /etc/resolv.conf", host.trim_end());
    daemon.sampan(&["run", "-d", "--name", "one", "--dns", "9.9.9.9", "bb", "sleep", "1000"]);
    prints(&daemon, "--network container:one bb cat /etc/resolv.conf", "nameserver 9.9.9.9");
    daemon.sampan(&["rm", "-f", "one"]);
    daemon.nothing_is_left();
}

#[test]
fn what_the_daemon_is_told_holds_for_those_who_say_nothing() {
    let options =
        ["--dns", "9.9.9.9", "--dns-search", "x", "--dns-opt", "rotate", "--host-gateway-ip", "10.9.9.9"];
    let daemon = Daemon::start_told(programs!(), &options);
    daemon.import_busybox();
    prints(&daemon, "bb cat /etc/resolv.conf", "nameserver 9.9.9.9\nsearch x\noptions rotate");
    let own = "--dns 1.1.1.1 --dns-search . bb cat /etc/resolv.conf";
    prints(&daemon, own, "nameserver 1.1.1.1\noptions rotate");
    prints(&daemon, "--add-host gw:host-gateway bb grep gw /etc/hosts", "10.9.9.9\tgw");
    daemon.nothing_is_left();
}

#[test]
fn hardware_addresses() {
    let daemon = daemon();
    let show = "bb cat /sys/class/net/eth0/address";
    let mac = "02:11:22:33:44:55";
    prints(&daemon, &format!("--mac-address {mac} {show}"), mac);
    prints(&daemon, &format!("--network name=bridge,mac-address={mac} {show}"), mac);
    prints(&daemon, &format!("--mac-address {mac} --network none bb ls /sys/class/net"), "lo");
    daemon.sampan(&["create", "--name", "one", "--mac-address", mac, "bb", "sleep", "1000"]);
    for _ in ["created", "running"] {
        let shown = inspected(&daemon, "one");
        for place in ["/NetworkSettings", "/NetworkSettings/Networks/bridge", "/Config"] {
            assert_eq!(shown.pointer(place).unwrap()["MacAddress"], mac, "{place}");
        }
        daemon.run(Cli::Sampan, &["start", "one"]).ok();
    }
    daemon.sampan(&["rm", "-f", "one"]);
    // Of a group, not of one: the kernel's reason is in the answer, and stays in the state.
    let why = "pair interfaces: Cannot assign requested address (os error 99)";
    daemon.sampan(&["create", "--name", "two", "--mac-address", "01:00:00:00:00:00", "bb", "true"]);
    let output = daemon.run(Cli::Sampan, &["start", "two"]);
    assert!(output.code == 1 && output.stderr.contains(why), "{output:?}");
    assert!(inspected(&daemon, "two")["State"]["Error"].as_str().unwrap().ends_with(why));
    daemon.sampan(&["rm", "two"]);
    daemon.nothing_is_left();
}

#[test]
fn what_was_asked_for_is_shown() {
    let daemon = daemon();
    let flags = "create --name one --add-host a=1.2.3.4 --add-host b:host-gateway --dns 9.9.9.9 --dns-search x --dns-opt y bb true";
    for cli in BOTH {
        daemon.run(cli, &words(flags)).ok();
        let shown = &inspected(&daemon, "one")["HostConfig"];
        for (field, want) in [
            ("ExtraHosts", json!(["a:1.2.3.4", "b:host-gateway"])),
            ("Dns", json!(["9.9.9.9"])),
            ("DnsSearch", json!(["x"])),
            ("DnsOptions", json!(["y"])),
        ] {
            assert_eq!(shown[field], want, "{cli:?} {field}");
        }
        daemon.sampan(&["rm", "one"]);
    }
    daemon.sampan(&["create", "--name", "two", "--network", "host", "bb", "true"]);
    let name = String::from_utf8_lossy(rustix::system::uname().nodename().to_bytes()).into_owned();
    assert_eq!(inspected(&daemon, "two")["Config"]["Hostname"], name);
    daemon.sampan(&["rm", "two"]);
    daemon.nothing_is_left();
}

#[test]
fn what_cannot_be_is_refused_as_docker_refuses_it() {
    let daemon = daemon();
    let only = "invalid config for network bridge: invalid endpoint settings:\n* user specified IP address is supported on \
                user defined networks only\n* user specified IP address is supported only when connecting to networks with user \
                configured subnets";
    for (flags, text) in [
        ("--ip 10.213.0.9", only),
        ("--ip6 fd00::5", only),
        ("--network name=bridge,ip=10.213.0.9", only),
        ("--ip x", "* invalid IPv4 address: x"),
        ("--network none --ip 1.2.3.4", "invalid config for network none: invalid endpoint settings:"),
        ("--network-alias x", "network-scoped aliases are only supported for user-defined networks"),
        (
            "--network name=bridge,alias=x",
            "network-scoped aliases are only supported for user-defined networks",
        ),
        ("--mac-address zz", "zz is not a valid mac address"),
        ("--add-host x", "invalid argument \"x\" for \"--add-host\" flag: bad format for add-host: \"x\""),
        ("--add-host x:zz", "invalid IP address in add-host: \"zz\""),
        (
            "--dns 1.2.3",
            "invalid argument \"1.2.3\" for \"--dns\" flag: IP address is not correctly formatted: 1.2.3",
        ),
        ("--network name=bridge,x=y", "invalid field key x"),
        ("--network container:x --dns 1.1.1.1", "conflicting options: dns and the network mode"),
        (
            "--network container:x --add-host a:1.1.1.1",
            "conflicting options: custom host-to-IP mapping and the network mode",
        ),
        ("--network nowhere", "failed to set up container networking: network nowhere not found"),
        (
            "--network name=bridge,mac-address=02:00:00:00:00:01 --mac-address 02:00:00:00:00:02",
            "conflicting options: cannot specify both --mac-address and per-network MAC address",
        ),
    ] {
        refuses(&daemon, &format!("{flags} bb true"), text);
    }
    daemon.nothing_is_left();
}

#[test]
fn an_unknown_network_fails_the_start() {
    let daemon = daemon();
    for cli in BOTH {
        daemon.run(cli, &words("create --name one --network nowhere bb true")).ok();
        let output = daemon.run(cli, &["start", "one"]);
        let want = "failed to set up container networking: network nowhere not found";
        assert!(output.code == 1 && output.stderr.contains(want), "{cli:?}: {output:?}");
        let shown = inspected(&daemon, "one");
        assert_eq!((&shown["State"]["Error"], &shown["State"]["Status"]), (&json!(want), &json!("created")));
        assert!(shown["NetworkSettings"]["Networks"]["nowhere"].is_object(), "{shown}");
        daemon.run(cli, &["rm", "one"]).ok();
    }
    daemon.nothing_is_left();
}

/// Imports busybox with what this script makes in the root file system, too.
fn import_with(daemon: &Daemon, name: &str, script: &str) {
    let (archive, folder) = (daemon.scratch().join("image.tar"), daemon.scratch().join("image"));
    std::fs::write(&archive, root_file_system()).unwrap();
    let script = format!("mkdir -p $0/etc; cd $0; {script}; tar -rf $1 -C $0 .; rm -rf $0");
    let done = Command::new("sh").args(["-ec", &script]).args([&folder, &archive]).status().unwrap();
    assert!(done.success(), "{script}");
    daemon.run_with(Cli::Sampan, &["import", "-", name], &std::fs::read(archive).unwrap()).ok();
}

#[test]
fn images_that_have_something_else_there() {
    let daemon = daemon();
    let files = "grep -c ^127 /etc/hosts; grep -c nameserver /etc/resolv.conf | grep -v ^0 >/dev/null && cat /etc/hostname";
    for (n, script) in [
        "true",
        "ln -s hosts etc/hosts; ln -s /etc/resolv.conf etc/resolv.conf; ln -s x etc/hostname; ln -s hostname etc/x",
        "ln -s ../../../../out etc/hosts; ln -s /run/systemd/resolve/stub-resolv.conf etc/resolv.conf",
        "mkdir etc/hosts etc/resolv.conf; mkfifo etc/hostname",
        "ln -s /proc/self/fd/0 etc/hosts; ln -s nowhere .dockerenv; mkdir etc/mtab",
    ]
    .into_iter()
    .enumerate()
    {
        let image = format!("image{n}");
        import_with(&daemon, &image, script);
        prints(&daemon, &format!("-h box {image} sh -c '{files}'"), "1\nbox");
        prints(&daemon, &format!("{image} sh -c 'test -e /.dockerenv && test -L /etc/mtab && head -c 8 /etc/mtab'"), "overlay");
        daemon.sampan(&["run", "--name", "one", &image, "true"]);
        assert_eq!(daemon.sampan(&["diff", "one"]), "", "{script}");
        daemon.sampan(&["rm", "one"]);
    }
    daemon.nothing_is_left();
}
