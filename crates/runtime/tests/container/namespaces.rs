//! User and time name spaces, idmapped mounts, and what else the kernel keeps for one process.

use crate::Test;
use crate::box_::Box_;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};

pub(crate) const TESTS: &[Test] = &[
    ("users_of_its_own", users_of_its_own),
    ("clocks_of_its_own", clocks_of_its_own),
    ("mounts_with_other_owners", mounts_with_other_owners),
    ("a_tmpfs_keeps_what_it_covers", a_tmpfs_keeps_what_it_covers),
    ("scheduler_and_priorities", scheduler_and_priorities),
];

/// Root inside is this user outside.
const OUTSIDE: u32 = 200_000;

fn mapping() -> Value {
    json!([{"containerID": 0, "hostID": OUTSIDE, "size": 65536}])
}

fn add_namespace(config: &mut Value, kind: &str) {
    config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": kind}));
}

/// The layer's files belong to whom they should inside.
fn own(path: &std::path::Path) {
    std::os::unix::fs::lchown(path, Some(OUTSIDE), Some(OUTSIDE)).unwrap();
    if path.is_dir() && !path.is_symlink() {
        fs::read_dir(path).unwrap().for_each(|entry| own(&entry.unwrap().path()));
    }
}

fn users_of_its_own() {
    let script = "cat /proc/self/uid_map; id -u; touch /made; stat -c '%u %g' /made /proc/1; \
                  ls /dev/null /dev/tty >/dev/null && echo x >/dev/null && echo devices; \
                  mknod /node c 1 3 2>/dev/null || echo no node; hostname; cat /proc/self/oom_score_adj; \
                  grep CapEff /proc/self/status; (echo 1 > /proc/sys/kernel/panic) 2>/dev/null || echo no sysctl; \
                  cat /proc/sys/net/ipv4/ip_unprivileged_port_start; mount -t tmpfs t /tmp && echo mounted";
    let mut box_ = Box_::sh(script);
    add_namespace(&mut box_.config, "user");
    box_.config["linux"]["uidMappings"] = mapping();
    box_.config["linux"]["gidMappings"] = mapping();
    box_.config["linux"]["sysctl"] = json!({"net.ipv4.ip_unprivileged_port_start": "7"});
    box_.config["process"]["oomScoreAdj"] = json!(300);
    for set in ["bounding", "effective", "permitted"] {
        box_.config["process"]["capabilities"][set].as_array_mut().unwrap().push(json!("CAP_SYS_ADMIN"));
    }
    fs::set_permissions(box_.folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    for below in ["layer", "upper", "work"] {
        own(&box_.path(below));
    }
    let out = box_.output();
    let got: Vec<&str> = out.lines().map(str::trim).collect();
    let map: Vec<&str> = got[0].split_whitespace().collect();
    assert_eq!(map, ["0", "200000", "65536"], "{out}");
    let rest = [
        "0",
        "0 0",
        "0 0",
        "devices",
        "no node",
        "boxed",
        "300",
        "CapEff:\t00000000a82425fb",
        "no sysctl",
        "7",
    ];
    assert_eq!(got[1..], [&rest[..], &["mounted"]].concat(), "{out}");
    let made = fs::metadata(box_.path("upper/made")).unwrap();
    assert_eq!((made.uid(), made.gid()), (OUTSIDE, OUTSIDE));
}

/// Seconds since the boot, as a container with these offsets sees them.
fn uptime(offsets: Value) -> f64 {
    let mut box_ = Box_::sh("cat /proc/uptime");
    add_namespace(&mut box_.config, "time");
    box_.config["linux"]["timeOffsets"] = offsets;
    box_.output().split(' ').next().unwrap().parse().unwrap()
}

fn clocks_of_its_own() {
    let now = uptime(json!({}));
    let later = uptime(json!({"boottime": {"secs": 1_000_000, "nanosecs": 5}, "monotonic": {"secs": 7}}));
    assert!(later - now > 999_999.0 && later - now < 1_010_000.0, "{now} {later}");
}

fn mounts_with_other_owners() {
    let outside = tempfile::tempdir().unwrap();
    let file = outside.path().join("file");
    fs::write(&file, "").unwrap();
    chown(&file, Some(1), Some(2)).unwrap();
    let mut box_ = Box_::sh("stat -c '%u %g' /mapped/file /plain/file; touch /mapped/new");
    box_.mount(outside.path(), "/plain", &["bind"]).mount(outside.path(), "/mapped", &["bind", "idmap"]);
    let last = box_.config["mounts"].as_array_mut().unwrap().last_mut().unwrap();
    last["uidMappings"] =
        json!([{"containerID": 0, "hostID": 0, "size": 1}, {"containerID": 1, "hostID": 1001, "size": 1}]);
    last["gidMappings"] =
        json!([{"containerID": 0, "hostID": 0, "size": 1}, {"containerID": 2, "hostID": 1002, "size": 1}]);
    assert_eq!(box_.output(), "1001 1002\n1 2\n");
    assert_eq!(fs::metadata(outside.path().join("new")).unwrap().uid(), 0);
}

fn a_tmpfs_keeps_what_it_covers() {
    let script = "cat /etc/deep/er/file; stat -c '%a %u' /etc/deep/er/file; readlink /etc/link; echo x > /etc/passwd && echo written";
    let mut box_ = Box_::sh(script);
    let folder = box_.path("layer/etc/deep/er");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("file"), "content\n").unwrap();
    fs::set_permissions(folder.join("file"), std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
    chown(folder.join("file"), Some(5), None).unwrap();
    std::os::unix::fs::symlink("/nowhere", box_.path("layer/etc/link")).unwrap();
    box_.config["mounts"]
        .as_array_mut()
        .unwrap()
        .push(json!({"destination": "/etc", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"]}));
    assert_eq!(box_.output(), "content\n640 5\n/nowhere\nwritten\n");
    let below = fs::read_to_string(box_.path("layer/etc/passwd")).unwrap();
    assert!(below.starts_with("root") && !box_.path("upper/etc/passwd").exists());
}

fn scheduler_and_priorities() {
    // Fields of proc_pid_stat(5): nice is 19, policy 41.
    let mut box_ = Box_::sh("cut -d' ' -f19,41 /proc/self/stat");
    box_.config["process"]["scheduler"] = json!({"policy": "SCHED_BATCH", "nice": 4});
    box_.config["process"]["ioPriority"] = json!({"class": "IOPRIO_CLASS_IDLE", "priority": 0});
    assert_eq!(box_.output(), "4 3\n");
}
