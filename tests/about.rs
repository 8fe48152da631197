//! `info` and `version`: what the daemon says of itself and its host, and how it is printed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod script;

use sampan_testkit::{Cli, Daemon, Output, programs};
use script::BOTH;
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

fn told() -> Daemon {
    Daemon::start_told(
        programs!(),
        &[
            "--insecure-registry",
            "lab:5000",
            "--insecure-registry",
            "10.0.0.0/8",
            "--registry-mirror",
            "http://mirror",
        ],
    )
}

fn info(daemon: &Daemon) -> Value {
    daemon.ask("GET", "/v1.51/info", None).json()
}

/// The lines about the daemon, without those that differ at each run, or say what Go programs are made of.
fn about_the_server(output: &Output) -> String {
    let lines = output.text();
    let (_, server) = lines.split_once("\nServer:").unwrap();
    let differ = ["File Desc", "Goroutines", "System Time", "Go version:", "Git commit:", "Built:"];
    let stays = |line: &&str| !differ.iter().any(|name| line.trim_start().starts_with(name));
    server.lines().filter(stays).collect::<Vec<_>>().join("\n")
}

#[test]
fn both_command_lines_print_the_same() {
    let daemon = told();
    for verb in [&["info"][..], &["system", "info"], &["version"], &["-D", "info"]] {
        let [ours, dockers] = BOTH.map(|cli| about_the_server(&daemon.run(cli, verb)));
        assert_eq!(ours, dockers, "{verb:?}");
    }
    for template in [
        "{{.ClientInfo.Context}} {{.ClientInfo.Debug}} {{.ClientInfo.Os}}/{{.ClientInfo.Arch}}",
        "{{.Driver}} {{range .DriverStatus}}{{index . 0}}={{index . 1}} {{end}}",
        "{{json .RegistryConfig}} {{.Swarm.LocalNodeState}} {{.OSVersion}} {{json .Warnings}}",
    ] {
        let [ours, dockers] = BOTH.map(|cli| daemon.run(cli, &["info", "-f", template]).ok());
        assert_eq!(ours, dockers, "{template}");
    }
    let template =
        "{{.Server.Version}} {{(index .Server.Components 0).Details.MinAPIVersion}} {{.Client.Context}}";
    let [ours, dockers] = BOTH.map(|cli| daemon.run(cli, &["version", "--format", template]).ok());
    assert_eq!(ours, dockers);
    daemon.nothing_is_left();
}

#[test]
fn what_the_host_has_is_told() {
    let daemon = told();
    let info = info(&daemon);
    let limits = fs::read_dir("/sys/fs/cgroup/memory").is_ok();
    for name in ["MemoryLimit", "CpuCfsQuota", "CPUShares", "CPUSet", "PidsLimit"] {
        assert_eq!(info[name], json!(true), "{name}");
    }
    assert_eq!(info["OomKillDisable"], json!(limits), "version 2 has no such thing");
    let release = fs::read_to_string("/etc/os-release").unwrap();
    let line = release.lines().find_map(|line| line.strip_prefix("VERSION_ID=")).unwrap_or_default();
    assert_eq!(info["OSVersion"], json!(line.trim_matches('"')));
    assert_eq!(info["DriverStatus"][1], json!(["Supports d_type", "true"]));
    assert_eq!(
        info["RegistryConfig"]["InsecureRegistryCIDRs"],
        json!(["10.0.0.0/8", "::1/128", "127.0.0.0/8"])
    );
    assert_eq!(info["RegistryConfig"]["Mirrors"], json!(["http://mirror/"]));
    assert_eq!(info["RegistryConfig"]["IndexConfigs"]["lab:5000"]["Secure"], json!(false));
    daemon.nothing_is_left();
}

#[test]
fn proxies_are_told_without_their_passwords() {
    let daemon = Daemon::start_with(
        programs!(),
        &[("HTTPS_PROXY", "http://me:secret@proxy.example:3128"), ("NO_PROXY", "x,y")],
    );
    let info = info(&daemon);
    assert_eq!(info["HttpsProxy"], json!("http://xxxxx:xxxxx@proxy.example:3128"));
    assert_eq!(info["NoProxy"], json!("x,y"));
    daemon.nothing_is_left();
}

#[test]
fn listeners_are_counted() {
    let daemon = Daemon::start(programs!());
    assert_eq!(info(&daemon)["NEventsListener"], json!(0));
    let mut events = daemon.client(Cli::Sampan, &["events"]).spawn().unwrap();
    sampan_testkit::eventually("somebody listens", || info(&daemon)["NEventsListener"] == json!(1));
    events.kill().unwrap();
    events.wait().unwrap();
    daemon.nothing_is_left();
}

#[test]
fn without_a_daemon_the_clients_part_is_there() {
    for (words, want) in [
        (&["info"][..], "Client:"),
        (&["version"], "Client:"),
        (&["version", "-f", "{{.Client.Os}}"], "linux"),
        (&["version", "-f", "{{json .Server}}"], "null"),
        (&["info", "-f", "{{.ClientInfo.Os}}{{.ServerVersion}}"], "linux"),
    ] {
        for program in [programs!().sampan, "docker".into()] {
            let mut command = Command::new(&program);
            command.env("DOCKER_CONFIG", "/nonexistent").args(["-H", "unix:///nonexistent/sock"]).args(words);
            let output = Output::of(command, &[]);
            let first = output.text().lines().next().unwrap_or_default().to_owned();
            assert_eq!((output.code, first.as_str()), (1, want), "{program:?} {words:?}: {output:?}");
            assert!(output.stderr.contains("Cannot connect to the "), "{program:?} {words:?}: {output:?}");
        }
    }
}
