//! Published ports: who holds them, from start to end, and what arrives by IPv6.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use sampan_testkit::{Cli, Daemon, Network, eventually, programs};
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

const ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const ANY6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LOCALHOST6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
const PATIENCE: Duration = Duration::from_secs(20);

fn daemon() -> Daemon {
    let daemon = Daemon::start(programs!());
    daemon.import_busybox();
    daemon
}

/// Starts a container that answers each connection to its port 80 by running a program, and gives its id.
fn server(daemon: &Daemon, name: &str, options: &[&str], program: &[&str]) -> String {
    let listen = ["bb", "nc", "-ll", "-p", "80", "-e"];
    daemon.sampan(&[&["run", "-d", "--name", name], options, &listen, program].concat())
}

fn connect(network: &Network, to: IpAddr, port: u16) -> std::io::Result<TcpStream> {
    let stream = network.inside(|| TcpStream::connect_timeout(&SocketAddr::new(to, port), PATIENCE))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// What is answered, if anything is.
fn ask(network: &Network, to: IpAddr, port: u16) -> Option<String> {
    let mut answer = String::new();
    connect(network, to, port).ok()?.read_to_string(&mut answer).ok()?;
    Some(answer.trim_end().to_owned()).filter(|answer| !answer.is_empty())
}

/// Whether a program of the host can have the port.
fn is_free(daemon: &Daemon, to: IpAddr, port: u16) -> bool {
    match daemon.network().inside(|| TcpListener::bind((to, port)).map(drop)) {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::AddrInUse => false,
        Err(error) => panic!("{error}"),
    }
}

/// The processes that relay for a container.
fn relays(id: &str) -> Vec<i32> {
    let command = format!("sampan-runtime\0relay\0{id}\0");
    let pids =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    pids.filter(|pid| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line == command.as_bytes()))
        .collect()
}

#[test]
fn a_port_is_published_by_ipv6_too() {
    let daemon = daemon();
    let network = daemon.network();
    let id = server(&daemon, "web", &["-p", "18080:80", "-p", "[::1]:18081:80"], &["echo", "web"]);
    let shown = "0.0.0.0:18080->80/tcp, [::]:18080->80/tcp, [::1]:18081->80/tcp";
    for cli in [Cli::Sampan, Cli::Docker] {
        let listed = daemon.run(cli, &["ps", "--format", "{{.Ports}}"]);
        assert_eq!(String::from_utf8_lossy(&listed.stdout).trim_end(), shown);
        let ports = daemon.run(cli, &["port", "web", "80"]);
        assert_eq!(ports.stdout, b"0.0.0.0:18080\n[::1]:18081\n[::]:18080\n");
    }
    assert_eq!(relays(&id), [0; 0], "nobody has called by IPv6 yet");
    eventually("it answers", || ask(network, LOCALHOST, 18080).as_deref() == Some("web"));
    assert_eq!(relays(&id), [0; 0]);
    assert_eq!(ask(network, LOCALHOST6, 18080).as_deref(), Some("web"));
    assert_eq!(ask(network, LOCALHOST6, 18081).as_deref(), Some("web"));
    let &[relay] = relays(&id).as_slice() else { panic!("one relay") };
    let status = fs::read_to_string(format!("/proc/{relay}/status")).unwrap();
    for line in [
        "Uid:\t65534\t65534\t65534\t65534",
        "Gid:\t65534\t65534\t65534\t65534",
        "CapEff:\t0000000000000000",
        "NoNewPrivs:\t1",
    ] {
        assert!(status.contains(line), "{line} in {status}");
    }

    // It is restarted when it falls, and outlives the container's restart.
    let pid = rustix::process::Pid::from_raw(relay).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    assert_eq!(ask(network, LOCALHOST6, 18080).as_deref(), Some("web"));
    let after = relays(&id);
    daemon.sampan(&["restart", "-t", "0", "web"]);
    eventually("it answers again", || ask(network, LOCALHOST6, 18080).as_deref() == Some("web"));
    assert_eq!(relays(&id), after);

    daemon.sampan(&["rm", "-f", "web"]);
    eventually("the relay is gone", || relays(&id).is_empty());
    daemon.nothing_is_left();
}

#[test]
fn other_hosts_reach_it_by_ipv6() {
    let daemon = daemon();
    let machine = Network::new();
    let inside = |network: &Network, words: &[&str]| drop(network.output(words));
    let peer = machine.path().display().to_string();
    let veth = ["ip", "link", "add", "out0", "type", "veth", "peer", "name", "eth0", "netns", &peer];
    inside(daemon.network(), &veth);
    for (network, link, address) in
        [(daemon.network(), "out0", "2001:db8::1/64"), (&machine, "eth0", "2001:db8::9/64")]
    {
        inside(network, &["ip", "address", "add", address, "dev", link, "nodad"]);
        inside(network, &["ip", "link", "set", link, "up"]);
    }
    let host = "2001:db8::1".parse().unwrap();
    server(&daemon, "web", &["-p", "18080:80", "-p", "[::1]:18081:80"], &["echo", "web"]);
    eventually("it answers", || ask(&machine, host, 18080).as_deref() == Some("web"));
    assert_eq!(ask(&machine, host, 18081), None, "for this host only");
    daemon.sampan(&["rm", "-f", "web"]);
    inside(daemon.network(), &["ip", "link", "delete", "out0"]);
    daemon.nothing_is_left();
}

#[test]
fn without_ipv6_it_is_published_by_ipv4() {
    let daemon = daemon();
    daemon.network().output(&["sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6"]);
    daemon.sampan(&["run", "-d", "--name", "web", "-p", "18080:80", "bb", "sleep", "1000"]);
    assert_eq!(daemon.sampan(&["port", "web"]), "80/tcp -> 0.0.0.0:18080");
    daemon.sampan(&["rm", "-f", "web"]);
    daemon.nothing_is_left();
}

/// Bytes that differ from place to place.
fn bytes(length: usize) -> Vec<u8> {
    (0..length as u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

#[test]
fn a_relayed_connection_outlives_the_daemon() {
    let mut daemon = daemon();
    server(&daemon, "echo", &["-p", "18080:80"], &["cat"]);
    eventually("it listens", || connect(daemon.network(), LOCALHOST, 18080).is_ok());
    let all = bytes(24 << 20);
    let mut streams: Vec<TcpStream> =
        (0..4).map(|_| connect(daemon.network(), LOCALHOST6, 18080).unwrap()).collect();
    std::thread::scope(|scope| {
        let writers = streams.iter().map(|stream| stream.try_clone().unwrap());
        for mut writer in writers.collect::<Vec<_>>() {
            let all = &all;
            scope.spawn(move || {
                writer.write_all(all).unwrap();
                writer.shutdown(Shutdown::Write).unwrap();
            });
        }
        for stream in &mut streams {
            let mut first = vec![0; 1 << 20];
            stream.read_exact(&mut first).unwrap();
            assert!(first == all[..1 << 20]);
        }
        daemon.kill9();
        for stream in &mut streams {
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).unwrap();
            assert!(rest == all[1 << 20..], "{} bytes of {}", rest.len(), all.len() - (1 << 20));
        }
    });
    assert!(connect(daemon.network(), LOCALHOST6, 18080).is_ok(), "also for new ones");
    assert!(!is_free(&daemon, ANY, 18080) && !is_free(&daemon, ANY6, 18080), "the monitor holds it");
    daemon.start_again();
    let refused = daemon.run(Cli::Sampan, &["run", "--rm", "-p", "18080:80", "bb", "true"]);
    assert!(
        refused.stderr.contains("Bind for 0.0.0.0:18080 failed: port is already allocated"),
        "{refused:?}"
    );
    daemon.sampan(&["rm", "-f", "echo"]);
    assert!(is_free(&daemon, ANY, 18080) && is_free(&daemon, ANY6, 18080));
    daemon.nothing_is_left();
}

#[test]
fn datagrams_are_relayed() {
    let daemon = daemon();
    daemon.sampan(&["run", "-d", "--name", "c1", "-p", "18053:53/udp", "bb", "sleep", "1000"]);
    let server = daemon.inside("c1", || UdpSocket::bind((ANY, 53)).unwrap());
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let clients: Vec<UdpSocket> = [LOCALHOST6, LOCALHOST6, LOCALHOST]
        .into_iter()
        .map(|to| {
            let any = if to.is_ipv6() { ANY6 } else { ANY };
            let client = daemon.network().inside(|| UdpSocket::bind((any, 0)).unwrap());
            // It takes answers from there only.
            client.connect((to, 18053)).unwrap();
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            client
        })
        .collect();
    let (mut here, mut there) = (vec![0; 2000], vec![0; 2000]);
    for (round, client) in clients.iter().enumerate().cycle().take(9) {
        let question = bytes(1 + 600 * round);
        client.send(&question).unwrap();
        let (length, from) = server.recv_from(&mut there).unwrap();
        assert!(there[..length] == question);
        // Two answers to one question.
        for answer in [&question[..], b"more"] {
            server.send_to(answer, from).unwrap();
            let length = client.recv(&mut here).unwrap();
            assert!(&here[..length] == answer, "{length}");
        }
    }
    // It keeps the container's network.
    drop(server);
    daemon.sampan(&["rm", "-f", "c1"]);
    daemon.nothing_is_left();
}

#[test]
fn a_port_is_held_between_two_runs() {
    let daemon = daemon();
    // It takes a port of its own while nobody else can have it: a program that would wait for a gap finds none.
    let script = "echo run; sleep 0.05; exit 1";
    daemon.sampan(&[
        "run",
        "-d",
        "--name",
        "c1",
        "--restart",
        "always",
        "-p",
        "18080:80",
        "bb",
        "sh",
        "-c",
        script,
    ]);
    let mut tries = 0;
    eventually("some restarts", || {
        tries += 1;
        assert!(!is_free(&daemon, ANY, 18080) && !is_free(&daemon, LOCALHOST6, 18080), "at try {tries}");
        daemon.sampan(&["inspect", "--format", "{{.RestartCount}}", "c1"]).parse::<u32>().unwrap() >= 3
    });
    daemon.sampan(&["update", "--restart", "no", "c1"]);
    daemon.sampan(&["wait", "c1"]);
    assert!(is_free(&daemon, ANY, 18080) && is_free(&daemon, ANY6, 18080));

    daemon.sampan(&["run", "-d", "--name", "c2", "-p", "18081:80", "bb", "sleep", "1000"]);
    let (gaps, tries) = std::thread::scope(|scope| {
        let restart = scope.spawn(|| (0..5).for_each(|_| drop(daemon.sampan(&["restart", "-t", "0", "c2"]))));
        let (mut gaps, mut tries) = (0, 0);
        while !restart.is_finished() {
            gaps += usize::from(is_free(&daemon, ANY, 18081));
            tries += 1;
        }
        (gaps, tries)
    });
    assert!(gaps == 0 && tries > 0, "{gaps} of {tries}");
    daemon.sampan(&["rm", "-f", "c1", "c2"]);
    daemon.nothing_is_left();
}

#[test]
fn a_port_of_the_host_is_refused_and_can_be_had_later() {
    let daemon = daemon();
    for (address, shown) in [
        (ANY, "0.0.0.0:18080"),
        (LOCALHOST, "0.0.0.0:18080"),
        (ANY6, "0.0.0.0:18080"),
        (LOCALHOST6, "[::]:18080"),
    ] {
        let program = daemon.network().inside(|| TcpListener::bind((address, 18080)).unwrap());
        daemon.sampan(&["create", "--name", "c1", "-p", "18079:79", "-p", "18080:80", "bb", "sleep", "1000"]);
        let refused = daemon.run(Cli::Sampan, &["start", "c1"]);
        let text = format!("failed to bind host port for {shown}:");
        assert!(refused.code == 1 && refused.stderr.contains(&text), "{address}: {refused:?}");
        assert!(refused.stderr.contains(":80/tcp: address already in use"), "{refused:?}");
        assert!(is_free(&daemon, ANY, 18079) && is_free(&daemon, ANY6, 18079), "all or none");
        drop(program);
        daemon.sampan(&["start", "c1"]);
        daemon.sampan(&["rm", "-f", "c1"]);
    }
    daemon.nothing_is_left();
}

#[test]
fn thousands_of_ports_are_held() {
    let daemon = daemon();
    let descriptors = || fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap().count();
    let before = descriptors();
    server(&daemon, "c1", &["-p", "20000-21000:80-1080"], &["echo", "c1"]);
    assert!(descriptors() < before + 50, "{} descriptors of the daemon, {before} before", descriptors());
    for port in [20000, 20500, 21000] {
        assert!(!is_free(&daemon, ANY, port) && !is_free(&daemon, ANY6, port), "{port}");
    }
    eventually("it answers", || ask(daemon.network(), LOCALHOST6, 20000).as_deref() == Some("c1"));
    let listed = daemon.sampan(&["ps", "--format", "{{.Ports}}"]);
    assert!(listed.contains("0.0.0.0:21000->1080/tcp"), "{listed}");
    daemon.sampan(&["rm", "-f", "c1"]);
    assert!(is_free(&daemon, ANY, 20500) && is_free(&daemon, ANY6, 20500));

    let refused = daemon.run(Cli::Sampan, &["run", "--rm", "-p", "20000-59999:20000-59999", "bb", "true"]);
    assert_eq!(refused.code, 125);
    assert!(refused.stderr.contains("80000 addresses and ports are more than"), "{refused:?}");
    daemon.nothing_is_left();
}
