//! The flags of `run` as the container sees them, by both command lines, and how they are shown.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod script;

use sampan_testkit::{Cli, Daemon, eventually};
use script::{daemon, prints, refuses, words};
use serde_json::{Value, json};
use std::os::unix::fs::MetadataExt;

/// A control group's value, whichever version: the file of version 1 and that of version 2 with the value there.
#[track_caller]
fn limits(daemon: &Daemon, flags: &str, (v1, want_v1): (&str, &str), (v2, want_v2): (&str, &str)) {
    let unified = std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    let (file, want) = if unified { (v2, want_v2) } else { (v1, want_v1) };
    prints(daemon, &format!("{flags} bb cat /sys/fs/cgroup/{file}"), want);
}

#[test]
fn limits_arrive_in_the_control_group() {
    let daemon = daemon();
    limits(&daemon, "--cpu-shares 512", ("cpu/cpu.shares", "512"), ("cpu.weight", "20"));
    limits(&daemon, "-c 512", ("cpu/cpu.shares", "512"), ("cpu.weight", "20"));
    limits(
        &daemon,
        "--cpu-quota 20000 --cpu-period 50000",
        ("cpu/cpu.cfs_quota_us", "20000"),
        ("cpu.max", "20000 50000"),
    );
    limits(&daemon, "--cpuset-cpus 0", ("cpuset/cpuset.cpus", "0"), ("cpuset.cpus", "0"));
    limits(&daemon, "--cpuset-mems 0", ("cpuset/cpuset.mems", "0"), ("cpuset.mems", "0"));
    limits(
        &daemon,
        "--memory-reservation 32m",
        ("memory/memory.soft_limit_in_bytes", "33554432"),
        ("memory.low", "33554432"),
    );
    prints(&daemon, "--oom-score-adj 500 bb cat /proc/1/oom_score_adj", "500");
    prints(&daemon, "--ulimit nofile=100:200 bb sh -c 'ulimit -n; ulimit -Hn'", "100\n200");
    prints(&daemon, "--ulimit core=-1 bb sh -c 'ulimit -c'", "unlimited");
    prints(&daemon, "--shm-size 1m bb sh -c 'df /dev/shm | tail -1 | tr -s \" \" | cut -d\" \" -f2'", "1024");
    daemon.nothing_is_left();
}

#[test]
fn limits_that_cannot_be_are_refused_as_docker_refuses_them() {
    let daemon = daemon();
    for (flags, text) in [
        ("--cpu-shares -1", "invalid CPU shares (-1): value must be a positive integer"),
        (
            "--cpu-period 10",
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
        ),
        ("--cpu-quota 10", "CPU cfs quota can not be less than 1ms (i.e. 1000)"),
        ("--cpu-period 100000 --cpus 1", "Conflicting options: Nano CPUs and CPU Period cannot both be set"),
        ("--cpuset-cpus 777", "Requested CPUs are not available - requested 777, available: "),
        ("--cpuset-cpus xx", "Invalid value xx for cpuset cpus: invalid format: xx"),
        ("--memory-reservation 1k", "Minimum memory reservation allowed is 6MB"),
        ("--memory-swappiness 101", "invalid value: 101. Valid memory swappiness range is 0-100"),
        ("--oom-score-adj 2000", "Invalid value 2000, range for oom score adj is [-1000, 1000]"),
        ("--device-read-bps /dev/nope:1mb", "stat /dev/nope: no such file or directory"),
        ("--pid container:nope", "No such container: nope"),
        ("--network container:nope", "joining network namespace of container: No such container: nope"),
        ("--ipc foo", "invalid IPC mode: foo"),
        ("--uts host -h x", "conflicting options: hostname and the UTS mode"),
        ("--runtime nope", "unknown or invalid runtime name: nope"),
        (
            "--device /dev/nope",
            "error gathering device information while adding custom device \"/dev/nope\": no such file or directory",
        ),
        ("--group-add nope", "unable to find group nope: no matching entries in group file"),
        ("--security-opt nope", "Invalid --security-opt: \"nope\""),
        ("--security-opt nope=1", "invalid --security-opt 2: \"nope=1\""),
    ] {
        refuses(&daemon, &format!("{flags} bb true"), text);
    }
    daemon.nothing_is_left();
}

#[test]
fn privileges() {
    let daemon = daemon();
    let status = |field: &str| format!("grep {field} /proc/self/status");
    prints(&daemon, &format!("--privileged bb sh -c '{} | cut -f2'", status("Seccomp:")), "0");
    let own = std::fs::read_to_string("/proc/self/status").unwrap();
    let own = own.lines().find_map(|line| line.strip_prefix("CapPrm:\t")).unwrap();
    prints(&daemon, &format!("--privileged bb sh -c '{} | cut -f2'", status("CapEff:")), own);
    prints(
        &daemon,
        "--privileged bb sh -c 'mount | grep -c \"(ro\"; test -e /dev/kmsg && echo all'",
        "0\nall",
    );
    prints(
        &daemon,
        "--security-opt no-new-privileges bb grep NoNewPrivs /proc/self/status",
        "NoNewPrivs:\t1",
    );
    prints(&daemon, "--security-opt seccomp=unconfined bb grep Seccomp: /proc/self/status", "Seccomp:\t0");
    prints(&daemon, "--security-opt systempaths=unconfined bb sh -c 'mount | grep -c proc'", "1");
    prints(&daemon, "--group-add crew --group-add 77 bb id -G", "0 77 1001");
    let profile = daemon.scratch().join("profile.json");
    let rules = json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{ "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO" }] });
    std::fs::write(&profile, rules.to_string()).unwrap();
    let flags = format!("--security-opt seccomp={}", profile.display());
    prints(
        &daemon,
        &format!("{flags} bb sh -c 'mkdir /x 2>&1 || true'"),
        "mkdir: can't create directory '/x': Operation not permitted",
    );
    daemon.nothing_is_left();
}

#[test]
fn devices() {
    let daemon = daemon();
    prints(&daemon, "--device /dev/zero:/dev/x bb stat -c %t:%T,%a /dev/x", "1:5,666");
    let folder = daemon.scratch().join("devices");
    std::fs::create_dir(&folder).unwrap();
    for (name, minor) in [("a", 3), ("b", 5)] {
        let (kind, mode) = (rustix::fs::FileType::CharacterDevice, rustix::fs::Mode::from_raw_mode(0o600));
        let device = rustix::fs::makedev(1, minor);
        rustix::fs::mknodat(rustix::fs::CWD, folder.join(name), kind, mode, device).unwrap();
    }
    prints(&daemon, &format!("--device {}:/dev/set bb ls /dev/set", folder.display()), "a\nb");
    daemon.nothing_is_left();
}

#[test]
fn name_spaces_of_others() {
    let daemon = daemon();
    daemon.sampan(&[
        "run",
        "-d",
        "--name",
        "one",
        "--ipc",
        "shareable",
        "--shm-size",
        "2m",
        "-h",
        "first",
        "bb",
        "sleep",
        "1000",
    ]);
    daemon.sampan(&["exec", "one", "touch", "/dev/shm/here"]);
    let of_one = |kind: &str| {
        daemon
            .sampan(&["exec", "one", "stat", "-c", "%N", &format!("/proc/1/ns/{kind}")])
            .split("->")
            .nth(1)
            .unwrap()
            .trim()
            .to_owned()
    };
    for (flag, kind) in [("--pid", "pid"), ("--ipc", "ipc"), ("--network", "net")] {
        let line =
            format!("{flag} container:one bb sh -c 'stat -c %N /proc/self/ns/{kind} | cut -d\" \" -f3'");
        prints(&daemon, &line, &of_one(kind));
    }
    prints(&daemon, "--ipc container:one bb ls /dev/shm", "here");
    prints(&daemon, "--network container:one bb sh -c 'hostname; grep -c first /etc/hosts'", "first\n1");
    prints(&daemon, "--ipc none bb sh -c 'test -e /dev/shm || echo none'", "none");
    daemon.sampan(&["run", "-d", "--name", "two", "bb", "sleep", "1000"]);
    refuses(
        &daemon,
        "--ipc container:two bb true",
        "non-shareable IPC (hint: use IpcMode:shareable for the donor container)",
    );
    daemon.sampan(&["rm", "-f", "two"]);
    daemon.sampan(&["kill", "one"]);
    refuses(&daemon, "--pid container:one bb true", "failed to join PID namespace: container ");
    refuses(
        &daemon,
        "--network container:one bb true",
        "cannot join network namespace of a non running container: container one is exited",
    );
    daemon.sampan(&["rm", "one"]);
    let name = String::from_utf8_lossy(rustix::system::uname().nodename().to_bytes()).into_owned();
    prints(&daemon, "--uts host bb hostname", &name);
    prints(&daemon, "--pid host bb sh -c 'test -e /proc/2 && echo seen'", "seen");
    prints(
        &daemon,
        "--cgroupns host bb sh -c 'grep -c sampan /proc/self/cgroup | grep -qv ^0 && echo seen'",
        "seen",
    );
    prints(&daemon, "--sysctl net.ipv4.ip_forward=1 bb cat /proc/sys/net/ipv4/ip_forward", "1");
    daemon.nothing_is_left();
}

/// What the container's process 1 has as its network.
fn network_of(daemon: &Daemon, name: &str) -> String {
    let pid = daemon.sampan(&["inspect", "-f", "{{.State.Pid}}", name]);
    std::fs::read_link(format!("/proc/{pid}/ns/net"))
        .map(|link| link.display().to_string())
        .unwrap_or_default()
}

#[test]
fn a_network_is_still_shared_when_both_have_been_restarted() {
    let daemon = daemon();
    daemon.sampan(&["run", "-d", "--name", "one", "bb", "sleep", "1000"]);
    let ends = "trap \"exit 3\" TERM; while :; do sleep 0.1; done";
    let joins = ["run", "-d", "--name", "two", "--network", "container:one", "--restart", "always"];
    daemon.sampan(&[&joins[..], &["bb", "sh", "-c", ends]].concat());
    daemon.sampan(&["restart", "-t", "0", "one"]);
    daemon.sampan(&["exec", "two", "kill", "1"]);
    eventually("it runs again by its policy", || {
        daemon.sampan(&["inspect", "-f", "{{.RestartCount}} {{.State.Status}}", "two"]) == "1 running"
    });
    assert_eq!(network_of(&daemon, "two"), network_of(&daemon, "one"));
    daemon.sampan(&["stop", "-t", "0", "one"]);
    daemon.sampan(&["start", "one"]);
    daemon.sampan(&["restart", "-t", "0", "two"]);
    assert_eq!(network_of(&daemon, "two"), network_of(&daemon, "one"));
    daemon.sampan(&["rm", "-f", "one", "two"]);
    daemon.nothing_is_left();
}

#[test]
fn an_init_passes_signals_on_and_waits_for_orphans() {
    let daemon = daemon();
    prints(
        &daemon,
        "--init bb sh -c 'tr \"\\0\" \" \" </proc/1/cmdline | cut -c1-23'",
        "/sbin/docker-init -- sh",
    );
    prints(&daemon, "--init -u sailor bb id -u", "1000");
    the_program_of_an_init_is_not_the_hosts(&daemon);
    // An orphan ends and is waited for by process 1.
    prints(
        &daemon,
        "--init bb sh -c '(sleep 0.1 & ) ; sleep 0.5; cat /proc/[0-9]*/stat | grep -c \" Z \" || true'",
        "0",
    );
    for cli in [Cli::Sampan, Cli::Docker] {
        let run = |command: &str| {
            daemon.run(cli, &[&["run", "--rm", "--init", "bb"], &words(command)[..]].concat()).code
        };
        assert_eq!(run("sh -c 'exit 7'"), 7, "{cli:?}");
        assert_eq!(run("nope"), 127, "{cli:?}");
        daemon
            .run(
                cli,
                &words(
                    "run -d --name c1 --init bb sh -c 'trap \"exit 9\" TERM; echo ready; while :; do sleep 0.1; done'",
                ),
            )
            .ok();
        eventually("it listens to signals", || daemon.sampan(&["logs", "c1"]) == "ready");
        daemon.run(cli, &["stop", "c1"]).ok();
        assert_eq!(daemon.run(cli, &["wait", "c1"]).ok(), "9", "{cli:?}");
        daemon.run(cli, &["rm", "c1"]).ok();
    }
    daemon.nothing_is_left();
}

/// Who may mount may make the program writable: then it is only that container's copy which changes.
#[track_caller]
fn the_program_of_an_init_is_not_the_hosts(daemon: &Daemon) {
    let program = env!("CARGO_BIN_EXE_sampan-runtime");
    let before = std::fs::metadata(program).unwrap();
    let change = "cmp /sbin/docker-init /its && mount -o remount,bind,rw /sbin/docker-init && \
                  chmod 711 /sbin/docker-init && stat -c %a /sbin/docker-init";
    prints(daemon, &format!("--init --privileged -v {program}:/its:ro bb sh -c '{change}'"), "711");
    assert_eq!(std::fs::metadata(program).unwrap().mode(), before.mode());
    prints(daemon, "--init --privileged bb stat -c %a /sbin/docker-init", "755");
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!table.contains("docker-init"), "{table}");
}

#[test]
fn what_was_asked_for_is_shown() {
    let daemon = daemon();
    let flags = "create --name c1 --privileged --cpu-shares 5 --memory-reservation 32m --cpuset-cpus 0 --device /dev/zero:/dev/x:r \
                 --device-cgroup-rule 'c 7:* r' --ulimit nofile=5:6 --shm-size 1m --ipc shareable --pid host --uts host --userns host \
                 --cgroupns host --init --group-add 7 --security-opt no-new-privileges --sysctl net.core.somaxconn=9 \
                 --oom-score-adj 7 --cgroup-parent /x --device-read-bps /dev/zero:5 bb true";
    for cli in [Cli::Sampan, Cli::Docker] {
        daemon.run(cli, &words(flags)).ok();
        let shown: Value = serde_json::from_str(&daemon.sampan(&["inspect", "c1"])).unwrap();
        let shown = &shown[0]["HostConfig"];
        for (field, want) in [
            ("Privileged", json!(true)),
            ("CpuShares", json!(5)),
            ("MemoryReservation", json!(33_554_432)),
            ("CpusetCpus", json!("0")),
            (
                "Devices",
                json!([{"PathOnHost": "/dev/zero", "PathInContainer": "/dev/x", "CgroupPermissions": "r"}]),
            ),
            ("DeviceCgroupRules", json!(["c 7:* r"])),
            ("Ulimits", json!([{"Name": "nofile", "Hard": 6, "Soft": 5}])),
            ("ShmSize", json!(1_048_576)),
            ("IpcMode", json!("shareable")),
            ("PidMode", json!("host")),
            ("UTSMode", json!("host")),
            ("UsernsMode", json!("host")),
            ("CgroupnsMode", json!("host")),
            ("Init", json!(true)),
            ("GroupAdd", json!(["7"])),
            ("SecurityOpt", json!(["no-new-privileges"])),
            ("Sysctls", json!({"net.core.somaxconn": "9"})),
            ("OomScoreAdj", json!(7)),
            ("CgroupParent", json!("/x")),
            ("BlkioDeviceReadBps", json!([{"Path": "/dev/zero", "Rate": 5}])),
            ("MaskedPaths", json!(null)),
            ("ReadonlyPaths", json!(null)),
        ] {
            assert_eq!(shown[field], want, "{cli:?} {field}");
        }
        daemon.sampan(&["rm", "c1"]);
    }
    daemon.nothing_is_left();
}

#[test]
fn ports_mean_nothing_on_the_hosts_network() {
    let daemon = daemon();
    for cli in [Cli::Sampan, Cli::Docker] {
        let output = daemon.run(cli, &["run", "--rm", "--network", "host", "-p", "8080:80", "bb", "true"]);
        let want = "WARNING: Published ports are discarded when using host network mode";
        assert_eq!((output.code, output.stderr.trim_end()), (0, want), "{cli:?}");
    }
}
