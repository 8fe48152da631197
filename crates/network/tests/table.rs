//! What is in the kernel afterwards, as `nft`, `iptables` and `ip` show it, and that others' rules and ours get along.

mod common;

use common::{Host, Space, ask, id, isolated, net, output, tcp_mapping as mapping};
use sampan_network::{
    BridgeConfig, Error, Mac, PortMapping, attach, detach, endpoint, ensure_bridge, firewall, refuse_taken,
    remove_bridge, sweep,
};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

const ANY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

/// Brings white space to one form.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

const RULES: &str = r#"
    chain to-container {
        dnat ip to ip daddr . meta l4proto . th dport map @published-at
        meta nfproto ipv4 dnat ip to meta l4proto . th dport map @published
    }
    chain inward {
        ct state established,related goto pass
        ct status dnat goto pass
        iifname . oifname @talking goto pass
        drop
    }
    chain pass {
        meta mark set meta mark | 0x08000000 accept
    }
    chain raw {
        type filter hook prerouting priority raw; policy accept;
        iifname != "lo" ip daddr 127.0.0.0/8 drop
    }
    chain prerouting {
        type nat hook prerouting priority dstnat; policy accept;
        fib daddr type local jump to-container
    }
    chain output {
        type nat hook output priority -100; policy accept;
        fib daddr type local jump to-container
    }
    chain forward {
        type filter hook forward priority filter - 10; policy accept;
        oifname @bridges goto inward
        iifname @bridges goto pass
    }
    chain postrouting {
        type nat hook postrouting priority srcnat; policy accept;
        oifname @bridges ip saddr 127.0.0.0/8 masquerade
        oifname @bridges ip saddr @subnets ct status dnat masquerade
        oifname != @bridges ip saddr @subnets masquerade
    }
    chain guard {
        type filter hook forward priority filter - 5; policy accept;
        meta mark & 0x08000000 == 0x08000000 accept
        iifname @neighbours accept
        oifname @neighbours accept
        iifname . oifname @bridged accept
        meta nfproto ipv4 counter packets 0 bytes 0 drop
    }
}"#;

#[test]
fn nft_lists_the_table_as_it_is_meant() {
    isolated(|| {
        let host = Host::new();
        firewall::publish(&host.firewall, &id(2), &[mapping(ANY, 8080), mapping(Ipv4Addr::LOCALHOST, 53)])
            .unwrap();
        let listed = squeezed(&output("nft", &["list", "table", "inet", "sampan"]));
        let name = id(2);
        for expected in [
            "set bridges { type ifname elements = { \"sampan0\" } }".to_owned(),
            "set talking { type ifname . ifname elements = { \"sampan0\" . \"sampan0\" } }".to_owned(),
            "set subnets { type ipv4_addr flags interval elements = { 172.18.0.0/16 } }".to_owned(),
            "set neighbours { type ifname }".to_owned(),
            format!(
                "map published {{ type inet_proto . inet_service : ipv4_addr . inet_service \
                 elements = {{ tcp . 8080 comment \"{name}\" : 172.18.0.2 . 80 }} }}"
            ),
            format!(
                "map published-at {{ type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service \
                 elements = {{ 127.0.0.1 . tcp . 53 comment \"{name}\" : 172.18.0.2 . 80 }} }}"
            ),
            squeezed(RULES),
        ] {
            assert!(listed.contains(&expected), "{expected}\nis not in\n{listed}");
        }
        // What nft prints it can read again.
        let json = output("nft", &["-j", "list", "table", "inet", "sampan"]);
        assert!(json.contains(r#""type": ["ipv4_addr", "inet_proto", "inet_service"]"#), "{json}");
    });
}

#[test]
fn everything_can_be_done_twice() {
    isolated(|| {
        let host = Host::new();
        let ports = [mapping(ANY, 8080), mapping(Ipv4Addr::LOCALHOST, 8081)];
        firewall::publish(&host.firewall, &id(2), &ports).unwrap();
        let before = output("nft", &["list", "ruleset"]);
        firewall::publish(&host.firewall, &id(2), &ports).unwrap();
        assert_eq!(firewall::ensure(&host.firewall).unwrap(), vec![]);
        assert_eq!(output("nft", &["list", "ruleset"]), before);
        let again = ensure_bridge(&BridgeConfig { name: "sampan0".to_owned(), gateway: None }).unwrap();
        assert_eq!(again, host.bridge);
        firewall::unpublish(&host.firewall, &id(2), &ports[..1]).unwrap();
        firewall::unpublish(&host.firewall, &id(2), &ports).unwrap();
        assert_eq!(firewall::owners(&host.firewall).unwrap(), BTreeSet::new());
    });
}

#[test]
fn what_another_container_left_at_a_port_is_replaced() {
    isolated(|| {
        let host = Host::new();
        let local = mapping(Ipv4Addr::LOCALHOST, 8080);
        firewall::publish(&host.firewall, &id(2), &[mapping(ANY, 8080), mapping(ANY, 8081), local]).unwrap();
        let container_ip = Ipv4Addr::new(172, 18, 0, 3);
        let moved =
            [PortMapping { container_ip, ..mapping(ANY, 8080) }, PortMapping { container_ip, ..local }];
        firewall::publish(&host.firewall, &id(3), &moved).unwrap();
        let listed = output("nft", &["list", "table", "inet", "sampan"]);
        for expected in ["8080 comment \"0303", "8081 comment \"0202", "172.18.0.3 . 80"] {
            assert!(listed.contains(expected), "{expected} is not in {listed}");
        }
        assert_eq!(firewall::owners(&host.firewall).unwrap(), BTreeSet::from([id(2), id(3)]));
    });
}

#[test]
fn a_table_of_another_version_is_replaced() {
    isolated(|| {
        output("nft", &["add table inet sampan; add map inet sampan published { type mark : mark; }"]);
        let host = Host::new();
        firewall::publish(&host.firewall, &id(2), &[mapping(ANY, 8080)]).unwrap();
        assert_eq!(firewall::owners(&host.firewall).unwrap(), BTreeSet::from([id(2)]));
    });
}

#[test]
fn the_bridge_is_made_changed_and_removed() {
    isolated(|| {
        let config = |gateway| BridgeConfig { name: "test0".to_owned(), gateway };
        let bridge = ensure_bridge(&config(None)).unwrap();
        assert_eq!(bridge.gateway, net("172.18.0.1/16"));
        let bridge = ensure_bridge(&config(Some(net("10.7.0.1/24")))).unwrap();
        assert_eq!(bridge.gateway, net("10.7.0.1/24"));
        let shown = output("ip", &["-4", "-o", "addr", "show", "test0"]);
        assert!(shown.contains("10.7.0.1/24 brd 10.7.0.255") && !shown.contains("172.18"), "{shown}");
        assert_eq!(ensure_bridge(&config(None)).unwrap(), bridge);
        let other = ensure_bridge(&BridgeConfig { name: "test1".to_owned(), gateway: None }).unwrap();
        assert_eq!(other.gateway, net("172.18.0.1/16"));
        remove_bridge("test0").unwrap();
        remove_bridge("test0").unwrap();
        assert!(matches!(
            ensure_bridge(&BridgeConfig { name: "lo".to_owned(), gateway: None }),
            Err(Error::NotABridge { .. })
        ));
    });
}

#[test]
fn ways_to_others_keep_a_subnet_from_a_bridge() {
    isolated(|| {
        let route = |to: &str| output("ip", &["route", "add", to, "dev", "lo"]);
        // As VPNs do to take all traffic.
        ["0.0.0.0/1", "128.0.0.0/1"].into_iter().for_each(|half| drop(route(half)));
        let config = |gateway| BridgeConfig { name: "test0".to_owned(), gateway };
        let gateway = net("10.7.0.1/24");
        refuse_taken("test0", gateway).unwrap();
        assert_eq!(ensure_bridge(&config(None)).unwrap().gateway, net("172.18.0.1/16"));
        ensure_bridge(&config(Some(gateway))).unwrap();
        refuse_taken("test0", net("10.8.0.1/24")).unwrap();
        // The longer prefix wins: nobody but the one subnet is taken out of the wide one.
        route("10.0.0.0/8");
        refuse_taken("test1", net("10.8.0.1/24")).unwrap();
        route("10.7.0.128/25");
        refuse_taken("test0", gateway).unwrap();
        route("10.8.0.128/25");
        for (name, gateway) in [("test0", net("10.8.0.1/24")), ("test1", net("10.8.0.1/24"))] {
            let refused = refuse_taken(name, gateway);
            assert!(matches!(refused, Err(Error::SubnetTaken { .. })), "{refused:?}");
        }
    });
}

#[test]
fn a_bridge_of_the_administrator_is_left_as_it_is() {
    isolated(|| {
        output("ip", &["link", "add", "br0", "type", "bridge"]);
        output("ip", &["addr", "add", "10.8.0.1/24", "dev", "br0"]);
        let found = ensure_bridge(&BridgeConfig { name: "br0".to_owned(), gateway: None }).unwrap();
        assert_eq!(found.gateway, net("10.8.0.1/24"));
        ensure_bridge(&BridgeConfig { name: "br0".to_owned(), gateway: Some(net("10.9.0.1/24")) }).unwrap();
        let shown = output("ip", &["-4", "-o", "addr", "show", "br0"]);
        assert!(shown.contains("10.8.0.1/24") && shown.contains("10.9.0.1/24"), "{shown}");
        remove_bridge("br0").unwrap();
        output("ip", &["link", "show", "br0"]);
    });
}

#[test]
fn a_container_has_its_link_address_and_route() {
    isolated(|| {
        let host = Host::new();
        let container = host.container(2);
        let shown = output("ip", &["-d", "link", "show", &endpoint::host_name(&container.id)]);
        for expected in [container.id.as_str(), "master sampan0", "hairpin on", "state UP"] {
            assert!(shown.contains(expected), "{expected} is not in {shown}");
        }
        let inside = container.space.run(|| output("ip", &["addr", "show", "eth0"]));
        for expected in ["02:42:ac:12:00:02", "inet 172.18.0.2/16 brd 172.18.255.255", "state UP"] {
            assert!(inside.contains(expected), "{expected} is not in {inside}");
        }
        assert!(!inside.contains("inet6"), "{inside}");
        let route = container.space.run(|| output("ip", &["route"]));
        assert!(route.contains("default via 172.18.0.1 dev eth0"), "{route}");
        assert_eq!(endpoint::owners("sampan0").unwrap(), BTreeSet::from([id(2)]));
        detach(&container.id).unwrap();
        detach(&container.id).unwrap();
        assert_eq!(endpoint::owners("sampan0").unwrap(), BTreeSet::new());
    });
}

#[test]
fn a_container_that_starts_again_replaces_its_old_link() {
    isolated(|| {
        let host = Host::new();
        let old = host.container(2);
        let new = host.container(2);
        assert!(old.space.run(|| !output("ip", &["link"]).contains("eth0")));
        new.serve(80);
        assert!(ask(new.address, 80).is_some());
    });
}

#[test]
fn an_address_reaches_its_new_owner_at_once() {
    isolated(|| {
        let host = Host::new();
        let old = host.container(2);
        old.serve(80);
        assert!(ask(old.address, 80).is_some(), "now the bridge knows where that is");
        let new = host.container_with_id(2, id(7));
        new.serve(81);
        assert!(ask(new.address, 81).is_some());
    });
}

#[test]
fn thousands_of_ports_are_published_at_once() {
    isolated(|| {
        let host = Host::new();
        let ports: Vec<_> = (1..=30_000).map(|port| mapping(ANY, port)).collect();
        let before = Instant::now();
        firewall::publish(&host.firewall, &id(2), &ports).unwrap();
        let published = before.elapsed();
        assert_eq!(firewall::owners(&host.firewall).unwrap(), BTreeSet::from([id(2)]));
        let before = Instant::now();
        firewall::unpublish(&host.firewall, &id(2), &ports).unwrap();
        println!("30,000 ports published in {published:?}, taken back in {:?}", before.elapsed());
        assert_eq!(firewall::owners(&host.firewall).unwrap(), BTreeSet::new());
    });
}

#[test]
fn what_no_container_claims_is_swept_away() {
    isolated(|| {
        let host = Host::new();
        let containers = [host.container(2), host.container(3)];
        for container in &containers {
            let port = 8000 + u16::from(container.address.octets()[3]);
            firewall::publish(&host.firewall, &container.id, &[mapping(ANY, port)]).unwrap();
        }
        firewall::publish(&host.firewall, &id(9), &[mapping(Ipv4Addr::LOCALHOST, 9)]).unwrap();
        let gone = sweep(&host.firewall, "sampan0", &BTreeSet::from([id(3)])).unwrap();
        assert_eq!(gone, BTreeSet::from([id(2), id(9)]));
        assert_eq!(endpoint::owners("sampan0").unwrap(), BTreeSet::from([id(3)]));
        assert_eq!(firewall::owners(&host.firewall).unwrap(), BTreeSet::from([id(3)]));
    });
}

#[test]
fn a_bridge_that_was_removed_gets_its_links_back() {
    isolated(|| {
        let mut host = Host::new();
        let (a, b) = (host.container(2), host.container(3));
        a.serve(80);
        let address = a.address;
        output("ip", &["link", "delete", "sampan0"]);
        assert_eq!(ask(address, 80), None);
        let gateway = Some(host.bridge.gateway);
        let config = BridgeConfig { name: "sampan0".to_owned(), gateway };
        host.bridge = ensure_bridge(&config).unwrap();
        for _ in 0..2 {
            endpoint::rejoin(&a.id, &host.bridge).unwrap();
        }
        endpoint::rejoin(&id(9), &host.bridge).unwrap();
        common::await_carrier("sampan0");
        assert!(ask(address, 80).is_some());
        assert_eq!(endpoint::owners("sampan0").unwrap(), BTreeSet::from([a.id, b.id.clone()]));
        // The other link is on no bridge, and still one of this bridge.
        assert_eq!(endpoint::sweep("sampan1", &BTreeSet::new()).unwrap(), BTreeSet::new());
        assert_eq!(endpoint::sweep("sampan0", &BTreeSet::from([id(2)])).unwrap(), BTreeSet::from([b.id]));
        assert!(!output("ip", &["link"]).contains(&endpoint::host_name(&id(3))));
    });
}

#[test]
fn forwarding_is_switched_off_though_the_table_was_lost() {
    isolated(|| {
        let forwarding = || std::fs::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap();
        Host::new();
        assert_eq!(forwarding().trim(), "1");
        output("nft", &["flush", "ruleset"]);
        sampan_network::clear("sampan0").unwrap();
        assert_eq!(forwarding().trim(), "0");
        assert!(!output("ip", &["link"]).contains("sampan0"));
    });
}

#[test]
fn it_takes_no_longer_than_calling_a_program() {
    isolated(|| {
        let host = Host::new();
        let mut attaches = Vec::new();
        for n in 2..22 {
            let space = Space::new();
            let (netns, socket) = space.handles();
            let address = host.bridge.gateway.with_address(Ipv4Addr::new(172, 18, 0, n));
            let before = Instant::now();
            attach(&endpoint::Endpoint {
                container: &id(n),
                bridge: &host.bridge,
                netns: netns.as_fd(),
                netlink: socket.as_fd(),
                address,
                gateway: host.bridge.gateway.address(),
                mac: Mac::of(address.address()),
            })
            .unwrap();
            attaches.push(before.elapsed());
        }
        let mut publishes = Vec::new();
        for port in 8000..8020 {
            let before = Instant::now();
            firewall::publish(&host.firewall, &id(2), &[mapping(ANY, port)]).unwrap();
            publishes.push(before.elapsed());
        }
        let mut programs = Vec::new();
        for _ in 0..5 {
            let before = Instant::now();
            output("nft", &["list", "tables"]);
            programs.push(before.elapsed());
        }
        // Other programs only ever make one of them slower.
        let best = |times: Vec<Duration>| times.into_iter().min().unwrap();
        let (attach, publish, program) = (best(attaches), best(publishes), best(programs));
        println!("attach {attach:?}, publish {publish:?}, one call of nft {program:?} (best of each)");
        assert!(attach < program * 2 && publish < program / 4);
    });
}
