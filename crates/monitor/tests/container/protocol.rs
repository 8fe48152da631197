//! What daemons do to a monitor's connection.

use crate::Test;
use crate::bed::Plan;
use crate::daemon::{Daemon, RAW, client};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use sampan_spec::bundle::SOCKET;
use sampan_spec::monitor::{Answer, JSON_MAX, Message, Refusal, Request, VERSION, encode_frame};
use sampan_sys::socket::send_with_fds;
use std::io::{Read, Write};
use std::os::fd::AsFd;

pub(crate) const TESTS: &[Test] = &[
    ("a_broken_frame_ends_its_connection_only", a_broken_frame_ends_its_connection_only),
    ("what_is_not_understood_is_refused", what_is_not_understood_is_refused),
    ("frames_in_pieces", frames_in_pieces),
    ("connections_come_and_go", connections_come_and_go),
    ("no_descriptor_for_a_connection", no_descriptor_for_a_connection),
];

fn a_broken_frame_ends_its_connection_only() {
    let mut bed = Plan::sh("exit 0").launch();
    let socket = bed.path(SOCKET);
    let too_long = [&(JSON_MAX + 1).to_le_bytes()[..], &[0; 4]].concat();
    for frame in [encode_frame(b"nonsense", b"").unwrap(), encode_frame(b"[]", b"x").unwrap(), too_long] {
        let mut other = Daemon::connect(&socket, 0);
        other.socket.write_all(&frame).unwrap();
        let refused = other.message();
        assert!(
            matches!(refused, Message::Answer { call: 0, result: Err(Refusal::BadRequest { .. }) }),
            "{refused:?}"
        );
        assert_eq!(other.socket.read(&mut [0]).unwrap(), 0);
    }
    let mut other = Daemon::connect(&socket, 0);
    let fds = [
        other.socket.try_clone().unwrap(),
        other.socket.try_clone().unwrap(),
        other.socket.try_clone().unwrap(),
    ];
    let frame = encode_frame(b"{}", b"").unwrap();
    send_with_fds(&other.socket, &frame, &[fds[0].as_fd(), fds[1].as_fd(), fds[2].as_fd()]).unwrap();
    assert!(matches!(other.message(), Message::Answer { call: 0, result: Err(_) }));
    bed.start();
    assert_eq!(bed.daemon.until_exit(), 0);
    bed.quit();
}

fn what_is_not_understood_is_refused() {
    let mut bed = Plan::sh("exit 0").launch();
    let frame = encode_frame(br#"{"call":77,"request":"from-the-future"}"#, b"").unwrap();
    bed.daemon.socket.write_all(&frame).unwrap();
    assert!(matches!(bed.daemon.answer_to(77), Err(Refusal::BadRequest { .. })));
    let refused = bed.daemon.call(Request::Hello { version: VERSION + 1 });
    assert!(matches!(refused, Err(Refusal::BadRequest { .. })));
    let without =
        Request::Wait { client: client(RAW), condition: sampan_spec::monitor::WaitCondition::NextExit };
    assert!(matches!(bed.daemon.call(without.clone()), Err(Refusal::BadRequest { .. })));
    let file = std::fs::File::open("/dev/null").unwrap().into();
    let call = bed.daemon.send(without, b"", Some(&file));
    assert!(matches!(bed.daemon.answer_to(call), Err(Refusal::BadRequest { .. })));
    let ports = Request::HoldPorts { relay: vec![None] };
    assert!(matches!(bed.daemon.call(ports), Err(Refusal::BadRequest { .. })));
    assert_eq!(bed.daemon.call(Request::Abandon), Ok(Answer::Done));
    bed.wait_for_end();
}

fn frames_in_pieces() {
    let mut bed = Plan::sh("exit 0").launch();
    let frame = encode_frame(br#"{"call":5,"request":"abandon"}"#, b"bytes").unwrap();
    for byte in frame {
        bed.daemon.socket.write_all(&[byte]).unwrap();
    }
    assert_eq!(bed.daemon.answer_to(5), Ok(Answer::Done));
    bed.wait_for_end();
}

fn connections_come_and_go() {
    let mut bed = Plan::sh("read x").stdin(sampan_spec::bundle::Stdin::Open).launch();
    let socket = bed.path(SOCKET);
    bed.start();
    for _ in 0..20 {
        let mut other = Daemon::connect(&socket, 0);
        assert!(other.summary.pid().is_some());
        other.send(Request::Stop { signal: Some("USR1".parse().unwrap()), timeout: Some(-1) }, b"", None);
        other.socket.write_all(&[9, 0, 0]).unwrap();
    }
    drop(bed.attach(RAW, b"\n", b""));
    bed.daemon.until_exit();
    let again = Daemon::connect(&socket, 0);
    assert_eq!(again.entries, bed.daemon.entries);
    drop(again);
    bed.quit();
}

/// The monitor cannot open anything more from now on; gives the limit that was.
fn take_descriptors(pid: i32) -> Rlimit {
    let open = |number: &u64| std::fs::symlink_metadata(format!("/proc/{pid}/fd/{number}")).is_ok();
    let free = (0..).find(|number| !open(number));
    let own = rustix::process::getrlimit(Resource::Nofile);
    prlimit(Pid::from_raw(pid), Resource::Nofile, Rlimit { current: free, maximum: own.maximum }).unwrap()
}

fn is_asleep(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(')').next().unwrap().trim_start().starts_with('S')
}

fn no_descriptor_for_a_connection() {
    let mut bed = Plan::sh("exit 0").launch();
    let socket = bed.path(SOCKET);
    let was = take_descriptors(bed.pid);
    let waiting = sampan_sys::socket::connect_unix(&socket).unwrap();
    // It still serves those it has, and it sleeps between.
    let since = std::time::Instant::now();
    while !(0..10).all(|_| is_asleep(bed.pid)) {
        assert!(since.elapsed() < crate::daemon::PATIENCE, "it does not sleep");
        assert!(bed.daemon.call(Request::Hello { version: VERSION }).is_ok());
    }
    prlimit(Pid::from_raw(bed.pid), Resource::Nofile, was).unwrap();
    drop((Daemon::connect(&socket, 0), waiting));
    bed.start();
    assert_eq!(bed.daemon.until_exit(), 0);
    bed.quit();
}
