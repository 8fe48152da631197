//! Network name spaces for tests: threads that live in one, and what is done there.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, reason = "each test program uses its part")]

use rustix::fs::{Mode, OFlags, open};
use sampan_network::{
    Bridge, BridgeConfig, Endpoint, Firewall, Ipv4Net, Mac, PortMapping, Protocol, attach, ensure_bridge,
    firewall,
};
use sampan_spec::ContainerId;
use sampan_sys::netlink::{self, Address, Family, Messages, NewVeth, Socket};
use sampan_sys::process::{Namespaces, unshare};
use std::any::Any;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::process::Command;
use std::sync::mpsc::{Sender, channel};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

/// The host's address towards the outside, and a machine there.
pub(crate) const HOST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
pub(crate) const MACHINE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 9);

type Job = Box<dyn FnOnce() + Send>;

/// A thread in a network name space of its own, with `lo` up. The name space ends with it.
pub(crate) struct Space {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Space {
    pub(crate) fn new() -> Self {
        let (jobs, queue) = channel::<Job>();
        let thread = spawn(move || {
            unshare(Namespaces::NETWORK).expect("tests of the network need CAP_SYS_ADMIN");
            let mut batch = Messages::new();
            netlink::set_up(&mut batch, "lo", None);
            Socket::open(Family::Route).unwrap().execute_all(&batch).unwrap();
            for job in queue {
                job();
            }
        });
        Self { jobs: Some(jobs), thread: Some(thread) }
    }

    /// Runs something in the name space and waits for it. Its panic is passed on.
    pub(crate) fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (sender, receiver) = channel::<Result<T, Box<dyn Any + Send>>>();
        let caught = move || {
            let _ = sender.send(std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)));
        };
        self.jobs.as_ref().unwrap().send(Box::new(caught)).unwrap();
        receiver.recv().unwrap().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// The name space's descriptor and a netlink socket that was opened in it.
    pub(crate) fn handles(&self) -> (OwnedFd, OwnedFd) {
        self.run(|| {
            let netns =
                open("/proc/thread-self/ns/net", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).unwrap();
            let socket = Socket::open(Family::Route).unwrap();
            (netns, socket.as_fd().try_clone_to_owned().unwrap())
        })
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        self.jobs.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Runs a test in a name space of its own, which plays a host that forwards nothing yet.
pub(crate) fn isolated(test: impl FnOnce() + Send + 'static) {
    Space::new().run(|| {
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "0").unwrap();
        test();
    });
}

pub(crate) fn id(n: u8) -> ContainerId {
    ContainerId::from_bytes([n; 32])
}

pub(crate) fn net(text: &str) -> Ipv4Net {
    text.parse().unwrap()
}

/// Port 80 of the first container, published.
pub(crate) fn tcp_mapping(host_ip: Ipv4Addr, host_port: u16) -> PortMapping {
    PortMapping {
        proto: Protocol::Tcp,
        host_ip: host_ip.into(),
        host_port,
        container_ip: Ipv4Addr::new(172, 18, 0, 2),
        container_port: 80,
    }
}

/// A host with a bridge and a firewall.
pub(crate) struct Host {
    pub(crate) bridge: Bridge,
    pub(crate) firewall: Firewall,
}

impl Host {
    pub(crate) fn new() -> Self {
        Self::with_icc(true)
    }

    pub(crate) fn with_icc(icc: bool) -> Self {
        let bridge = ensure_bridge(&BridgeConfig { name: "sampan0".to_owned(), gateway: None }).unwrap();
        let network = firewall::Network {
            bridge: bridge.name.clone(),
            subnet: bridge.gateway.network(),
            icc,
            masquerade: true,
        };
        let firewall = Firewall { table: firewall::table_name("sampan0"), networks: vec![network] };
        firewall::ensure(&firewall).unwrap();
        Self { bridge, firewall }
    }

    /// A container with this number and an address that ends in it.
    pub(crate) fn container(&self, n: u8) -> Container {
        self.container_with_id(n, id(n))
    }

    /// A container whose address ends in `n`.
    pub(crate) fn container_with_id(&self, n: u8, id: ContainerId) -> Container {
        let [a, b, c, _] = self.bridge.gateway.address().octets();
        let address = Ipv4Addr::new(a, b, c, n);
        let container = Container { space: Space::new(), id, address };
        let (netns, socket) = container.space.handles();
        attach(&Endpoint {
            container: &container.id,
            bridge: &self.bridge,
            netns: netns.as_fd(),
            netlink: socket.as_fd(),
            address: self.bridge.gateway.with_address(address),
            gateway: self.bridge.gateway.address(),
            mac: Mac::of(address),
        })
        .unwrap();
        container
    }
}

pub(crate) struct Container {
    pub(crate) space: Space,
    pub(crate) id: ContainerId,
    pub(crate) address: Ipv4Addr,
}

impl Container {
    /// Listens on a TCP port of all addresses and answers every connection with its name and who it sees.
    pub(crate) fn serve(&self, port: u16) {
        let listener = self.space.run(move || TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap());
        let name = self.address;
        // Sockets belong to the name space they were made in; the thread ends with the process.
        spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let peer = stream.peer_addr().unwrap().ip();
                let _ = write!(stream, "{name} sees {peer}");
            }
        });
    }
}

/// Connects the calling thread's host with a machine outside, which takes the host for its router.
pub(crate) fn outside() -> Space {
    outside_at("out0", net("192.0.2.1/24"), net("192.0.2.9/24"))
}

pub(crate) fn outside_at(name: &'static str, host: Ipv4Net, machine: Ipv4Net) -> Space {
    let space = Space::new();
    let (netns, _) = space.handles();
    let socket = Socket::open(Family::Route).unwrap();
    let mut batch = Messages::new();
    let [_, _, _, last] = machine.address().octets();
    let veth =
        NewVeth { name, master: 0, peer: "eth0", peer_mac: [2, 0, 0, 0, 0, last], netns: netns.as_fd() };
    netlink::add_veth(&mut batch, &veth);
    socket.execute_all(&batch).unwrap();
    address(name, host, None);
    space.run(move || {
        address("eth0", machine, Some(host.address()));
        await_carrier("eth0");
    });
    await_carrier(name);
    space
}

fn address(link: &str, net: Ipv4Net, router: Option<Ipv4Addr>) {
    let socket = Socket::open(Family::Route).unwrap();
    let index = netlink::link(&socket, link).unwrap().unwrap().index;
    let mut batch = Messages::new();
    netlink::add_address(&mut batch, &Address { link: index, address: net.address(), prefix: net.prefix() });
    netlink::set_up(&mut batch, link, None);
    if let Some(router) = router {
        netlink::add_default_route(&mut batch, index, router);
    }
    socket.execute_all(&batch).unwrap();
}

/// Waits until a link of the calling thread's name space carries packets.
pub(crate) fn await_carrier(link: &str) {
    let socket = Socket::open(Family::Route).unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    while !netlink::link(&socket, link).unwrap().unwrap().operational {
        assert!(Instant::now() < deadline, "{link} does not come up");
        std::thread::yield_now();
    }
}

/// What a server says, from the calling thread's name space; `None` if it cannot be reached within half a second.
pub(crate) fn ask(address: Ipv4Addr, port: u16) -> Option<String> {
    let to = SocketAddr::V4(SocketAddrV4::new(address, port));
    let mut stream = TcpStream::connect_timeout(&to, Duration::from_millis(500)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// Runs a program in the calling thread's name space and returns what it prints.
pub(crate) fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
