//! On this host's own hierarchies, as root, in a cgroup of the test's own.

use super::*;
use crate::process::{Ended, pidfd_open, spawn_detached, wait};
use std::ffi::CString;
use std::fs::File;
use std::sync::atomic::{AtomicU32, Ordering};

struct Own(Cgroup);

impl Own {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let path = format!("/sampan-test-{}/{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Self(Cgroup::create(&Layout::detect().unwrap(), &path).unwrap())
    }

    /// A process inside that sleeps until it is killed.
    fn sleeper(&self) -> (i32, OwnedFd) {
        let argv = ["sleep", "1000"].map(|w| CString::new(w).unwrap());
        let sleep = File::open("/bin/sleep").unwrap();
        spawn_detached(sleep.as_fd(), &argv, &[], &[], Some(&self.0.door().unwrap())).unwrap()
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.0.remove().unwrap();
        let parent = Path::new(self.0.path()).parent().unwrap().to_str().unwrap();
        // Another test may still have a child in it, and removes it then.
        for h in Cgroup::at(&Layout::detect().unwrap(), parent).unwrap().v1.iter() {
            let _ = std::fs::remove_dir(&h.folder);
        }
        if let Some(folder) = Cgroup::at(&Layout::detect().unwrap(), parent).unwrap().unified() {
            let _ = std::fs::remove_dir(folder);
        }
    }
}

#[test]
fn a_process_enters_freezes_and_is_killed() {
    let own = Own::new();
    let (pid, pidfd) = own.sleeper();
    assert_eq!(own.0.pids().unwrap(), [pid]);
    let membership = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let hierarchies = own.0.v1.len() + usize::from(own.0.unified.is_some());
    assert_eq!(membership.matches(own.0.path()).count(), hierarchies, "{membership}");
    own.0.freeze().unwrap();
    assert!(own.0.is_frozen().unwrap());
    own.0.thaw().unwrap();
    assert!(!own.0.is_frozen().unwrap());
    own.0.freeze().unwrap();
    own.0.kill_all().unwrap();
    assert_eq!(wait(&pidfd).unwrap(), Ended::Signal(9));
    assert!(pidfd_open(pid).is_err());
}

#[test]
fn removal_kills_what_is_left_and_takes_children_along() {
    let own = Own::new();
    let (_, pidfd) = own.sleeper();
    let child = own.0.unified.clone().unwrap_or_else(|| own.0.v1[0].folder.clone()).join("child");
    std::fs::create_dir(&child).unwrap();
    own.0.remove().unwrap();
    assert!(!child.exists());
    assert_eq!(wait(&pidfd).unwrap(), Ended::Signal(9));
    own.0.remove().unwrap();
}

#[test]
fn limits_arrive() {
    let own = Own::new();
    let limits = Limits {
        memory: Some(64 << 20),
        memory_reservation: Some(32 << 20),
        cpu_quota: Some(50_000),
        cpu_shares: Some(512),
        pids: Some(17),
        cpus: Some("0".into()),
        ..Limits::default()
    };
    own.0.limit(&limits).unwrap();
    let value = |controller, v1: &str, v2: &str| match own.0.place(controller).unwrap() {
        Place::V1(folder) => read(&folder.join(v1)).unwrap().trim().to_owned(),
        Place::V2(folder) => read(&folder.join(v2)).unwrap().trim().to_owned(),
    };
    assert_eq!(value("memory", "memory.limit_in_bytes", "memory.max"), "67108864");
    assert_eq!(value("memory", "memory.soft_limit_in_bytes", "memory.low"), "33554432");
    assert!(value("cpu", "cpu.cfs_quota_us", "cpu.max").starts_with("50000"));
    assert_eq!(value("pids", "pids.max", "pids.max"), "17");
    assert_eq!(value("cpuset", "cpuset.cpus", "cpuset.cpus"), "0");
    assert_eq!(own.0.oom_kills().unwrap(), 0);
    own.0.oom_events().unwrap();
}

#[test]
fn devices_are_restricted_in_both_versions() {
    let own = Own::new();
    let none = DeviceRule { allow: false, kind: None, major: None, minor: None, access: Access::all() };
    let null = DeviceRule {
        allow: true,
        kind: Some(DeviceKind::Char),
        major: Some(1),
        minor: Some(3),
        access: Access::all(),
    };
    own.0.restrict_devices(&[none, null]).unwrap();
    let shell = File::open("/bin/sh").unwrap();
    let script = "exec 2>&-; : </dev/null || exit 1; (: </dev/zero) && exit 2; exit 0";
    let argv = ["sh", "-c", script].map(|w| CString::new(w).unwrap());
    let (_, pidfd) = spawn_detached(shell.as_fd(), &argv, &[], &[], Some(&own.0.door().unwrap())).unwrap();
    assert_eq!(wait(&pidfd).unwrap(), Ended::Code(0));
}

#[test]
fn version_1_alone_freezes_and_kills_too() {
    let layout = Layout { unified: None, ..Layout::detect().unwrap() };
    if !layout.v1.iter().any(|h| h.controllers.iter().any(|c| c == "freezer")) {
        return; // a host with version 2 only
    }
    let path = format!("/sampan-test-{}/v1", std::process::id());
    let own = Own(Cgroup::create(&layout, &path).unwrap());
    let (pid, pidfd) = own.sleeper();
    assert_eq!(own.0.pids().unwrap(), [pid]);
    own.0.freeze().unwrap();
    assert!(own.0.is_frozen().unwrap());
    own.0.thaw().unwrap();
    own.0.kill_all().unwrap();
    assert_eq!(wait(&pidfd).unwrap(), Ended::Signal(9));
}

#[test]
fn what_somebody_else_removed_is_killed() {
    let own = Own::new();
    Cgroup::at(&Layout::detect().unwrap(), own.0.path()).unwrap().remove().unwrap();
    own.0.kill_all().unwrap();
    own.0.remove().unwrap();
}

#[test]
fn paths_stay_below_the_root() {
    for bad in ["", "/", "a", "/../a", "/a/../b"] {
        assert!(Cgroup::at(&Layout::default(), bad).is_err(), "{bad}");
    }
}
