//! Containers for tests, in every phase.

use sampan_engine::container::{
    Bind, Config, Container, Endpoint, HostConfig, Ipv4Net, MountPoint, MountSource, Phase, PortBinding,
    PortMapping, Propagation, Protocol, ReadOnly, Resources, Snapshot, State,
};
use sampan_spec::bundle::Restart;
use sampan_spec::journal::{Exit, Summary};
use sampan_spec::{ContainerId, Timestamp};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// The moment at which samples are looked at.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(1_000_100).unwrap()
}

/// A container that was made 100 seconds ago, has run since 70 and (if it has ended) ended 10 seconds ago.
pub(crate) fn container(name: &str, phase: Phase) -> Snapshot {
    let ended = matches!(phase, Phase::Exited(_) | Phase::Restarting);
    let time = |second| Some(Timestamp::from_second(second).unwrap());
    let summary = Summary {
        started: if phase == Phase::Created { None } else { time(1_000_030) },
        finished: if ended { time(1_000_090) } else { None },
        exit: match phase {
            Phase::Exited(exit) => Some(exit),
            Phase::Restarting => Some(exit(1)),
            _ => None,
        },
        ..Summary::default()
    };
    let container = Container {
        id: ContainerId::from_bytes([name.as_bytes()[0]; 32]),
        name: name.into(),
        created: Timestamp::from_second(1_000_000).unwrap(),
        image: format!("sha256:{}", "0a".repeat(32)).parse().unwrap(),
        config: config(),
        revision: 0,
        mounts: vec![MountPoint {
            destination: "/b".into(),
            mode: "ro".into(),
            read_only: ReadOnly::Tree,
            source: MountSource::Bind {
                path: "/a".into(),
                recursive: true,
                propagation: Propagation::default(),
                create: true,
            },
        }],
    };
    let endpoint = Endpoint {
        id: "e".repeat(64),
        bridge: "sampan0".into(),
        address: Ipv4Net::new(Ipv4Addr::new(10, 0, 0, 2), 24).unwrap(),
        gateway: Ipv4Addr::new(10, 0, 0, 1),
        mac: None,
        ports: vec![PortMapping {
            proto: Protocol::Tcp,
            host_ip: Ipv4Addr::LOCALHOST.into(),
            host_port: 8080,
            container_ip: Ipv4Addr::new(10, 0, 0, 2),
            container_port: 80,
        }],
    };
    Snapshot {
        container: Arc::new(container),
        state: State { phase, summary, endpoint: Some(endpoint) },
        log: "/log".into(),
        bundle: "/bundle".into(),
        volumes: "/volumes".into(),
        network: "d".repeat(64),
    }
}

/// An end with this code.
pub(crate) fn exit(code: i32) -> Exit {
    Exit { code, signal: None, oom: false }
}

fn config() -> Config {
    let port = |text: &str| text.parse().unwrap();
    Config {
        image: "i:1".into(),
        cmd: Some(["sh", "-c", "a b"].map(str::to_owned).to_vec()),
        labels: [("k".to_owned(), "v".to_owned())].into(),
        exposed_ports: ["80/tcp".into(), "81/udp".into()].into(),
        host: HostConfig {
            binds: vec![Bind { source: "/a".into(), destination: "/b".into(), options: vec!["ro".into()] }],
            ports: [(port("80/tcp"), vec![PortBinding { address: None, ports: Some((8080, 8090)) }])].into(),
            restart: Restart::OnFailure { max_retries: 2 },
            resources: Resources { memory: Some(5), pids: Some(6), ..Resources::default() },
            ..HostConfig::default()
        },
        ..Config::default()
    }
}
