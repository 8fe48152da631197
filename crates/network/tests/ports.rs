//! Host ports: what is free, what is refused and in which words.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails that way")]

mod common;

use common::{id, isolated, tcp_mapping as mapping};
use sampan_network::{Error, PortRequest, Ports, Protocol, Reserved, all_addresses};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream, UdpSocket};
use std::ops::RangeInclusive;

const ANY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
const ANY6: Ipv6Addr = Ipv6Addr::UNSPECIFIED;
const CONTAINER: Ipv4Addr = Ipv4Addr::new(172, 18, 0, 2);

fn request(host_ips: &[IpAddr], host_ports: impl Into<Option<RangeInclusive<u16>>>) -> PortRequest {
    let (host_ips, host_ports) = (host_ips.to_vec(), host_ports.into());
    PortRequest { proto: Protocol::Tcp, host_ips, host_ports, container_port: 80 }
}

fn one(host_ip: impl Into<IpAddr>, port: u16) -> PortRequest {
    request(&[host_ip.into()], port..=port)
}

fn given(reserved: &Reserved) -> Vec<u16> {
    reserved.mappings.iter().map(|mapping| mapping.host_port).collect()
}

#[test]
fn taken_ports_are_refused_in_dockers_words() {
    isolated(|| {
        let mut ports = Ports::new();
        let refused = |ports: &mut Ports, request: PortRequest| {
            ports.reserve(&id(3), CONTAINER, &[request]).unwrap_err().on_endpoint("web", "abc")
        };
        const PREFIX: &str = "failed to set up container networking: driver failed programming external connectivity \
                              on endpoint web (abc): ";
        let in_use = |at: &str| {
            format!("{PREFIX}failed to bind host port for {at}:172.18.0.2:80/tcp: address already in use")
        };
        let listener = TcpListener::bind((ANY, 8080)).unwrap();
        assert_eq!(refused(&mut ports, one(ANY, 8080)), in_use("0.0.0.0:8080"));
        drop(listener);
        let listener = TcpListener::bind((ANY6, 8080)).unwrap();
        assert_eq!(refused(&mut ports, one(ANY6, 8080)), in_use("[::]:8080"));
        assert_eq!(refused(&mut ports, one(Ipv6Addr::LOCALHOST, 8080)), in_use("[::1]:8080"));
        drop(listener);

        let both = [ANY.into(), ANY6.into()];
        let held = ports.reserve(&id(2), CONTAINER, &[request(&both, 8080..=8080)]).unwrap();
        assert!(TcpListener::bind((ANY, 8080)).is_err(), "the port is held");
        assert!(TcpListener::bind((ANY6, 8080)).is_err(), "the port is held");
        let allocated = |at: &str| format!("{PREFIX}Bind for {at}:8080 failed: port is already allocated");
        assert_eq!(refused(&mut ports, one(Ipv4Addr::LOCALHOST, 8080)), allocated("0.0.0.0"));
        assert_eq!(refused(&mut ports, one(Ipv6Addr::LOCALHOST, 8080)), allocated("::"));
        let elsewhere = |at: &str| {
            format!(
                "{PREFIX}failed to bind host port for {at}:172.18.0.2:80/tcp: cannot assign requested address"
            )
        };
        let not_ours = Ipv4Addr::new(192, 0, 2, 77);
        assert_eq!(refused(&mut ports, one(not_ours, 8081)), elsewhere("192.0.2.77:8081"));
        let not_ours: Ipv6Addr = "2001:db8::7".parse().unwrap();
        assert_eq!(refused(&mut ports, one(not_ours, 8081)), elsewhere("[2001:db8::7]:8081"));

        ports.release(&id(2));
        drop(held);
        TcpListener::bind((ANY, 8080)).unwrap();
    });
}

#[test]
fn a_port_is_free_on_all_addresses_or_another_is_given() {
    isolated(|| {
        let mut ports = Ports::new();
        let _four = TcpListener::bind((ANY, 32768)).unwrap();
        let _six = UdpSocket::bind((ANY6, 32769)).unwrap();
        let all = all_addresses();
        assert_eq!(all, [IpAddr::from(ANY), ANY6.into()]);
        let tcp = request(&all, None);
        let udp = PortRequest { proto: Protocol::Udp, ..tcp.clone() };
        let reserved = ports.reserve(&id(2), CONTAINER, &[tcp, udp]).unwrap();
        assert_eq!(given(&reserved), [32769, 32769, 32768, 32768]);
    });
}

#[test]
fn a_host_without_ipv6_publishes_on_ipv4() {
    isolated(|| {
        std::fs::write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1").unwrap();
        assert_eq!(all_addresses(), [IpAddr::from(ANY)]);
    });
}

#[test]
fn free_ports_are_given_in_order() {
    isolated(|| {
        let mut ports = Ports::new();
        let any = request(&[ANY.into()], None);
        let listener = TcpListener::bind((ANY, 32769)).unwrap();
        let reserved = ports.reserve(&id(2), CONTAINER, &[any.clone(), any.clone()]).unwrap();
        assert_eq!(given(&reserved), [32768, 32770]);
        ports.release(&id(2));
        drop(reserved);
        let reserved = ports.reserve(&id(2), CONTAINER, std::slice::from_ref(&any)).unwrap();
        assert_eq!(given(&reserved), [32771], "not reused at once");
        let range = request(&[ANY.into()], 32769..=32771);
        let error = ports.reserve(&id(3), CONTAINER, &[range.clone(), range]).unwrap_err();
        assert!(matches!(error, Error::NoFreePort { .. }), "{error}");
        drop(TcpListener::bind((ANY, 32770)).unwrap());
        drop(listener);
    });
}

#[test]
fn a_found_container_has_its_ports() {
    let mut ports = Ports::new();
    let mappings = [mapping(ANY, 8080), mapping(ANY, 8081)];
    ports.adopt(&id(2), &mappings);
    let error = ports.reserve(&id(3), CONTAINER, &[one(ANY, 8081)]).unwrap_err();
    assert!(matches!(error, Error::PortAllocated { .. }), "{error}");
}

#[test]
fn datagram_ports_are_apart_from_those_of_streams() {
    isolated(|| {
        let mut ports = Ports::new();
        let request = |proto| PortRequest { proto, ..one(ANY, 53) };
        let both = [request(Protocol::Tcp), request(Protocol::Udp)];
        let reserved = ports.reserve(&id(2), CONTAINER, &both).unwrap();
        assert_eq!(reserved.mappings.len(), 2);
        assert!(UdpSocket::bind((ANY, 53)).is_err(), "held");
        ports.release(&id(2));
        drop(reserved);
        let program = UdpSocket::bind((Ipv4Addr::LOCALHOST, 53)).unwrap();
        let error = ports.reserve(&id(2), CONTAINER, &both).unwrap_err().to_string();
        assert_eq!(
            error,
            "failed to bind host port for 0.0.0.0:53:172.18.0.2:80/udp: address already in use"
        );
        TcpListener::bind((ANY, 53)).expect("all or none");
        drop(program);
    });
}

/// The server's side has closed first, so its end of the connection is remembered for a while.
fn leave_time_wait(port: u16) {
    let listener = TcpListener::bind((ANY, port)).unwrap();
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    drop(listener.accept().unwrap());
    client.read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn a_port_whose_server_has_just_ended_is_held_against_everybody() {
    isolated(|| {
        let mut ports = Ports::new();
        leave_time_wait(8080);
        let reserved = ports.reserve(&id(2), CONTAINER, &[one(ANY, 8080)]).unwrap();
        // The standard library reuses addresses.
        assert!(TcpListener::bind((ANY, 8080)).is_err(), "held");
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, 8080)).is_err(), "refused, not left waiting");
        drop(reserved);
    });
}

#[test]
fn connections_of_the_last_owner_are_in_nobodys_way() {
    isolated(|| {
        let mut ports = Ports::new();
        let six = one(ANY6, 8080);
        let reserved = ports.reserve(&id(2), CONTAINER, std::slice::from_ref(&six)).unwrap();
        let listener = TcpListener::from(reserved.sockets.into_iter().next().unwrap());
        let mut client = TcpStream::connect((Ipv6Addr::LOCALHOST, 8080)).unwrap();
        let (mut relayed, _) = listener.accept().unwrap();
        drop(listener);
        ports.release(&id(2));
        ports.reserve(&id(3), CONTAINER, &[six]).unwrap();
        relayed.write_all(b"to the end").unwrap();
        drop(relayed);
        let mut got = String::new();
        client.read_to_string(&mut got).unwrap();
        assert_eq!(got, "to the end");
    });
}

#[test]
fn thousands_of_ports_are_taken_or_refused_at_once() {
    isolated(|| {
        let mut ports = Ports::new();
        let requests: Vec<_> = (20_000..23_000).map(|port| one(ANY, port)).collect();
        let reserved = ports.reserve(&id(2), CONTAINER, &requests).unwrap();
        assert_eq!(reserved.sockets.len(), 3000);
        let error = ports.reserve(&id(3), CONTAINER, &requests[2999..]).unwrap_err();
        assert!(matches!(error, Error::PortAllocated { .. }), "{error}");

        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap();
        let too_many = vec![one(ANY, 8080); usize::try_from(limit).unwrap()];
        let error = ports.reserve(&id(3), CONTAINER, &too_many).unwrap_err();
        assert!(matches!(error, Error::TooManyPorts { .. }), "{error}");
    });
}
