//! The configuration as a whole, held by a snapshot, and its smaller functions by tables.

use super::resources::swap;
use super::*;
use crate::container::{MountPoint, MountSource, NetworkMode, Propagation, ReadOnly, Resources, seccomp};
use sampan_spec::oci::LinuxNamespaceType;

#[test]
fn variables_are_replaced_appended_and_removed() {
    let base = || vec!["A=1".to_owned(), "B=2".to_owned()];
    let check = |changes: &[&str], want: &[&str]| {
        let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
        assert_eq!(replace_variables(base(), &changes), want, "{changes:?}");
    };
    check(&[], &["A=1", "B=2"]);
    check(&["B=3", "C=4"], &["A=1", "B=3", "C=4"]);
    check(&["A", "X"], &["B=2"]);
    check(&["A="], &["A=", "B=2"]);
}

#[test]
fn swap_is_twice_the_memory() {
    let limits = |memory, memory_swap| Resources { memory, memory_swap, ..Resources::default() };
    assert_eq!(swap(&limits(Some(64), None)), Some(128));
    assert_eq!(swap(&limits(Some(64), Some(-1))), Some(-1));
    assert_eq!(swap(&limits(None, None)), None);
}

/// Without what is long and tested elsewhere.
fn readable(spec: &Spec) -> String {
    let mut value = serde_json::to_value(spec).unwrap();
    value["linux"].as_object_mut().unwrap().remove("seccomp");
    serde_json::to_string_pretty(&value).unwrap()
}

fn container(config: super::super::Config) -> Container {
    Container {
        id: sampan_spec::ContainerId::from_bytes([0xab; 32]),
        name: "web".into(),
        created: sampan_spec::Timestamp::UNIX_EPOCH,
        image: sampan_spec::Digest::from_sha256([1; 32]),
        config,
        revision: 0,
        mounts: vec![
            point("/v", ReadOnly::Tree, bind("/srv", Propagation::RPrivate)),
            point("/v/deeper/shared", ReadOnly::No, bind("/mnt", Propagation::RShared)),
            point("/etc", ReadOnly::Top, bind("/opt/etc", Propagation::Private)),
            point(
                "/data",
                ReadOnly::No,
                MountSource::Volume { name: "vol".into(), anonymous: false, subpath: "a/b".into() },
            ),
        ],
    }
}

fn point(destination: &str, read_only: ReadOnly, source: MountSource) -> MountPoint {
    MountPoint { destination: destination.into(), mode: String::new(), read_only, source }
}

fn bind(path: &str, propagation: Propagation) -> MountSource {
    MountSource::Bind { path: path.into(), recursive: true, propagation, create: true }
}

#[test]
fn the_users_mounts_take_the_place_of_the_engines() {
    let of = |tmpfs: &[(&str, &str)]| {
        let mut config = super::super::Config::default();
        config.host.tmpfs = tmpfs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let spec = build_for(config);
        let mounts = spec.mounts.clone().unwrap();
        mounts
            .iter()
            .map(|m| format!("{} {}", m.destination.display(), m.typ.clone().unwrap()))
            .collect::<Vec<_>>()
    };
    let shown = of(&[("/dev/shm/", "size=1m"), ("/etc/hosts", "")]);
    let count = |place: &str| shown.iter().filter(|line| line.starts_with(&format!("{place} "))).count();
    assert_eq!((count("/dev/shm"), count("/etc/hosts"), count("/dev/pts")), (1, 1, 1), "{shown:?}");
    let place = |line: &str| shown.iter().position(|other| other == line).unwrap();
    assert!(
        place("/etc bind") < place("/etc/hosts tmpfs") && place("/etc bind") < place("/etc/resolv.conf bind")
    );
    let shown = of(&[("/dev", "")]);
    assert!(shown.iter().filter(|line| line.starts_with("/dev")).eq(["/dev tmpfs"]), "{shown:?}");
}

fn build_for(config: super::super::Config) -> Spec {
    let host = Host {
        seccomp: seccomp::Host { architecture: "amd64", kernel: (6, 1) },
        cgroups: "/sampan".into(),
        limits: crate::host::Limits { swap: true, ..Default::default() },
    };
    let user = User { uid: 33, gid: 34, groups: vec![44], home: "/var/www".into() };
    let found = Found {
        user,
        devices: Devices::default(),
        peers: Peers { pid: Some(7), ipc: Some(8), network: Some(9) },
        links: vec!["DB_NAME=/x/db".into()],
        hostname: "abababababab".into(),
        names: "/run/sampan/containers/x".into(),
    };
    build(&Context {
        found: &found,
        init: Path::new("/usr/bin/sampan-runtime"),
        container: &container(config),
        host: &host,
        volumes: Path::new("/var/lib/sampan/volumes"),
    })
}

#[test]
fn the_whole_configuration() {
    let resources = Resources {
        memory: Some(64 << 20),
        memory_swap: None,
        nano_cpus: Some(500_000_000),
        pids: Some(10),
        ..Resources::default()
    };
    let config = super::super::Config {
        cmd: Some(vec!["sh".into(), "-c".into(), "true".into()]),
        env: vec!["A=1".into()],
        user: "www-data".into(),
        host: super::super::HostConfig {
            tmpfs: [("/tmp".to_owned(), "size=1m,exec".to_owned())].into(),
            resources,
            ..Default::default()
        },
        ..Default::default()
    };
    insta::assert_snapshot!(readable(&build_for(config)));
}

#[test]
fn the_hosts_network_is_shared_and_left_alone() {
    let host = super::super::HostConfig { network: NetworkMode::Host, ..Default::default() };
    let spec = build_for(super::super::Config { cmd: Some(vec!["true".into()]), host, ..Default::default() });
    let linux = spec.linux.as_ref().unwrap();
    assert!(linux.sysctl.is_none());
    let kinds: Vec<_> = linux.namespaces.iter().flatten().map(|n| n.typ).collect();
    assert!(!kinds.contains(&LinuxNamespaceType::Network) && kinds.contains(&LinuxNamespaceType::Pid));
}
