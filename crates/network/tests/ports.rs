//! Host ports: what is free, what is refused and in which words.

mod common;

use common::{id, isolated, tcp_mapping as mapping};
use sampan_network::{Error, PortRequest, Ports, Protocol};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};

const ANY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

#[test]
fn taken_ports_are_refused_in_dockers_words() {
    isolated(|| {
        let mut ports = Ports::new();
        let container_ip = Ipv4Addr::new(172, 18, 0, 2);
        let request = |host_ip, port: Option<u16>| PortRequest {
            proto: Protocol::Tcp,
            host_ip,
            host_ports: port.map(|port| port..=port),
            container_port: 80,
        };
        let refused = |ports: &mut Ports, request: PortRequest| {
            ports.reserve(&id(3), container_ip, &[request]).unwrap_err().on_endpoint("web", "abc")
        };
        const PREFIX: &str = "failed to set up container networking: driver failed programming external connectivity \
                              on endpoint web (abc): ";
        let listener = TcpListener::bind((ANY, 8080)).unwrap();
        assert_eq!(
            refused(&mut ports, request(ANY, Some(8080))),
            format!(
                "{PREFIX}failed to bind host port for 0.0.0.0:8080:172.18.0.2:80/tcp: address already in use"
            )
        );
        drop(listener);
        ports.reserve(&id(2), container_ip, &[request(ANY, Some(8080))]).unwrap();
        assert!(TcpListener::bind((ANY, 8080)).is_err(), "the port is held");
        assert_eq!(
            refused(&mut ports, request(Ipv4Addr::LOCALHOST, Some(8080))),
            format!("{PREFIX}Bind for 127.0.0.1:8080 failed: port is already allocated")
        );
        assert_eq!(
            refused(&mut ports, request(Ipv4Addr::new(192, 0, 2, 77), Some(8081))),
            format!(
                "{PREFIX}failed to bind host port for 192.0.2.77:8081:172.18.0.2:80/tcp: cannot assign requested \
                 address"
            )
        );
        ports.release(&id(2));
        TcpListener::bind((ANY, 8080)).unwrap();
    });
}

#[test]
fn free_ports_are_given_in_order() {
    isolated(|| {
        let mut ports = Ports::new();
        let any = PortRequest { proto: Protocol::Tcp, host_ip: ANY, host_ports: None, container_port: 80 };
        let listener = TcpListener::bind((ANY, 32769)).unwrap();
        let container_ip = Ipv4Addr::new(172, 18, 0, 2);
        let given = ports.reserve(&id(2), container_ip, &[any.clone(), any.clone()]).unwrap();
        assert_eq!(given.iter().map(|m| m.host_port).collect::<Vec<_>>(), [32768, 32770]);
        ports.release(&id(2));
        let given = ports.reserve(&id(2), container_ip, std::slice::from_ref(&any)).unwrap();
        assert_eq!(given[0].host_port, 32771, "not reused at once");
        let range = PortRequest { host_ports: Some(32769..=32771), ..any };
        let both = [range.clone(), range];
        let error = ports.reserve(&id(3), container_ip, &both).unwrap_err();
        assert!(matches!(error, Error::NoFreePort { .. }), "{error}");
        drop(TcpListener::bind((ANY, 32770)).unwrap());
        drop(listener);
    });
}

#[test]
fn a_found_container_keeps_a_port_that_was_bound_meanwhile() {
    isolated(|| {
        let mut ports = Ports::new();
        let listener = TcpListener::bind((ANY, 8080)).unwrap();
        let mappings = [mapping(ANY, 8080), mapping(ANY, 8081)];
        assert_eq!(ports.adopt(&id(2), &mappings), [mappings[0]]);
        let request = PortRequest {
            proto: Protocol::Tcp,
            host_ip: ANY,
            host_ports: Some(8080..=8080),
            container_port: 80,
        };
        let error = ports.reserve(&id(3), mappings[0].container_ip, &[request]).unwrap_err();
        assert!(matches!(error, Error::PortAllocated { .. }), "{error}");
        drop(listener);
    });
}

#[test]
fn datagram_ports_are_apart_from_those_of_streams() {
    isolated(|| {
        let mut ports = Ports::new();
        let container_ip = Ipv4Addr::new(172, 18, 0, 2);
        let request =
            |proto| PortRequest { proto, host_ip: ANY, host_ports: Some(53..=53), container_port: 53 };
        let both = [request(Protocol::Tcp), request(Protocol::Udp)];
        assert_eq!(ports.reserve(&id(2), container_ip, &both).unwrap().len(), 2);
        assert!(UdpSocket::bind((ANY, 53)).is_err(), "held");
        ports.release(&id(2));
        let program = UdpSocket::bind((Ipv4Addr::LOCALHOST, 53)).unwrap();
        let error = ports.reserve(&id(2), container_ip, &both).unwrap_err().to_string();
        assert_eq!(
            error,
            "failed to bind host port for 0.0.0.0:53:172.18.0.2:53/udp: address already in use"
        );
        TcpListener::bind((ANY, 53)).expect("all or none");
        drop(program);
    });
}

#[test]
fn more_ports_than_descriptors_can_be_taken() {
    isolated(|| {
        let mut ports = Ports::new();
        let container_ip = Ipv4Addr::new(172, 18, 0, 2);
        let request = |port| PortRequest {
            proto: Protocol::Tcp,
            host_ip: ANY,
            host_ports: Some(port..=port),
            container_port: port,
        };
        let requests: Vec<_> = (20_000..23_000).map(request).collect();
        assert_eq!(ports.reserve(&id(2), container_ip, &requests).unwrap().len(), 3000);
        let error = ports.reserve(&id(3), container_ip, &requests[2999..]).unwrap_err();
        assert!(matches!(error, Error::PortAllocated { .. }), "{error}");
    });
}
