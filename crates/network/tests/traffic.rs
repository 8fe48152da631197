//! What packets do: between containers, out of the host, and through published ports. Every test is a host of its own,
//! in a network name space.

#![allow(clippy::unwrap_used, reason = "a test fails that way")]

mod common;

use common::{Container, HOST, Host, MACHINE, ask, isolated, net, outside, outside_at};
use sampan_network::{PortMapping, Protocol, firewall};
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

const LOCALHOST: Ipv4Addr = Ipv4Addr::LOCALHOST;
const ANY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
fn tcp(host_ip: Ipv4Addr, host_port: u16, to: &Container, container_port: u16) -> PortMapping {
    PortMapping {
        proto: Protocol::Tcp,
        host_ip: host_ip.into(),
        host_port,
        container_ip: to.address,
        container_port,
    }
}

#[test]
fn containers_reach_each_other_their_host_and_the_outside() {
    isolated(|| {
        let host = Host::new();
        let machine = outside();
        let server = Container { space: machine, id: common::id(99), address: MACHINE };
        server.serve(80);
        let (a, b) = (host.container(2), host.container(3));
        a.serve(80);
        let (address, gateway) = (a.address, host.bridge.gateway.address());
        assert_eq!(ask(address, 80), Some(format!("{address} sees {gateway}")), "from the host");
        assert_eq!(b.space.run(move || ask(address, 80)), Some(format!("{address} sees {}", b.address)));
        assert_eq!(b.space.run(|| ask(MACHINE, 80)), Some(format!("{MACHINE} sees {HOST}")), "masqueraded");
    });
}

#[test]
fn containers_that_may_not_talk_do_not() {
    isolated(|| {
        // Packets between ports of one bridge meet the firewall only with this; without it the kernel bridges them.
        let filtered = std::fs::read_to_string("/proc/sys/net/bridge/bridge-nf-call-iptables");
        if filtered.map_or(true, |value| value.trim() != "1") {
            return;
        }
        let host = Host::with_icc(false);
        let (a, b) = (host.container(2), host.container(3));
        a.serve(80);
        let address = a.address;
        assert_eq!(b.space.run(move || ask(address, 80)), None);
        assert!(ask(address, 80).is_some(), "from the host");
    });
}

#[test]
fn a_published_port_is_reached_from_everywhere() {
    isolated(|| {
        let host = Host::new();
        let machine = outside();
        let (server, other) = (host.container(2), host.container(3));
        server.serve(80);
        let mapping = tcp(ANY, 8080, &server, 80);
        assert_eq!(ask(HOST, 8080), None, "not yet");
        firewall::publish(&host.firewall, &server.id, &[mapping]).unwrap();

        let gateway = host.bridge.gateway.address();
        let sees = |peer: Ipv4Addr| Some(format!("{} sees {peer}", server.address));
        assert_eq!(machine.run(|| ask(HOST, 8080)), sees(MACHINE), "outside");
        assert_eq!(ask(HOST, 8080), sees(HOST), "the host by its address");
        assert_eq!(ask(LOCALHOST, 8080), sees(gateway), "the host by 127.0.0.1");
        assert_eq!(other.space.run(|| ask(HOST, 8080)), sees(gateway), "another container");
        assert_eq!(server.space.run(|| ask(HOST, 8080)), sees(gateway), "itself");
        assert_eq!(server.space.run(move || ask(gateway, 8080)), sees(gateway), "itself by the gateway");

        firewall::unpublish(&host.firewall, &server.id, &[mapping]).unwrap();
        assert_eq!(machine.run(|| ask(HOST, 8080)), None, "no more");
    });
}

#[test]
fn a_port_on_one_address_is_reached_by_that_only() {
    isolated(|| {
        let host = Host::new();
        let machine = outside();
        let (a, b) = (host.container(2), host.container(3));
        a.serve(80);
        b.serve(80);
        let mappings = [tcp(LOCALHOST, 8080, &a, 80), tcp(LOCALHOST, 8081, &a, 80)];
        firewall::publish(&host.firewall, &a.id, &mappings).unwrap();
        firewall::publish(&host.firewall, &b.id, &[tcp(HOST, 8080, &b, 80)]).unwrap();
        let gateway = host.bridge.gateway.address();
        assert_eq!(ask(LOCALHOST, 8080), Some(format!("{} sees {gateway}", a.address)));
        assert_eq!(ask(HOST, 8080), Some(format!("{} sees {HOST}", b.address)));
        assert_eq!(machine.run(|| ask(HOST, 8080)), Some(format!("{} sees {MACHINE}", b.address)));
        assert_eq!(machine.run(|| ask(HOST, 8081)), None, "127.0.0.1 only");
    });
}

#[test]
fn nobody_outside_reaches_loopback_or_unpublished_ports() {
    isolated(|| {
        let host = Host::new();
        let machine = outside();
        let server = host.container(2);
        server.serve(80);
        server.serve(81);
        let mappings = [tcp(LOCALHOST, 8080, &server, 80), tcp(ANY, 8081, &server, 81)];
        firewall::publish(&host.firewall, &server.id, &mappings).unwrap();
        let listener = std::net::TcpListener::bind((LOCALHOST, 7777)).unwrap();
        let address = server.address;
        for space in [&machine, &host.container(3).space] {
            space.run(|| {
                // A neighbour that is up to no good sends to 127.0.0.1 over the wire.
                std::fs::write("/proc/sys/net/ipv4/conf/eth0/route_localnet", "1").unwrap();
                common::output("ip", &["addr", "del", "127.0.0.1/8", "dev", "lo"]);
                let gateway = common::output("ip", &["route", "show", "default"]);
                let gateway = gateway.split(' ').nth(2).unwrap();
                common::output("ip", &["route", "add", "127.0.0.1/32", "via", gateway]);
                assert_eq!(ask(LOCALHOST, 8080), None, "a port published on 127.0.0.1");
                assert_eq!(ask(LOCALHOST, 7777), None, "a service of the host");
            });
        }
        assert_eq!(machine.run(move || ask(address, 80)), None, "routed to the container");
        assert_eq!(machine.run(move || ask(address, 81)), None, "even if it is published otherwise");
        assert!(machine.run(|| ask(HOST, 8081)).is_some(), "but so");
        drop(listener);
    });
}

#[test]
fn datagrams_are_published_too() {
    isolated(|| {
        let host = Host::new();
        let server = host.container(2);
        let socket = server.space.run(|| UdpSocket::bind((ANY, 53)).unwrap());
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mapping = PortMapping { proto: Protocol::Udp, ..tcp(ANY, 5353, &server, 53) };
        firewall::publish(&host.firewall, &server.id, &[mapping]).unwrap();
        let client = UdpSocket::bind((LOCALHOST, 0)).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        client.send_to(b"ping", (LOCALHOST, 5353)).unwrap();
        let mut buffer = [0; 16];
        let (length, from) = socket.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..length], from.ip()), (&b"ping"[..], host.bridge.gateway.address().into()));
        socket.send_to(b"pong", from).unwrap();
        let (length, from) = client.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..length], from), (&b"pong"[..], (LOCALHOST, 5353).into()));
    });
}

#[test]
fn a_client_that_keeps_sending_datagrams_meets_each_change() {
    isolated(|| {
        let host = Host::new();
        let before = UdpSocket::bind((ANY, 5353)).unwrap();
        let client = UdpSocket::bind((LOCALHOST, 0)).unwrap();
        let arrives = |at: &UdpSocket, to: Ipv4Addr| {
            at.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            client.send_to(b"ping", (to, 5353)).unwrap();
            at.recv_from(&mut [0; 16]).is_ok()
        };
        assert!(arrives(&before, LOCALHOST), "the host's own service");
        for n in [2, 3] {
            let server = host.container(n);
            let socket = server.space.run(|| UdpSocket::bind((ANY, 53)).unwrap());
            let mapping = |port| PortMapping { proto: Protocol::Udp, ..tcp(ANY, port, &server, 53) };
            // Alone, and one of many.
            let mappings: Vec<_> =
                (0..if n == 2 { 1 } else { 5000 }).map(|more| mapping(5353 + more)).collect();
            firewall::publish(&host.firewall, &server.id, &mappings).unwrap();
            assert!(arrives(&socket, LOCALHOST), "container {n}");
            firewall::unpublish(&host.firewall, &server.id, &mappings).unwrap();
        }
        assert!(arrives(&before, LOCALHOST), "the host's again");
    });
}

#[test]
fn the_host_does_not_become_a_router() {
    isolated(|| {
        let near = outside();
        let far = outside_at("far0", net("198.51.100.1/24"), net("198.51.100.9/24"));
        let far = Container { space: far, id: common::id(99), address: Ipv4Addr::new(198, 51, 100, 9) };
        far.serve(80);
        let address = far.address;
        let host = Host::new();
        assert_eq!(std::fs::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap().trim(), "1");
        assert_eq!(near.run(move || ask(address, 80)), None, "from one network to another");
        assert!(host.container(2).space.run(move || ask(address, 80)).is_some(), "from a container");

        common::output("nft", &["flush", "ruleset"]);
        assert!(near.run(move || ask(address, 80)).is_some(), "the guard is gone");
        firewall::ensure(&host.firewall).unwrap();
        assert_eq!(near.run(move || ask(address, 80)), None, "and back");

        firewall::remove(&host.firewall).unwrap();
        assert_eq!(std::fs::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap().trim(), "0");
    });
}

#[test]
fn what_others_bridge_stays_bridged() {
    isolated(|| {
        // A bridge with a port that is not virtual, as far as its kind tells: machines on it are in the outside network.
        common::output("ip", &["link", "add", "br0", "type", "bridge"]);
        common::output("ip", &["link", "set", "br0", "up"]);
        common::output("ip", &["link", "add", "uplink0", "type", "ifb"]);
        common::output("ip", &["link", "set", "uplink0", "master", "br0"]);
        let one = outside_at("one0", net("192.0.2.1/24"), net("192.0.2.9/24"));
        let two = outside_at("two0", net("192.0.2.2/24"), net("192.0.2.8/24"));
        for port in ["one0", "two0"] {
            common::output("ip", &["addr", "flush", "dev", port]);
            common::output("ip", &["link", "set", port, "master", "br0"]);
        }
        common::await_carrier("br0");
        let address = Ipv4Addr::new(192, 0, 2, 8);
        let two = Container { space: two, id: common::id(99), address };
        two.serve(80);
        let _host = Host::new();
        assert!(one.run(move || ask(address, 80)).is_some());
    });
}

#[test]
fn a_host_that_was_a_router_stays_one() {
    isolated(|| {
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
        let near = outside();
        let far = outside_at("far0", net("198.51.100.1/24"), net("198.51.100.9/24"));
        let far = Container { space: far, id: common::id(99), address: Ipv4Addr::new(198, 51, 100, 9) };
        far.serve(80);
        let address = far.address;
        let host = Host::new();
        assert!(near.run(move || ask(address, 80)).is_some());
        firewall::remove(&host.firewall).unwrap();
        assert!(near.run(move || ask(address, 80)).is_some());
    });
}
