//! What a container's process sees of itself and its machine.

use crate::Test;
use crate::box_::{Box_, Streams, cgroups};
use sampan_sys::cgroup::Layout;
use sampan_sys::process::{Ended, wait};
use serde_json::json;
use std::fs;

pub(crate) const TESTS: &[Test] = &[
    ("name_spaces_are_its_own", name_spaces_are_its_own),
    ("the_root_and_its_mounts", the_root_and_its_mounts),
    ("devices_of_its_own", devices_of_its_own),
    ("masked_and_read_only_paths", masked_and_read_only_paths),
    ("links_in_the_root_lead_nowhere", links_in_the_root_lead_nowhere),
    ("a_hostile_root", a_hostile_root),
    ("capabilities_and_user", capabilities_and_user),
    ("an_ordinary_user", an_ordinary_user),
    ("seccomp_refuses", seccomp_refuses),
    ("limits_and_control_groups", limits_and_control_groups),
    ("devices_are_refused", devices_are_refused),
    ("bind_mounts", bind_mounts),
    ("environment_directory_and_sysctls", environment_directory_and_sysctls),
    ("rlimits_and_umask", rlimits_and_umask),
    ("failed_programs_are_worded_as_by_runc", failed_programs_are_worded_as_by_runc),
    ("what_cannot_be_done_is_named", what_cannot_be_done_is_named),
    ("a_read_only_root", a_read_only_root),
    ("many_layers_and_long_paths", many_layers_and_long_paths),
];

fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).collect()
}

fn name_spaces_are_its_own() {
    let script = "echo $$; hostname; for n in mnt pid net uts ipc cgroup user; do readlink /proc/self/ns/$n; done; \
                  ip -o link | cut -d: -f2; cat /sys/class/net/lo/operstate; ip addr show lo | grep -c 127.0.0.1";
    let out = Box_::sh(script).output();
    let got = lines(&out);
    assert_eq!(&got[..2], ["1", "boxed"]);
    for (i, name) in ["mnt", "pid", "net", "uts", "ipc", "cgroup"].iter().enumerate() {
        let own = fs::read_link(format!("/proc/self/ns/{name}")).unwrap();
        assert_ne!(got[2 + i], own.to_str().unwrap(), "{name}");
    }
    assert_eq!(got[8], fs::read_link("/proc/self/ns/user").unwrap().to_str().unwrap());
    assert_eq!(&got[9..10], ["lo"]);
    assert_eq!(got.last(), Some(&"1"));
}

fn the_root_and_its_mounts() {
    let out = Box_::sh("cat /proc/self/mountinfo; touch /written; ls /").output();
    let mounts: Vec<Vec<&str>> =
        out.lines().filter(|l| l.contains(" - ")).map(|l| l.split(' ').collect()).collect();
    let find = |at: &str| mounts.iter().find(|m| m[4] == at).unwrap_or_else(|| panic!("no {at} in {out}"));
    let kind = |m: &[&str]| m[m.iter().position(|f| *f == "-").unwrap() + 1].to_owned();
    for (at, want, options) in [
        ("/", "overlay", "rw,relatime"),
        ("/proc", "proc", "rw,nosuid,nodev,noexec,relatime"),
        ("/dev", "tmpfs", "rw,nosuid"),
        ("/dev/pts", "devpts", "rw,nosuid,noexec,relatime"),
        ("/sys", "sysfs", "ro,nosuid,nodev,noexec,relatime"),
        ("/dev/mqueue", "mqueue", "rw,nosuid,nodev,noexec,relatime"),
        ("/dev/shm", "tmpfs", "rw,nosuid,nodev,noexec,relatime"),
    ] {
        let mount = find(at);
        assert_eq!((kind(mount).as_str(), mount[5]), (want, options), "{at}");
    }
    assert!(find("/").windows(2).any(|fields| fields == ["overlay", "overlay"]), "what df shows: {out}");
    assert!(out.ends_with("tmp\nwritten\n"), "{out}");
    // Nothing of the host's tree is left, and nothing propagates.
    assert!(mounts.iter().all(|m| !m[4].starts_with("/var") && !m[6].starts_with("shared")), "{out}");
}

fn devices_of_its_own() {
    let script = "cd /dev; stat -c '%n %F %t,%T %a' null zero full random urandom tty; \
                  for l in fd stdin stdout stderr ptmx; do echo $l $(readlink $l); done; ls | wc -l; \
                  dd if=zero of=null count=1 2>/dev/null";
    let out = Box_::sh(script).output();
    let got = lines(&out);
    assert_eq!(got[0], "null character special file 1,3 666");
    assert_eq!(got[5], "tty character special file 5,0 666");
    assert_eq!(got[6], "fd /proc/self/fd");
    assert_eq!(got[10], "ptmx pts/ptmx");
    assert_eq!(got[11], "14"); // the 11 above, and mqueue, pts, shm
}

fn masked_and_read_only_paths() {
    let script = "ls /sys/firmware | wc -l; cat /proc/keys | wc -c; cat /proc/timer_list | wc -c; \
                  (echo 1 > /proc/sys/kernel/panic) 2>/dev/null || echo ro; \
                  (echo x > /proc/sysrq-trigger) 2>/dev/null || echo ro; touch /sys/firmware/x 2>/dev/null || echo ro";
    assert_eq!(lines(&Box_::sh(script).output()), ["0", "0", "0", "ro", "ro", "ro"]);
}

fn links_in_the_root_lead_nowhere() {
    let mut box_ = Box_::sh("ls /target; cat /link/file");
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("file"), "outside\n").unwrap();
    let secret = tempfile::tempdir().unwrap();
    for (link, target) in [("link", secret.path().join("a")), ("masked", secret.path().to_owned())] {
        std::os::unix::fs::symlink(target, box_.path("layer").join(link)).unwrap();
    }
    box_.config["linux"]["maskedPaths"] = json!(["/masked/b"]);
    box_.mount(outside.path(), "/link", &["rbind"]).mount(outside.path(), "/../../target", &["rbind"]);
    assert_eq!(box_.output(), "file\noutside\n");
    assert_eq!(fs::read_dir(secret.path()).unwrap().count(), 0);
}

/// An image in which the runtime's own places are links out of it.
fn a_hostile_root() {
    let mut box_ = Box_::sh("pwd; echo $HOME; ls /dev/null /far/proc/self/stat; cat /proc/uptime");
    let outside = tempfile::tempdir().unwrap();
    let up = "../".repeat(20);
    for (name, target) in [("proc", "far/proc"), ("dev", "far/dev"), ("work", "far/work")] {
        let link = box_.path("layer").join(name);
        let _ = fs::remove_dir(&link);
        std::os::unix::fs::symlink(format!("{up}{target}"), link).unwrap();
    }
    let passwd = box_.path("layer/etc/passwd");
    fs::remove_file(&passwd).unwrap();
    std::os::unix::fs::symlink(outside.path().join("passwd"), passwd).unwrap();
    fs::write(outside.path().join("passwd"), "root:x:0:0::/of-the-host:/bin/sh\n").unwrap();
    box_.config["process"]["cwd"] = json!("/work");
    box_.config["linux"]["maskedPaths"] = json!(["/proc/uptime"]);
    assert_eq!(box_.output(), "/far/work\n/\n/dev/null\n/far/proc/self/stat\n");
    assert!(!std::path::Path::new("/far").exists());
    let mut box_ = Box_::sh("pwd");
    std::os::unix::fs::symlink("/proc/self/fd/3", box_.path("layer").join("fd")).unwrap();
    box_.config["process"]["cwd"] = json!("/fd");
    assert_eq!(box_.run().unwrap_err().stage, "workdir");
}

fn capabilities_and_user() {
    let script = "grep -E 'Cap|NoNewPrivs|Seccomp:|Groups' /proc/self/status; id -u; id -g";
    let mut box_ = Box_::sh(script);
    let out = box_.output();
    for set in ["CapPrm", "CapEff", "CapBnd"] {
        assert!(out.contains(&format!("{set}:\t00000000a80425fb")), "{out}");
    }
    assert!(out.contains("CapInh:\t0000000000000000") && out.contains("NoNewPrivs:\t0"), "{out}");
    box_.config["process"]["noNewPrivileges"] = json!(true);
    box_.config["process"]["capabilities"] = json!({});
    let out = box_.output();
    assert!(out.contains("CapBnd:\t0000000000000000") && out.contains("CapEff:\t0000000000000000"), "{out}");
    assert!(out.contains("NoNewPrivs:\t1"), "{out}");
}

fn an_ordinary_user() {
    let mut box_ = Box_::sh(
        "id -u; id -g; id -G; grep -E 'CapEff|CapAmb' /proc/self/status; echo $HOME; echo x > /dev/stdout",
    );
    box_.config["process"]["user"] = json!({"uid": 1000, "gid": 1001, "additionalGids": [7, 8]});
    box_.config["process"]["capabilities"] = json!({
        "bounding": ["CAP_NET_RAW", "CAP_KILL"], "permitted": ["CAP_NET_RAW"], "inheritable": ["CAP_NET_RAW"],
        "effective": ["CAP_NET_RAW"], "ambient": ["CAP_NET_RAW"],
    });
    let profile =
        r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["acct"],"action":"SCMP_ACT_ERRNO"}]}"#;
    box_.config["linux"]["seccomp"] = serde_json::from_str(profile).unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    let null = fs::File::open("/dev/null").unwrap();
    use std::os::fd::AsFd;
    let stdio =
        sampan_runtime::Stdio::Pipes { stdin: null.as_fd(), stdout: writer.as_fd(), stderr: null.as_fd() };
    let running = box_.prepare(stdio, None).unwrap().start().unwrap();
    drop(writer);
    let out = std::io::read_to_string(reader).unwrap();
    assert_eq!(wait(&running.pidfd).unwrap(), Ended::Code(0), "{out}");
    running.sandbox.cgroup.remove().unwrap();
    let got = lines(&out);
    assert_eq!(&got[..3], ["1000", "1001", "1001 7 8"]);
    assert_eq!(&got[3..5], ["CapEff:\t0000000000002000", "CapAmb:\t0000000000002000"]);
    assert_eq!(&got[5..], ["/home/u", "x"]);
}

fn seccomp_refuses() {
    let mut box_ =
        Box_::sh("mkdir /a; mkdir /b; chmod 700 /a; grep -E 'Seccomp:|CapEff' /proc/self/status; ls /tmp");
    box_.config["linux"]["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
        "syscalls": [
            {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28},
            {"names": ["chmod", "fchmodat"], "action": "SCMP_ACT_ERRNO",
             "args": [{"index": 1, "value": 448, "op": "SCMP_CMP_EQ"}]},
        ],
    });
    let outcome = box_.run().unwrap();
    assert!(outcome.err.contains("No space left"), "{}", outcome.err);
    assert!(outcome.out.contains("Seccomp:\t2"), "{}", outcome.out);
    assert!(outcome.out.contains("CapEff:\t00000000a80425fb"), "{}", outcome.out);
}

fn limits_and_control_groups() {
    let mut box_ = Box_::sh(
        "cat /proc/self/cgroup; ls /sys/fs/cgroup; cat /sys/fs/cgroup/pids/pids.max \
        /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids.max /sys/fs/cgroup/memory.max 2>/dev/null; true",
    );
    box_.config["linux"]["resources"]["memory"] = json!({"limit": 67_108_864});
    box_.config["linux"]["resources"]["pids"] = json!({"limit": 33});
    box_.config["linux"]["resources"]["cpu"] = json!({"quota": 20_000, "period": 100_000, "shares": 512});
    let out = box_.output();
    let got = lines(&out);
    let groups: Vec<_> = got.iter().filter(|l| l.matches(':').count() >= 2).collect();
    let layout = Layout::detect().unwrap();
    assert_eq!(groups.len(), layout.v1.len() + usize::from(layout.unified.is_some()));
    assert!(groups.iter().all(|l| l.ends_with(":/")), "{out}");
    assert!(got.ends_with(&["33", "67108864"]), "{out}");
}

fn devices_are_refused() {
    let script = "mknod /tmp/kmsg c 1 11; (cat /tmp/kmsg >/dev/null) 2>/dev/null || echo refused; \
                  mknod /tmp/null c 1 3; echo x > /tmp/null && echo allowed";
    assert_eq!(Box_::sh(script).output(), "refused\nallowed\n");
    let mut box_ = Box_::sh("ls -l /dev/mine | cut -c1-10; cat /dev/mine > /dev/null && echo read");
    box_.config["linux"]["devices"] = json!([{"path": "/dev/mine", "type": "c", "major": 1, "minor": 5, "fileMode": 0o640, "uid": 3, "gid": 4}]);
    box_.config["process"]["args"][2] =
        json!("stat -c '%a %u %g %t,%T' /dev/mine; dd if=/dev/mine count=1 2>/dev/null | wc -c");
    assert_eq!(box_.output(), "640 3 4 1,5\n512\n");
}

fn bind_mounts() {
    let host = tempfile::tempdir().unwrap();
    fs::create_dir(host.path().join("sub")).unwrap();
    fs::write(host.path().join("file"), "text\n").unwrap();
    let mut box_ = Box_::sh(
        "cat /a/b/file /one; touch /a/b/new; touch /ro/x 2>/dev/null || echo ro; \
         grep -E ' /(ro|a/b|one) ' /proc/self/mountinfo | cut -d' ' -f5,6",
    );
    box_.mount(host.path(), "/a/b", &["rbind", "rprivate"]);
    box_.mount(host.path(), "/ro", &["bind", "ro", "nosuid"]);
    box_.mount(&host.path().join("file"), "/one", &["bind", "rro"]);
    let out = box_.output();
    assert!(out.starts_with("text\ntext\nro\n"), "{out}");
    assert!(out.contains("/a/b rw,relatime") && out.contains("/ro ro,nosuid,relatime"), "{out}");
    assert!(out.contains("/one ro,relatime"), "{out}");
    assert!(host.path().join("new").exists());
    box_.mount(&host.path().join("gone"), "/x", &["rbind"]);
    let failure = box_.run().unwrap_err();
    assert_eq!((failure.stage.as_str(), failure.errno), ("mount", 2));
    assert!(
        failure.message.ends_with(r#"to rootfs at "/x": no such file or directory"#),
        "{}",
        failure.message
    );
}

fn environment_directory_and_sysctls() {
    let mut box_ = Box_::sh(
        "env | grep -v SHLVL; pwd; cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/shmmni",
    );
    box_.config["process"]["env"] = json!(["PATH=/bin", "A=b c"]);
    box_.config["process"]["cwd"] = json!("/made/for/it");
    box_.config["linux"]["sysctl"] =
        json!({"net.ipv4.ip_unprivileged_port_start": "7", "kernel.shmmni": "123"});
    let out = box_.output();
    let got = lines(&out);
    assert!(got.contains(&"A=b c") && got.contains(&"HOME=/root"), "{out}");
    assert!(got.ends_with(&["/made/for/it", "7", "123"]), "{out}");
}

fn rlimits_and_umask() {
    let mut box_ = Box_::sh("ulimit -n; ulimit -Hn; umask; cat /proc/self/oom_score_adj");
    box_.config["process"]["rlimits"] = json!([{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}]);
    box_.config["process"]["user"]["umask"] = json!(0o27);
    box_.config["process"]["oomScoreAdj"] = json!(777);
    assert_eq!(lines(&box_.output()), ["100", "200", "0027", "777"]);
}

fn failed_programs_are_worded_as_by_runc() {
    for (program, errno, message) in [
        ("nope", 2, r#"exec: "nope": executable file not found in $PATH"#),
        ("/nope", 2, r#"exec: "/nope": stat /nope: no such file or directory"#),
        ("/etc/passwd", 13, r#"exec: "/etc/passwd": permission denied"#),
        ("/etc", 21, r#"exec: "/etc": is a directory: permission denied"#),
        ("/bad", 8, "exec /bad: exec format error"),
    ] {
        let box_ = Box_::new(&[program]);
        let bad = box_.path("layer/bad");
        fs::write(&bad, [0x7f, b'E', b'L', b'F', 0, 0]).unwrap();
        fs::set_permissions(&bad, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let failure = box_.run().unwrap_err();
        assert_eq!(
            (failure.stage.as_str(), failure.errno, failure.message.as_str()),
            ("exec", errno, message)
        );
        assert_nothing_left(&box_);
    }
}

/// No cgroup, and no mount in this process's table.
pub(crate) fn assert_nothing_left(box_: &Box_) {
    let layout = Layout::detect().unwrap();
    for folder in layout.v1.iter().map(|h| &h.folder).chain(&layout.unified) {
        assert!(!folder.join(&cgroups()[1..]).join(&box_.id).exists(), "{}", folder.display());
    }
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!table.contains(box_.folder.path().to_str().unwrap()));
}

fn what_cannot_be_done_is_named() {
    let mut box_ = Box_::sh("true");
    box_.config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "user"}));
    assert_eq!(box_.run().unwrap_err().message, "user namespaces enabled, but no uid mapping found");
    for (source, destination) in [("/etc/passwd", "/bin"), ("/etc", "/etc/passwd")] {
        let mut box_ = Box_::sh("true");
        box_.mount(std::path::Path::new(source), destination, &["rbind"]);
        let want = format!("error mounting {source:?} to rootfs at {destination:?}: not a directory");
        assert_eq!(box_.run().unwrap_err().message, want);
    }
    let mut box_ = Box_::sh("true");
    box_.config["process"]["cwd"] = json!("/bin/busybox");
    assert_eq!(box_.run().unwrap_err().message, "Cannot mkdir: /bin/busybox is not a directory");
    let mut box_ = Box_::sh("true");
    box_.config["mounts"]
        .as_array_mut()
        .unwrap()
        .push(json!({"destination": "/t", "type": "tmpfs", "options": ["sized=1"]}));
    let failure = box_.run().unwrap_err();
    assert!(failure.message.contains("\"/t\"") && failure.message.contains("sized"), "{}", failure.message);
    assert_nothing_left(&box_);
    let mut box_ = Box_::sh("true");
    box_.config["process"]["apparmorProfile"] = json!("sampan-no-such-profile");
    let failure = box_.run().unwrap_err();
    assert!(failure.message.contains("sampan-no-such-profile"), "{}", failure.message);
    let mut box_ = Box_::sh("true");
    box_.config["process"]["capabilities"]["bounding"] = json!(["CAP_CHOWN"]);
    box_.config["process"]["cwd"] = json!("/bin/busybox");
    let failure = box_.run().unwrap_err();
    assert_eq!(failure.stage, "workdir", "{}", failure.message);
}

fn a_read_only_root() {
    let mut box_ =
        Box_::sh("touch /x 2>/dev/null || echo ro; touch /tmp/x 2>/dev/null || echo ro; touch /dev/shm/x");
    box_.config["root"]["readonly"] = json!(true);
    assert_eq!(box_.output(), "ro\nro\n");
}

fn many_layers_and_long_paths() {
    let box_ = Box_::sh("ls /bin | head -n 1; ls / | grep -c layer");
    let deep = box_.path(&"a-long-name-of-a-folder/".repeat(9));
    let mut lower = Vec::new();
    for i in 0..60 {
        let layer = deep.join(format!("n:{i},\\"));
        fs::create_dir_all(layer.join(format!("layer{i}"))).unwrap();
        lower.push(layer);
    }
    lower.push(box_.path("layer"));
    let rootfs = sampan_spec::bundle::RootFs::Overlay {
        lower,
        upper: box_.path("upper"),
        work: box_.path("work"),
        volatile: false,
    };
    let streams = Streams::new();
    let config = box_.spec();
    let launch = sampan_runtime::Launch {
        id: &box_.id,
        bundle: box_.folder.path(),
        config: &config,
        rootfs: &rootfs,
        stdio: streams.stdio(),
        sandbox: None,
        want_netlink: true,
        die_with_parent: true,
        unusual: Default::default(),
    };
    let mut prepared = sampan_runtime::prepare(&launch).unwrap();
    assert!(prepared.take_netlink().is_some() && prepared.netns().is_some());
    prepared.mount().unwrap();
    let running = prepared.start().unwrap();
    assert_eq!(wait(&running.pidfd).unwrap(), Ended::Code(0));
    running.sandbox.cgroup.remove().unwrap();
    assert!(streams.read().0.ends_with("60\n"));
}
