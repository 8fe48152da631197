//! Configurations that are read, and those that are refused.

use super::*;
use crate::Stdio;

fn read(json: &str) -> Result<Plan, Failure> {
    let config: oci::Spec = serde_json::from_str(json).unwrap();
    let launch = Launch {
        id: "abc",
        bundle: Path::new("/bundle"),
        config: &config,
        rootfs: &RootFs::Path { path: "/".into() },
        stdio: Stdio::Terminal { size: None },
        sandbox: None,
        want_netlink: false,
        die_with_parent: false,
        unusual: crate::Unusual::default(),
    };
    Plan::read(&launch)
}

fn config(process: &str, linux: &str, top: &str) -> String {
    format!(
        r#"{{"ociVersion":"1.2.0","process":{{"user":{{"uid":0,"gid":0}},"args":["/bin/true"],"cwd":"/"{process}}},
        "linux":{{"namespaces":[{{"type":"mount"}},{{"type":"pid"}},{{"type":"uts"}}]{linux}}}{top}}}"#
    )
}

#[test]
fn a_small_configuration() {
    let plan = read(&config("", "", r#","hostname":"h""#)).unwrap();
    assert_eq!(plan.cgroup_path, "/sampan/abc");
    assert_eq!(plan.namespaces.new, Namespaces::MOUNT | Namespaces::PID | Namespaces::UTS);
    assert_eq!((plan.hostname.as_deref(), plan.read_only), (Some("h"), false));
    assert!(plan.process.capabilities.bounding.is_empty());
}

#[test]
fn mounts_are_of_three_kinds() {
    let mounts = r#","mounts":[{"destination":"/p","type":"proc"},{"destination":"/s/c","type":"cgroup"},
        {"destination":"/b","source":"x","options":["rbind","ro"]},{"destination":"/c","source":"/y","type":"bind"}]"#;
    let plan = read(&config("", "", mounts)).unwrap();
    let kinds: Vec<_> = plan.mounts.iter().map(|m| m.kind.clone()).collect();
    let bind = |recursive| MountKind::Bind { recursive };
    assert_eq!(kinds, [MountKind::Filesystem("proc".into()), MountKind::Cgroup, bind(true), bind(false)]);
    assert_eq!(plan.mounts[2].source, Path::new("/bundle/x"));
    assert_eq!(plan.mounts[3].source, Path::new("/y"));
}

#[test]
fn what_cannot_be_done_is_refused_by_name() {
    for (process, linux, top, word) in [
        (r#","selinuxLabel":"x""#, "", "", "selinuxLabel"),
        ("", r#","mountLabel":"x""#, "", "mountLabel"),
        ("", r#","uidMappings":[{"containerID":0,"hostID":0,"size":1}]"#, "", "user namespace"),
        ("", r#","rootfsPropagation":"x""#, "", "rootfsPropagation"),
        ("", r#","cgroupsPath":"a:b:c""#, "", "cgroupsPath"),
        ("", r#","sysctl":{"kernel.panic":"1"}"#, "", "kernel.panic"),
        ("", r#","sysctl":{"net.core.somaxconn":"1"}"#, "", "net.core.somaxconn"),
        ("", r#","timeOffsets":{"boottime":{"secs":1}}"#, "", "time namespace"),
        ("", "", r#","mounts":[{"destination":"/x","type":"tmpfs","options":["idmap"]}]"#, "idmapped"),
        (r#","scheduler":{"policy":"SCHED_ISO"}"#, "", "", "SCHED_ISO"),
        (r#","ioPriority":{"class":"IOPRIO_CLASS_BE","priority":9}"#, "", "", "ioPriority"),
        ("", "", r#","mounts":[{"destination":"/x"}]"#, "/x"),
        ("", r#","devices":[{"path":"x","type":"c"}]"#, "", "device"),
    ] {
        let error = read(&config(process, linux, top)).unwrap_err();
        assert_eq!(error.stage, "config");
        assert!(error.message.contains(word), "{word}: {}", error.message);
    }
    let user = config("", "", "").replace(r#""type":"uts""#, r#""type":"user""#);
    assert_eq!(read(&user).unwrap_err().message, "user namespaces enabled, but no uid mapping found");
    let host = config("", "", "").replace(r#"{"type":"mount"},"#, "");
    assert!(read(&host).unwrap_err().message.contains("mount namespace"));
    let no_args = config("", "", "").replace(r#"["/bin/true"]"#, "[]");
    assert_eq!(read(&no_args).unwrap_err().message, "process.args is empty");
}
