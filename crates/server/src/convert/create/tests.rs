//! Create bodies: what they become, and what Docker says of bad ones.

use super::*;
use proptest::prelude::*;
use sampan_engine::container::{Bind, NetworkMode, PortBinding};
use sampan_spec::ErrorKind;
use sampan_spec::bundle::Restart;
use serde_json::json;

fn read(mut body: Value) -> Result<Config, Error> {
    sampan_api::json::drop_nulls(&mut body);
    config(body, 2)
}

fn refused(body: Value) -> (ErrorKind, String) {
    let error = read(body).unwrap_err();
    (error.kind(), error.to_string())
}

#[test]
fn a_body_becomes_a_configuration() {
    let config = read(json!({
        "Image": "i", "Cmd": "one", "Env": ["A=b", "C"], "Tty": true, "Labels": null, "Hostname": "h",
        "ExposedPorts": {"80/tcp": {}, "99999/tcp": {}}, "StopTimeout": 3,
        "HostConfig": {
            "Binds": ["/a:/b/:ro,rshared"], "Memory": 67_108_864, "NanoCpus": 500_000_000, "PidsLimit": 64,
            "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}], "81": null},
            "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}, "NetworkMode": "default",
            "ConsoleSize": [24, 80], "AutoRemove": false, "LogConfig": {"Type": ""},
        },
        "NetworkingConfig": {"EndpointsConfig": {"default": {"IPAMConfig": null, "Links": null, "MacAddress": ""}}},
    }))
    .unwrap();
    assert_eq!(config.cmd.as_deref(), Some(&["one".to_owned()][..]));
    let exposed: Vec<String> = config.exposed_ports.iter().map(ToString::to_string).collect();
    assert_eq!(exposed, ["80/tcp", "99999/tcp"]);
    assert_eq!((config.tty, config.stop_timeout, config.env.len()), (true, Some(3), 2));
    let host = config.host;
    let bind =
        Bind { source: "/a".into(), destination: "/b/".into(), options: vec!["ro".into(), "rshared".into()] };
    assert_eq!(host.binds, [bind]);
    assert_eq!(host.resources.memory_swap, Some(134_217_728));
    assert_eq!((host.resources.pids, host.resources.nano_cpus), (Some(64), Some(500_000_000)));
    assert_eq!(host.restart, Restart::OnFailure { max_retries: 3 });
    assert_eq!((host.console_size, host.log.driver.as_str()), ((24, 80), ""));
    assert_eq!(host.ports[&"80/tcp".parse().unwrap()][0].ports, Some((8080, 8080)));
    assert_eq!(host.ports[&"81/tcp".parse().unwrap()], [PortBinding::default()]);
}

#[test]
fn bad_values_are_refused_as_docker_does() {
    let host = |host: Value| json!({"Image": "i", "HostConfig": host});
    for (body, text) in [
        (host(json!({"Binds": ["/a:/b:ro:x"]})), "invalid volume specification: '/a:/b:ro:x'"),
        (json!({}), "config cannot be empty in order to create a container"),
        (json!(null), "config cannot be empty in order to create a container"),
        (
            host(json!({"RestartPolicy": {"Name": "sometimes"}})),
            "invalid restart policy: unknown policy 'sometimes'; use one of 'no', 'always', 'on-failure', or \
             'unless-stopped'",
        ),
        (
            host(json!({"RestartPolicy": {"Name": "always", "MaximumRetryCount": 2}})),
            "invalid restart policy: maximum retry count can only be used with 'on-failure'",
        ),
        (
            host(json!({"AutoRemove": true, "RestartPolicy": {"Name": "always"}})),
            "can't create 'AutoRemove' container with restart policy",
        ),
        (
            host(json!({"NanoCpus": 3_000_000_000_i64})),
            "range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available",
        ),
        (
            host(json!({"MemorySwap": 1})),
            "You should always set the Memory limit when using Memoryswap limit, see usage",
        ),
        (host(json!({"PortBindings": {"http/tcp": []}})), "invalid port specification: \"http\""),
        (host(json!({"PortBindings": {"80/tcp": [{"HostPort": "x"}]}})), "invalid port specification: \"x\""),
        (
            host(json!({"PortBindings": {"80/tcp": [{"HostPort": "9-8"}]}})),
            "invalid port specification: \"9-8\"",
        ),
        (json!({"Env": ["=x"]}), "invalid environment variable: =x"),
    ] {
        assert_eq!(refused(body), (ErrorKind::InvalidParameter, text.to_owned()));
    }
}

#[test]
fn wishes_for_the_networks_of_users_are_refused_as_docker_does() {
    let bridge = |endpoint: Value| json!({"NetworkingConfig": {"EndpointsConfig": {"bridge": endpoint}}});
    let only = "* user specified IP address is supported on user defined networks only";
    let subnets = "* user specified IP address is supported only when connecting to networks with user configured subnets";
    let alias = "network-scoped alias is supported only for containers in user defined networks";
    let settings = "invalid config for network bridge: invalid endpoint settings:";
    for (body, text) in [
        (
            bridge(json!({"IPAMConfig": {"IPv4Address": "10.0.0.5"}})),
            format!("{settings}\n{only}\n{subnets}"),
        ),
        (
            bridge(json!({"IPAMConfig": {"IPv4Address": "x"}})),
            format!("{settings}\n{only}\n* invalid IPv4 address: x\n{subnets}"),
        ),
        (bridge(json!({"Aliases": ["a"]})), format!("{settings}\n{alias}")),
        (
            bridge(json!({"MacAddress": "zz"})),
            "invalid config for network bridge: invalid MAC address zz".into(),
        ),
        (
            json!({"MacAddress": "xx", "HostConfig": {"NetworkMode": "none"}}),
            "invalid config for network none: invalid MAC address xx".into(),
        ),
        (json!({"HostConfig": {"ExtraHosts": ["x"]}}), "bad format for add-host: \"x\"".into()),
        (
            json!({"HostConfig": {"Dns": ["zz"]}}),
            "bad nameserver address zz: ParseAddr(\"zz\"): unable to parse IP".into(),
        ),
    ] {
        assert_eq!(refused(body), (ErrorKind::InvalidParameter, text));
    }
}

#[test]
fn names_and_networks_are_read() {
    let host = read(json!({
        "HostConfig": {"Dns": ["9.9.9.9"], "DnsSearch": ["a b"], "ExtraHosts": ["x:host-gateway"]},
        "NetworkingConfig": {"EndpointsConfig": {"default": {"MacAddress": "02-11-22-33-44-55", "IPAMConfig": {}}}},
    }))
    .unwrap()
    .host;
    assert_eq!((host.dns.servers[0].to_string().as_str(), host.dns.search.len()), ("9.9.9.9", 2));
    assert_eq!(host.extra_hosts[0].to_string(), "x:host-gateway");
    assert_eq!(
        (host.network, host.mac.unwrap().to_string().as_str()),
        (NetworkMode::Bridge, "02:11:22:33:44:55")
    );
    let named = read(json!({"NetworkingConfig": {"EndpointsConfig": {"nope": {"Aliases": ["a"]}}}})).unwrap();
    assert_eq!(named.host.network, NetworkMode::Named("nope".into()));
}

#[test]
fn what_cannot_be_done_is_named() {
    for (body, kind, text) in [
        (
            json!({"NetworkingConfig": {"EndpointsConfig": {"bridge": {}, "nope": {}}}}),
            ErrorKind::NotImplemented,
            "NetworkingConfig.EndpointsConfig with more than one network is not supported by this version of Sampan",
        ),
        (
            json!({"NetworkingConfig": {"EndpointsConfig": {"host": {}}}}),
            ErrorKind::NotImplemented,
            "NetworkingConfig.EndpointsConfig.host is not supported by this version of Sampan",
        ),
        (
            json!({"NetworkingConfig": {"EndpointsConfig": {"bridge": {"DriverOpts": {"a": "b"}}}}}),
            ErrorKind::NotImplemented,
            "NetworkingConfig.EndpointsConfig.*.DriverOpts is not supported by this version of Sampan",
        ),
    ] {
        assert_eq!(refused(body), (kind, text.to_owned()));
    }
    let (kind, text) = refused(json!({"HostConfig": {"Memory": "much"}}));
    assert_eq!(kind, ErrorKind::InvalidParameter);
    assert!(text.starts_with("invalid JSON: invalid type: string \"much\""), "{text}");
}

/// Any JSON of a small size.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z/:,0-9-]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        let names = prop_oneof![
            Just("HostConfig"),
            Just("Binds"),
            Just("PortBindings"),
            Just("80/tcp"),
            Just("Cmd"),
            Just("Env"),
            Just("Labels"),
            Just("RestartPolicy"),
            Just("NetworkingConfig"),
            Just("EndpointsConfig"),
            Just("Healthcheck"),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(names, inner, 0..4).prop_map(|members| members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    })
}

proptest! {
    #[test]
    fn garbage_is_refused_or_read(body in any_json()) {
        let _ = read(body);
    }
}
