//! Bytes between clients and processes.

use crate::Test;
use crate::bed::{Bed, Plan, demultiplex};
use crate::daemon::{MULTIPLEXED, Peer, RAW};
use sampan_spec::Signal;
use sampan_spec::bundle::Stdin;
use sampan_spec::monitor::{Answer, Refusal, Request};
use std::io::{Read, Write};
use std::time::{Duration, Instant};

pub(crate) const TESTS: &[Test] = &[
    ("exec_moves_megabytes_both_ways", exec_moves_megabytes_both_ways),
    ("stdin_of_process_1_ends_once", stdin_of_process_1_ends_once),
    ("two_clients_get_the_same", two_clients_get_the_same),
    ("a_slow_reader_stalls_and_loses_nothing", a_slow_reader_stalls_and_loses_nothing),
    ("a_gone_client_costs_nothing", a_gone_client_costs_nothing),
    ("a_client_that_goes_in_two_steps_costs_nothing", a_client_that_goes_in_two_steps_costs_nothing),
    ("a_sender_that_is_not_read_is_not_reset", a_sender_that_is_not_read_is_not_reset),
    ("held_streams_end_after_two_seconds", held_streams_end_after_two_seconds),
    ("streams_closed_early_end_with_the_process", streams_closed_early_end_with_the_process),
    ("terminal_resize_and_detach", terminal_resize_and_detach),
    ("an_exec_that_cannot", an_exec_that_cannot),
    ("an_exec_that_is_stopped_on_its_way", an_exec_that_is_stopped_on_its_way),
];

/// Bytes that do not repeat soon.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}

fn sleeper() -> Bed {
    let mut bed = Plan::sh("sleep 1000").launch();
    bed.start();
    bed
}

fn end(mut bed: Bed) {
    bed.daemon.call(Request::Signal { signal: Signal::KILL }).unwrap();
    bed.daemon.until_exit();
    bed.quit();
}

/// Writes in another thread, then closes that half.
fn write_aside(peer: &Peer, bytes: Vec<u8>) -> std::thread::JoinHandle<()> {
    let mut writer = peer.0.try_clone().unwrap();
    std::thread::spawn(move || {
        writer.write_all(&bytes).unwrap();
        writer.shutdown(std::net::Shutdown::Write).unwrap();
    })
}

fn exec_moves_megabytes_both_ways() {
    let mut bed = sleeper();
    let data = noise(8 << 20);
    let (early, rest) = data.split_at(1 << 20);
    let (exec, mut peer) = bed.exec("cat; echo done >&2; exit 9", MULTIPLEXED, early);
    let writer = write_aside(&peer, rest.to_vec());
    let (out, err) = demultiplex(&peer.read_all());
    writer.join().unwrap();
    assert!(out == data, "{} bytes of {}", out.len(), data.len());
    assert_eq!((&err[..], bed.until_exec_ended(&exec)), (&b"done\n"[..], 9));
    drop(peer);
    end(bed);
}

fn stdin_of_process_1_ends_once() {
    let mut bed = Plan::sh("cat").stdin(Stdin::Once).launch();
    let data = noise(4 << 20);
    let mut peer = bed.attach(RAW, &data[..3 << 20], b"");
    let writer = write_aside(&peer, data[3 << 20..].to_vec());
    bed.start();
    let got = peer.read_all();
    writer.join().unwrap();
    assert!(got == data, "{} bytes of {}", got.len(), data.len());
    assert_eq!(bed.daemon.until_exit(), 0);
    drop(peer);
    bed.quit();
}

fn two_clients_get_the_same() {
    let mut bed = Plan::sh("read x; cat /bin/busybox").stdin(Stdin::Open).launch();
    let mut first = bed.attach(RAW, b"", b"");
    let mut second = bed.attach(RAW, b"", b"");
    bed.start();
    second.write(b"go\n");
    let reader = std::thread::spawn(move || first.read_all());
    let got = second.read_all();
    let want = std::fs::read("/bin/busybox").unwrap();
    assert!(got == want && reader.join().unwrap() == want);
    drop(second);
    assert_eq!(bed.daemon.until_exit(), 0);
    bed.quit();
}

fn a_slow_reader_stalls_and_loses_nothing() {
    let mut bed = sleeper();
    let (exec, mut slow) = bed.exec("yes abcdefg | head -c 16777216; echo $? >/tmp/code", RAW, b"");
    // While nobody reads, others are served, and the queue does not grow beyond its limit.
    assert_eq!(bed.exec_output("sleep 0.2; cat /tmp/code 2>/dev/null || echo stalled").0, "stalled\n");
    let peak = status(bed.pid, "VmHWM:");
    assert!(peak < 16 << 10, "{peak} KiB");
    let got = slow.read_all();
    assert_eq!(got.len(), 16 << 20);
    assert!(got.chunks(8).all(|line| line == b"abcdefg\n"));
    assert_eq!(bed.until_exec_ended(&exec), 0);
    drop(slow);
    end(bed);
}

fn status(pid: i32, key: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// User and system time of a process in clock ticks.
fn ticks(pid: i32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = text.rsplit(") ").next().unwrap().split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

fn a_gone_client_costs_nothing() {
    let mut bed = sleeper();
    let (exec, mut peer) = bed.exec("sleep 0.5; cat | wc -c > /tmp/count", RAW, b"");
    // More than the pipe and the monitor take, but all of it fits on the way.
    peer.write(&noise(200_000));
    drop(peer);
    let before = ticks(bed.pid);
    assert_eq!(bed.exec_output("sleep 0.3").1, 0);
    let spent = ticks(bed.pid) - before;
    assert!(spent < 10, "{spent} ticks");
    assert_eq!(bed.until_exec_ended(&exec), 0);
    assert_eq!(bed.exec_output("cat /tmp/count").0, "200000\n");
    end(bed);
}

/// First the end of its input, as of `echo x | docker exec -i`, then all of it, as when that is interrupted.
fn a_client_that_goes_in_two_steps_costs_nothing() {
    let mut bed = sleeper();
    let (exec, mut peer) = bed.exec("cat; echo end; sleep 1000", RAW, b"early");
    peer.0.shutdown(std::net::Shutdown::Write).unwrap();
    peer.read_until("earlyend\n");
    drop(peer);
    let before = ticks(bed.pid);
    assert_eq!(bed.exec_output("sleep 0.3").1, 0);
    let spent = ticks(bed.pid) - before;
    assert!(spent < 10, "{spent} ticks");
    let told = bed.daemon.call(Request::Resize { exec: Some(exec), rows: 1, columns: 1 });
    assert_eq!(told, Err(Refusal::NoTerminal), "the process goes on");
    end(bed);
}

fn a_sender_that_is_not_read_is_not_reset() {
    let mut bed = sleeper();
    for _ in 0..5 {
        let (_, mut peer) = bed.exec("echo answer", RAW, b"");
        let mut writer = peer.0.try_clone().unwrap();
        let sender = std::thread::spawn(move || while writer.write_all(&[b'y'; 4096]).is_ok() {});
        assert_eq!(peer.text(), "answer\n");
        peer.0.shutdown(std::net::Shutdown::Both).unwrap();
        sender.join().unwrap();
    }
    end(bed);
}

fn held_streams_end_after_two_seconds() {
    let mut bed = sleeper();
    let started = Instant::now();
    let (exec, mut peer) = bed.exec("sleep 60 & echo hi; exit 3", RAW, b"");
    assert_eq!(bed.until_exec_ended(&exec), 3);
    assert!(started.elapsed() < Duration::from_secs(2));
    assert_eq!(peer.text(), "hi\n");
    assert!(started.elapsed() > Duration::from_millis(1900));
    drop(peer);
    end(bed);
}

fn streams_closed_early_end_with_the_process() {
    let mut bed = sleeper();
    let (exec, mut peer) = bed.exec("exec >&- 2>&-; sleep 0.2; exit 3", RAW, b"");
    assert_eq!(peer.text(), "");
    let told = bed.daemon.call(Request::Resize { exec: Some(exec.clone()), rows: 1, columns: 1 });
    assert_eq!(told, Err(Refusal::NotRunning));
    assert_eq!(bed.until_exec_ended(&exec), 3);
    drop(peer);
    end(bed);
}

fn terminal_resize_and_detach() {
    let script = "stty -echo; echo ready; read x; stty size; read x; echo got $x; exit 5";
    let mut bed = Plan::sh(script).terminal().stdin(Stdin::Open).launch();
    bed.daemon.call(Request::Resize { exec: None, rows: 10, columns: 20 }).unwrap();
    let mut peer = bed.attach(RAW, b"", b"\x10\x11");
    bed.start();
    peer.read_until("ready\r\n");
    assert_eq!(bed.daemon.call(Request::Resize { exec: None, rows: 33, columns: 44 }), Ok(Answer::Done));
    peer.write(b"\n");
    peer.read_until("33 44\r\n");
    peer.write(b"ab\x10");
    peer.write(b"\x11");
    let mut rest = Vec::new();
    peer.0.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"");
    drop(peer);
    let mut peer = bed.attach(RAW, b"c\n", b"\x10\x11");
    peer.read_until("got abc\r\n");
    assert_eq!(bed.daemon.until_exit(), 5);
    drop(peer);
    bed.quit();
}

fn an_exec_that_cannot() {
    let mut bed = sleeper();
    let exec = bed.exec_create("true", true).unwrap();
    let unknown = sampan_spec::ExecId::from_bytes([0; 32]);
    let start = |exec| Request::ExecStart { exec, client: None, size: None };
    assert_eq!(bed.daemon.call(start(unknown)), Err(Refusal::NoSuchExec));
    assert!(matches!(bed.daemon.call(start(exec.clone())), Ok(Answer::Started { .. })));
    assert_eq!(bed.until_exec_ended(&exec), 0);
    assert_eq!(bed.daemon.call(start(exec)), Err(Refusal::AlreadyStarted));
    end(bed);
}

/// A container's process can stop others in it: that must not stop the monitor.
fn an_exec_that_is_stopped_on_its_way() {
    let mut bed = Plan::sh("while :; do kill -STOP -1; done").launch();
    bed.start();
    // Some come through between two rounds of the container's loop.
    let is_stopped = (0..100).any(|_| {
        let exec = bed.exec_create("true", false).unwrap();
        let started = bed.daemon.call(Request::ExecStart { exec, client: None, size: None });
        matches!(started, Err(Refusal::Failed { .. }))
    });
    assert!(is_stopped, "a hundred execs, and none was stopped on its way");
    end(bed);
}
