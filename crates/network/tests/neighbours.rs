//! Others on the same host: their firewalls, their reloads, and other daemons of ours.

mod common;

use common::{Host, Space, ask, isolated, output, tcp_mapping as mapping};
use rustix::pipe::pipe;
use sampan_network::firewall::Obstacle;
use sampan_network::{BridgeConfig, Firewall, PortMapping, ensure_bridge, firewall, sweep};
use std::collections::BTreeSet;
use std::io::Write;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

const ANY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

#[test]
fn packets_pass_where_iptables_drops_by_policy() {
    isolated(|| {
        for script in [
            "iptables -P FORWARD DROP",
            "iptables -P FORWARD DROP; iptables -N DOCKER-USER; iptables -A DOCKER-USER -j RETURN; \
             iptables -A FORWARD -j DOCKER-USER",
        ] {
            output("nft", &["flush", "ruleset"]);
            output("sh", &["-ec", script]);
            let host = Host::new();
            let (server, client) = (host.container(2), host.container(3));
            server.serve(80);
            let published = PortMapping { container_ip: server.address, ..mapping(ANY, 8080) };
            firewall::publish(&host.firewall, &server.id, &[published]).unwrap();
            let gateway = host.bridge.gateway.address();
            assert!(client.space.run(move || ask(gateway, 8080)).is_some(), "{script}");

            let chain = if script.contains("USER") { "DOCKER-USER" } else { "FORWARD" };
            let rules = output("iptables", &["-S", chain]);
            let ours = format!("-A {chain} -m mark --mark 0x8000000/0x8000000");
            assert_eq!(rules.matches(&ours).count(), 1, "{rules}");
            firewall::ensure(&host.firewall).unwrap();
            assert_eq!(output("iptables", &["-S", chain]), rules, "once is enough");
            firewall::remove(&host.firewall).unwrap();
            assert!(!output("iptables", &["-S"]).contains("0x8000000"));
            sweep(&host.firewall, "sampan0", &BTreeSet::new()).unwrap();
        }
    });
}

#[test]
fn packets_pass_where_firewalld_rejects() {
    isolated(|| {
        let table = "table inet firewalld { chain filter_FORWARD { type filter hook forward priority filter + 10; \
                     ct status dnat accept; reject with icmpx admin-prohibited; }; }";
        output("nft", &[table]);
        let host = Host::new();
        let container = host.container(2);
        let outside = common::outside();
        let listener = outside.run(|| std::net::TcpListener::bind((ANY, 80)).unwrap());
        let connected = container.space.run(|| std::net::TcpStream::connect((common::MACHINE, 80)).is_ok());
        assert!(connected, "{}", output("nft", &["list", "ruleset"]));
        drop(listener);
    });
}

#[test]
fn a_table_that_somebody_owns_is_reported() {
    isolated(|| {
        let mut owner =
            Command::new("nft").arg("-i").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut input = owner.stdin.take().unwrap();
        let table = "add table inet firewalld { flags owner; }; add chain inet firewalld filter_FORWARD \
                     { type filter hook forward priority 10; }\n";
        input.write_all(table.as_bytes()).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while !output("nft", &["list", "chains"]).contains("filter_FORWARD") {
            assert!(Instant::now() < deadline);
        }
        let host = Host::new();
        assert_eq!(firewall::ensure(&host.firewall).unwrap(), [Obstacle::Firewalld]);
        drop(input);
        owner.wait().unwrap();
    });
}

#[test]
fn what_a_reload_removes_comes_back() {
    isolated(|| {
        let host = Host::new();
        let (reader, writer) = pipe().unwrap();
        let (lost, losses) = channel();
        let watched = host.firewall.clone();
        let watching = Space::new();
        // A thread of this name space, like the daemon's.
        let netns = rustix::fs::open(
            "/proc/thread-self/ns/net",
            rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC,
            rustix::fs::Mode::empty(),
        )
        .unwrap();
        let (ready, is_ready) = channel();
        let watcher = std::thread::spawn(move || {
            watching.run(move || {
                sampan_sys::process::join(netns, sampan_sys::process::Namespaces::NETWORK).unwrap();
                ready.send(()).unwrap();
                let mut tries = 0;
                firewall::watch(&watched, reader.as_fd(), || {
                    tries += 1;
                    if tries == 1 {
                        // As when somebody's reload is still going on; the table may be there by then.
                        firewall::ensure(&watched)?;
                        return Err(sampan_network::Error::NoFreeSubnet);
                    }
                    firewall::ensure(&watched)?;
                    lost.send(()).unwrap();
                    Ok(())
                })
                .unwrap();
            });
        });
        is_ready.recv().unwrap();
        let until = |what: &str, condition: &dyn Fn() -> bool| {
            let deadline = Instant::now() + Duration::from_secs(10);
            while !condition() {
                assert!(Instant::now() < deadline, "{what}");
                std::thread::yield_now();
            }
        };
        // The watcher looks once it listens: it may do so after this.
        output("nft", &["flush", "ruleset"]);
        // The first try fails, and nothing else changes: the second comes by itself.
        losses.recv_timeout(Duration::from_secs(10)).unwrap();
        assert!(output("nft", &["list", "ruleset"]).contains("table inet sampan"));
        output("iptables", &["-P", "FORWARD", "DROP"]);
        until("policy", &|| output("iptables", &["-S", "FORWARD"]).contains("0x8000000"));
        output("iptables", &["-F", "FORWARD"]);
        until("flush", &|| output("iptables", &["-S", "FORWARD"]).contains("0x8000000"));
        output("ip", &["link", "add", "docker0", "type", "bridge"]);
        until("bridge", &|| {
            output("nft", &["list", "set", "inet", "sampan", "neighbours"]).contains("docker0")
        });
        drop(writer);
        watcher.join().unwrap();
    });
}

#[test]
fn daemons_side_by_side_do_not_collide() {
    isolated(|| {
        let host = Host::new();
        let bridge = ensure_bridge(&BridgeConfig { name: "test1".to_owned(), gateway: None }).unwrap();
        let network = firewall::Network {
            bridge: bridge.name.clone(),
            subnet: bridge.gateway.network(),
            icc: true,
            masquerade: true,
        };
        let other = Firewall { table: firewall::table_name("test1"), networks: vec![network] };
        firewall::ensure(&other).unwrap();
        let second = Host { bridge, firewall: other };
        let (a, b) = (host.container(2), second.container(3));
        a.serve(80);
        b.serve(80);
        for (host, container, port) in [(&host, &a, 8080), (&second, &b, 8081)] {
            let published = PortMapping { container_ip: container.address, ..mapping(ANY, port) };
            firewall::publish(&host.firewall, &container.id, &[published]).unwrap();
        }
        let (to_a, to_b) = (host.bridge.gateway.address(), second.bridge.gateway.address());
        assert!(b.space.run(move || ask(to_a, 8080)).is_some());
        assert!(a.space.run(move || ask(to_b, 8081)).is_some());
        let direct = b.address;
        assert_eq!(a.space.run(move || ask(direct, 80)), None, "unpublished");
        firewall::remove(&second.firewall).unwrap();
        assert!(b.space.run(move || ask(to_a, 8080)).is_some());
    });
}
