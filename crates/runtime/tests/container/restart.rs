//! Sandboxes that are used again, name spaces that are joined, further processes.

use crate::Test;
use crate::box_::{Box_, Streams};
use sampan_runtime::{ExecTarget, Running, Stdio, exec};
use sampan_spec::oci;
use sampan_sys::process::{Ended, signal, wait};
use serde_json::{Value, json};
use std::fs;
use std::os::fd::AsFd;

pub(crate) const TESTS: &[Test] = &[
    ("a_restart_keeps_network_and_cgroup", a_restart_keeps_network_and_cgroup),
    ("a_network_is_joined", a_network_is_joined),
    ("processes_are_shared", processes_are_shared),
    ("exec_is_inside", exec_is_inside),
    ("exec_failures", exec_failures),
    ("a_terminal", a_terminal),
    ("the_host_s_mounts_reach_in_and_out", the_host_s_mounts_reach_in_and_out),
];

/// Runs for ever.
fn sleeper() -> (Box_, Running) {
    let box_ = Box_::new(&["/bin/sleep", "1000"]);
    let streams = Streams::new();
    let running = box_.start(&streams).unwrap();
    (box_, running)
}

fn end(running: &Running) {
    signal(&running.pidfd, 9).unwrap();
    assert_eq!(wait(&running.pidfd).unwrap(), Ended::Signal(9));
}

fn a_restart_keeps_network_and_cgroup() {
    let mut box_ = Box_::sh(
        "readlink /proc/self/ns/net; ip link set lo mtu 1234 2>/dev/null; ip link show lo | grep -o 'mtu [0-9]*'",
    );
    box_.config["process"]["capabilities"]["effective"] = json!(["CAP_NET_ADMIN"]);
    box_.config["process"]["capabilities"]["permitted"] = json!(["CAP_NET_ADMIN"]);
    box_.config["process"]["capabilities"]["bounding"] = json!(["CAP_NET_ADMIN"]);
    let mut outs = Vec::new();
    let mut sandbox = None;
    for _ in 0..3 {
        let streams = Streams::new();
        let running = box_.prepare(streams.stdio(), sandbox.as_ref()).unwrap().start().unwrap();
        assert_eq!(wait(&running.pidfd).unwrap(), Ended::Code(0));
        outs.push(streams.read().0);
        sandbox = Some(running.sandbox);
    }
    sandbox.unwrap().cgroup.remove().unwrap();
    assert!(outs[0].contains("mtu 1234"), "{outs:?}");
    assert!(outs.iter().all(|o| o == &outs[0]), "{outs:?}");
}

fn a_network_is_joined() {
    let (_box, running) = sleeper();
    let mut other = Box_::sh("readlink /proc/self/ns/net");
    let path = format!("/proc/{}/ns/net", running.pid);
    let namespaces = other.config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.retain(|n| n["type"] != "network");
    namespaces.push(json!({"type": "network", "path": path}));
    assert_eq!(other.output().trim(), fs::read_link(&path).unwrap().to_str().unwrap());
    end(&running);
    running.sandbox.cgroup.remove().unwrap();
}

fn processes_are_shared() {
    let (_box, running) = sleeper();
    let mut other = Box_::sh("ps | grep -c 'sleep 1000'");
    let namespaces = other.config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.retain(|n| n["type"] != "pid");
    namespaces.push(json!({"type": "pid", "path": format!("/proc/{}/ns/pid", running.pid)}));
    let out = other.output();
    assert!(out.trim().parse::<u32>().unwrap() >= 1, "{out}");
    let own = fs::read_link("/proc/self/ns/pid_for_children").unwrap();
    assert_eq!(own, fs::read_link("/proc/self/ns/pid").unwrap());
    end(&running);
    running.sandbox.cgroup.remove().unwrap();
}

fn process(args: &[&str], change: impl FnOnce(&mut Value)) -> oci::Process {
    let mut process = json!({"user": {"uid": 0, "gid": 0}, "args": args, "cwd": "/", "env": ["PATH=/bin"],
        "capabilities": {"bounding": ["CAP_KILL"], "effective": ["CAP_KILL"], "permitted": ["CAP_KILL"]}});
    change(&mut process);
    serde_json::from_value(process).unwrap()
}

fn exec_is_inside() {
    let (box_, running) = sleeper();
    let config = box_.spec();
    let target = ExecTarget {
        id: &box_.id,
        pidfd: running.pidfd.as_fd(),
        cgroup: &running.sandbox.cgroup,
        config: &config,
        die_with_parent: true,
        unusual: Default::default(),
    };
    let script = "hostname; ls -d /layer /proc/1 2>/dev/null; for n in mnt pid net uts ipc cgroup; do readlink /proc/self/ns/$n; \
                  done; cat /proc/self/cgroup | cut -d: -f3 | sort | uniq; grep CapEff /proc/self/status; id -u; pwd; echo $HOME; \
                  ls /proc/self/fd | wc -l";
    let wanted = process(&["sh", "-c", script], |p| {
        p["user"] = json!({"uid": 1000, "gid": 5});
        p["cwd"] = json!("/tmp");
    });
    let streams = Streams::new();
    let process = exec(&target, &wanted, streams.stdio()).unwrap();
    assert_eq!(wait(&process.pidfd).unwrap(), Ended::Code(0));
    let (out, err) = streams.read();
    let got: Vec<&str> = out.lines().collect();
    assert_eq!(&got[..2], ["boxed", "/proc/1"], "{err}");
    for (i, name) in ["mnt", "pid", "net", "uts", "ipc", "cgroup"].iter().enumerate() {
        let init = fs::read_link(format!("/proc/{}/ns/{name}", running.pid)).unwrap();
        assert_eq!(got[2 + i], init.to_str().unwrap());
    }
    assert_eq!(&got[8..], ["/", "CapEff:\t0000000000000000", "1000", "/tmp", "/home/u", "4"]);
    end(&running);
    running.sandbox.cgroup.remove().unwrap();
}

fn exec_failures() {
    let (box_, running) = sleeper();
    let config = box_.spec();
    let target = ExecTarget {
        id: &box_.id,
        pidfd: running.pidfd.as_fd(),
        cgroup: &running.sandbox.cgroup,
        config: &config,
        die_with_parent: true,
        unusual: Default::default(),
    };
    let streams = Streams::new();
    for (program, cwd, stage, errno) in
        [("nope", "/", "exec", 2), ("/etc/passwd", "/", "exec", 13), ("true", "/nope", "cwd", 2)]
    {
        let wanted = process(&[program], |p| p["cwd"] = json!(cwd));
        let failure = exec(&target, &wanted, streams.stdio()).unwrap_err();
        assert_eq!((failure.stage.as_str(), failure.errno), (stage, errno), "{}", failure.message);
    }
    running.sandbox.cgroup.freeze().unwrap();
    let failure = exec(&target, &process(&["true"], |_| {}), streams.stdio()).unwrap_err();
    assert_eq!(failure.message, "cannot exec in a paused container");
    running.sandbox.cgroup.thaw().unwrap();
    end(&running);
    assert!(exec(&target, &process(&["true"], |_| {}), streams.stdio()).is_err());
    running.sandbox.cgroup.remove().unwrap();
}

fn a_terminal() {
    let box_ = Box_::sh("tty; stty size; ls -l /dev/console | cut -c1; readlink /proc/self/fd/2; exit 3");
    let running = box_.prepare(Stdio::Terminal { size: Some((17, 43)) }, None).unwrap().start().unwrap();
    let out = read_terminal(running.console.as_ref().unwrap());
    assert_eq!(wait(&running.pidfd).unwrap(), Ended::Code(3), "{out}");
    running.sandbox.cgroup.remove().unwrap();
    assert_eq!(out, "/dev/pts/0\r\n17 43\r\nc\r\n/dev/pts/0\r\n");
    let (box_, running) = sleeper();
    let config = box_.spec();
    let target = ExecTarget {
        id: &box_.id,
        pidfd: running.pidfd.as_fd(),
        cgroup: &running.sandbox.cgroup,
        config: &config,
        die_with_parent: false,
        unusual: Default::default(),
    };
    let wanted = process(&["tty"], |_| {});
    let process = exec(&target, &wanted, Stdio::Terminal { size: None }).unwrap();
    assert_eq!(read_terminal(process.console.as_ref().unwrap()), "/dev/pts/0\r\n");
    wait(&process.pidfd).unwrap();
    end(&running);
    running.sandbox.cgroup.remove().unwrap();
}

/// All that comes until the terminal hangs up (EIO).
pub(crate) fn read_terminal(master: &std::os::fd::OwnedFd) -> String {
    let mut text = Vec::new();
    let mut buffer = [0; 256];
    while let Ok(n @ 1..) = rustix::io::read(master, &mut buffer) {
        text.extend_from_slice(&buffer[..n]);
    }
    String::from_utf8(text).unwrap()
}

/// In a mount name space of a process of its own, because this one's table is shared with others.
fn the_host_s_mounts_reach_in_and_out() {
    use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount};
    let host = tempfile::tempdir().unwrap();
    let child = sampan_sys::process::clone(sampan_sys::process::Namespaces::MOUNT, None, &[], || {
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        mount_change("/", private).unwrap();
        mount("tmpfs", host.path(), "tmpfs", MountFlags::empty(), None).unwrap();
        mount_change(host.path(), MountPropagationFlags::SHARED).unwrap();
        for sub in ["in", "out"] {
            fs::create_dir(host.path().join(sub)).unwrap();
        }
        let script = "until [ -e /v/in/seen ]; do :; done; mount -t tmpfs x /v/out && touch /v/out/made; \
                      until [ -e /v/done ]; do :; done";
        let mut box_ = Box_::sh(script);
        box_.mount(host.path(), "/v", &["rbind", "rshared"]);
        for set in ["bounding", "effective", "permitted"] {
            box_.config["process"]["capabilities"][set] = json!(["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"]);
        }
        let streams = Streams::new();
        let running = box_.start(&streams).unwrap();
        mount("tmpfs", host.path().join("in"), "tmpfs", MountFlags::empty(), None).unwrap();
        fs::write(host.path().join("in/seen"), "").unwrap();
        while !host.path().join("out/made").exists() {}
        unmount(host.path().join("in"), UnmountFlags::empty()).unwrap();
        fs::write(host.path().join("done"), "").unwrap();
        let ended = wait(&running.pidfd).unwrap();
        running.sandbox.cgroup.remove().unwrap();
        i32::from(ended != Ended::Code(0))
    });
    assert_eq!(wait(child.unwrap().pidfd).unwrap(), Ended::Code(0));
}
