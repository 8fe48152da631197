//! Ends: of the container, of its parent, of a start that was given up.

use crate::Test;
use crate::box_::{Box_, Streams, cgroups};
use crate::look::assert_nothing_left;
use sampan_sys::process::{Ended, Namespaces, clone, pidfd_open, signal, wait};
use serde_json::json;
use std::io::Read;

pub(crate) const TESTS: &[Test] = &[
    ("exit_codes_and_signals", exit_codes_and_signals),
    ("an_abandoned_start_leaves_nothing", an_abandoned_start_leaves_nothing),
    ("it_dies_with_its_parent", it_dies_with_its_parent),
    ("memory_runs_out", memory_runs_out),
];

fn exit_codes_and_signals() {
    for (script, want) in [("exit 7", Ended::Code(7)), ("true", Ended::Code(0))] {
        let box_ = Box_::sh(script);
        assert_eq!(box_.run().unwrap().ended, want);
        assert_nothing_left(&box_);
    }
    let box_ = Box_::sh("trap 'exit 9' TERM; while :; do sleep 0.01; done");
    let streams = Streams::new();
    let running = box_.start(&streams).unwrap();
    // A signal before the trap is set is lost on process 1.
    while sampan_sys::process::try_wait(&running.pidfd).unwrap().is_none_or(|ended| {
        assert_eq!(ended, Ended::Code(9));
        false
    }) {
        if signal(&running.pidfd, 15).is_err() {
            break;
        }
    }
    running.sandbox.cgroup.remove().unwrap();
}

fn an_abandoned_start_leaves_nothing() {
    let box_ = Box_::sh("true");
    let streams = Streams::new();
    let prepared = box_.prepare(streams.stdio(), None).unwrap();
    let pid = prepared.pid();
    prepared.abandon();
    assert!(pidfd_open(pid).is_err());
    assert_nothing_left(&box_);
    let mut prepared = box_.prepare(streams.stdio(), None).unwrap();
    prepared.mount().unwrap();
    drop(prepared);
    assert_nothing_left(&box_);
}

fn it_dies_with_its_parent() {
    let box_ = Box_::new(&["/bin/sleep", "1000"]);
    let (mut reader, writer) = std::io::pipe().unwrap();
    use std::os::fd::AsFd;
    let parent = clone(Namespaces::empty(), None, &[writer.as_fd()], || {
        let streams = Streams::new();
        let Ok(running) = box_.start(&streams) else { return 1 };
        let pid = running.pid.to_le_bytes();
        std::io::Write::write_all(&mut &writer, &pid).unwrap();
        wait(&running.pidfd).map_or(1, |_| 0)
    })
    .unwrap();
    drop(writer);
    let mut pid = [0; 4];
    reader.read_exact(&mut pid).unwrap();
    let child = pidfd_open(i32::from_le_bytes(pid)).unwrap();
    signal(&parent.pidfd, 9).unwrap();
    assert_eq!(wait(&parent.pidfd).unwrap(), Ended::Signal(9));
    let mut fds = [rustix::event::PollFd::new(&child, rustix::event::PollFlags::IN)];
    let limit = rustix::event::Timespec { tv_sec: 20, tv_nsec: 0 };
    assert_eq!(rustix::event::poll(&mut fds, Some(&limit)).unwrap(), 1);
    let layout = sampan_sys::cgroup::Layout::detect().unwrap();
    sampan_sys::cgroup::Cgroup::at(&layout, &format!("{}/{}", cgroups(), box_.id)).unwrap().remove().unwrap();
}

fn memory_runs_out() {
    let mut box_ = Box_::sh("dd if=/dev/zero of=/dev/shm/x bs=1M count=60; exit 5");
    box_.config["linux"]["resources"]["memory"] = json!({"limit": 16 << 20});
    let streams = Streams::new();
    let prepared = box_.prepare(streams.stdio(), None).unwrap();
    let events = prepared.cgroup().oom_events().unwrap();
    let running = prepared.start().unwrap();
    wait(&running.pidfd).unwrap();
    assert!(running.sandbox.cgroup.oom_kills().unwrap() >= 1);
    let mut buffer = [0; 64];
    assert!(rustix::io::read(&events, &mut buffer).unwrap() > 0);
    running.sandbox.cgroup.remove().unwrap();
    assert_nothing_left(&box_);
}
