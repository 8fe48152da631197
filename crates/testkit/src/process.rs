//! Processes as `/proc` shows them, and waiting for what will become true.

use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// What has not become true after this long never will, even on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
const GLANCE: Duration = Duration::from_millis(5);

/// Waits until `what` holds.
///
/// # Panics
/// When it does not within half a minute.
#[track_caller]
pub fn eventually(what: &str, holds: impl FnMut() -> bool) {
    assert!(soon(holds), "still not so: {what}");
}

/// Waits until this holds, half a minute at most. Returns whether it does.
pub fn soon(holds: impl FnMut() -> bool) -> bool {
    within(PATIENCE, holds)
}

/// Waits until this holds, for what takes longer. Returns whether it does.
pub fn within(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        match holds() {
            true => return true,
            false if Instant::now() > deadline => return false,
            false => thread::sleep(GLANCE),
        }
    }
}

/// The processes whose command line mentions this path, with their command lines.
pub fn pids_mentioning(path: &Path) -> Vec<(i32, String)> {
    let wanted = path.to_string_lossy().into_owned();
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let with_line = |pid: i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        line.contains(&wanted).then_some((pid, line))
    };
    pids.filter_map(with_line).collect()
}

/// Sends a signal; a process that is gone already is none.
pub(crate) fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, signal);
    }
}

/// Whether a process runs: it exists and is no zombie.
pub(crate) fn runs(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}
