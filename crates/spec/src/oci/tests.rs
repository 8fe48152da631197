//! What other engines write is read, and written back as it was.

use super::*;
use serde_json::{Value, json};

fn read<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}

#[test]
fn what_is_read_is_written() {
    let config = json!({
        "ociVersion": "1.2.0",
        "process": {
            "cwd": "/", "user": {"uid": 1, "gid": 2, "umask": 18, "additionalGids": [3]}, "args": ["sh"],
            "consoleSize": {"height": 24, "width": 80}, "execCPUAffinity": {"initial": "0", "final": "0-1"},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 18_446_744_073_709_551_615u64, "soft": 1}],
            "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 4},
            "scheduler": {"policy": "SCHED_BATCH", "nice": 3, "flags": ["SCHED_FLAG_RESET_ON_FORK"]},
            "capabilities": {"bounding": ["CAP_CHOWN", "CAP_OF_TOMORROW"]},
        },
        "mounts": [{"destination": "/a", "type": "bind", "source": "/b", "options": ["ro"],
                    "uidMappings": [{"containerID": 0, "hostID": 1, "size": 2}]}],
        "hooks": {"createRuntime": [{"path": "/h", "args": ["h"], "env": ["A=b"], "timeout": 3}]},
        "linux": {
            "namespaces": [{"type": "time"}, {"type": "user", "path": "/proc/1/ns/user"}],
            "timeOffsets": {"boottime": {"secs": -1, "nanosecs": 5}},
            "devices": [{"path": "/dev/x", "type": "c", "major": 1, "minor": 2, "fileMode": 438, "uid": 0}],
            "resources": {
                "blockIO": {"leafWeight": 10, "throttleReadIOPSDevice": [{"major": 8, "minor": 0, "rate": 5}]},
                "memory": {"kernelTCP": 1, "disableOOMKiller": true, "checkBeforeUpdate": true},
                "network": {"classID": 7, "priorities": [{"name": "lo", "priority": 1}]},
                "hugepageLimits": [{"pageSize": "2MB", "limit": 1}], "unified": {"memory.high": "1"},
                "rdma": {"mlx": {"hcaHandles": 3}},
            },
            "seccomp": {"defaultAction": "SCMP_ACT_ERRNO", "flags": [], "syscalls": [
                {"names": ["a"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 1, "valueTwo": 2,
                 "op": "SCMP_CMP_MASKED_EQ"}]}]},
            "intelRdt": {"closID": "x", "l3CacheSchema": "y", "memBwSchema": "z"},
            "memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]},
            "personality": {"domain": "LINUX32"}, "netDevices": {"eth0": {"name": "x"}},
        },
    });
    let spec: Spec = read(config.clone()).unwrap();
    let mut written = serde_json::to_value(&spec).unwrap();
    // The order of an argument's members is not that of the text.
    assert_eq!(written["linux"]["seccomp"].take(), config["linux"]["seccomp"]);
    written["linux"]["seccomp"] = config["linux"]["seccomp"].clone();
    assert_eq!(written, config);
}

#[test]
fn lists_that_are_null_are_read() {
    let spec: Spec = read(json!({"ociVersion": "1.0.0", "mounts": null, "hooks": null, "linux": {
        "seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": null}, "resources": {"devices": null}},
        "process": {"cwd": "/", "args": null, "env": null}}))
    .unwrap();
    assert!(spec.mounts.is_none() && spec.linux.unwrap().seccomp.unwrap().syscalls.is_none());
}

#[test]
fn what_is_wrong_is_named() {
    for (config, named) in [
        (json!({"mounts": [{"type": "bind"}]}), "destination"),
        (json!({"linux": {"namespaces": [{"type": "weather"}]}}), "weather"),
        (json!({"process": {"args": ["a"]}}), "cwd"),
        (json!({"process": {"cwd": "/", "user": {"uid": -1}}}), "-1"),
        (json!({"linux": {"seccomp": {}}}), "defaultAction"),
    ] {
        let error = read::<Spec>(config.clone()).unwrap_err();
        assert!(error.contains(named), "{config}: {error}");
    }
}

#[test]
fn capabilities_have_the_kernels_numbers() {
    for (name, number) in [("CAP_CHOWN", 0), ("CAP_SYS_ADMIN", 21), ("CAP_CHECKPOINT_RESTORE", 40)] {
        let found = Capability::from_name(name).unwrap();
        assert_eq!((found.number(), found.name()), (number, name));
    }
    assert_eq!(Capability::from_name("CAP_OF_TOMORROW"), None);
}
