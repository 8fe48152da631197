//! `events`: what a container uses, and that memory ran out, as JSON lines.

use super::args::Parsed;
use super::container::find;
use super::state::{Folder, State, Status};
use super::{CliError, Context};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sampan_sys::cgroup::{Cgroup, IoEntry, Usage};
use serde_json::{Value, json};
use std::os::fd::OwnedFd;
use std::time::Duration;

const INTERVAL: Duration = Duration::from_secs(5);

/// `events [--stats] [--interval TIME] ID`.
pub(super) fn events(mut context: Context<'_>, args: &Parsed) -> Result<i32, CliError> {
    let (folder, state) = find(&context, args.id()?)?;
    if folder.status(&state)? == Status::Stopped {
        return Err(CliError::NotRunning);
    }
    let cgroup = state.cgroup()?;
    if args.has("stats") {
        return context.say(&line("stats", &state, &statistics(&cgroup.usage()))).map(|()| 0);
    }
    let interval = args.text("interval").map_or(Some(INTERVAL), duration);
    let interval = interval.ok_or_else(|| CliError::Usage("invalid duration for flag --interval".into()))?;
    follow(&mut context, &folder, &state, &cgroup, interval).map(|()| 0)
}

fn line(kind: &str, state: &State, data: &Value) -> String {
    format!("{}\n", json!({"type": kind, "id": state.id, "data": data}))
}

/// Until the container has ended.
fn follow(
    context: &mut Context<'_>,
    folder: &Folder,
    state: &State,
    cgroup: &Cgroup,
    interval: Duration,
) -> Result<(), CliError> {
    let Some(process) = state.process() else { return Ok(()) };
    let memory = cgroup.oom_events()?;
    let mut kills = cgroup.oom_kills()?;
    while folder.status(state)? != Status::Stopped {
        let ready = wait(&process, &memory, interval)?;
        let now = cgroup.oom_kills().unwrap_or(kills);
        if now > kills {
            kills = now;
            context.say(&line("oom", state, &Value::Null))?;
        }
        if !ready {
            context.say(&line("stats", state, &statistics(&cgroup.usage())))?;
        }
    }
    Ok(())
}

/// Whether something happened before the time was over.
fn wait(process: &OwnedFd, memory: &OwnedFd, time: Duration) -> Result<bool, CliError> {
    let failed = |source| CliError::System { what: "wait for events", source };
    let mut fds = [PollFd::new(process, PollFlags::IN), PollFd::new(memory, PollFlags::IN)];
    let limit = Timespec { tv_sec: time.as_secs() as i64, tv_nsec: time.subsec_nanos().into() };
    let count = match poll(&mut fds, Some(&limit)) {
        Err(rustix::io::Errno::INTR) => 1,
        polled => polled.map_err(|e| failed(e.into()))?,
    };
    if !fds[1].revents().is_empty() {
        // Its content is of no interest, only that it is read.
        let _ = rustix::io::read(memory, &mut [0; 4096]);
    }
    Ok(count > 0)
}

/// As Go's programs write it: `5s`, `500ms`, `1m`.
fn duration(text: &str) -> Option<Duration> {
    let (unit, factor) =
        [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)].into_iter().find(|(unit, _)| {
            text.strip_suffix(unit).is_some_and(|n| n.ends_with(|c: char| c.is_ascii_digit()))
        })?;
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    Some(Duration::from_millis(number.checked_mul(factor)?)).filter(|time| !time.is_zero())
}

/// Usage with runc's names.
fn statistics(usage: &Usage) -> Value {
    let Usage { cpu, memory, pids, io } = usage;
    json!({
        "cpu": {
            "usage": {"total": cpu.total, "percpu": cpu.per_processor, "kernel": cpu.kernel, "user": cpu.user},
            "throttling": {"periods": cpu.periods, "throttledPeriods": cpu.throttled_periods,
                           "throttledTime": cpu.throttled},
        },
        "cpuset": {},
        "memory": {
            "cache": memory.stats.get("cache").or(memory.stats.get("file")).copied().unwrap_or(0),
            "usage": {"limit": memory.limit.unwrap_or(u64::MAX), "usage": memory.usage,
                      "max": memory.max_usage.unwrap_or(0), "failcnt": memory.failures},
            "raw": memory.stats,
        },
        "pids": {"current": pids.current.unwrap_or(0), "limit": pids.limit.unwrap_or(0)},
        "blkio": {"ioServiceBytesRecursive": entries(&io.bytes), "ioServicedRecursive": entries(&io.operations)},
        "hugetlb": {},
        "intel_rdt": {},
        "network_interfaces": null,
    })
}

fn entries(entries: &[IoEntry]) -> Vec<Value> {
    let entry =
        |e: &IoEntry| json!({"major": e.major, "minor": e.minor, "op": e.operation, "value": e.value});
    entries.iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in [
            ("5s", Some(5000)),
            ("250ms", Some(250)),
            ("2m", Some(120_000)),
            ("1h", Some(3_600_000)),
            ("0s", None),
        ] {
            assert_eq!(duration(text), millis.map(Duration::from_millis), "{text}");
        }
        for bad in ["", "5", "s", "-1s", "5x", "99999999999999999999h"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }
}
