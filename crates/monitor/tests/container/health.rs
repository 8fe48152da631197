//! Health: when probes come, what counts, and that nothing of them is left.

use crate::Test;
use crate::bed::{Bed, Plan, process};
use crate::daemon::{Daemon, MULTIPLEXED};
use crate::life::anonymous;
use sampan_logs::journal;
use sampan_spec::Signal;
use sampan_spec::bundle::{HealthCheck, Restart};
use sampan_spec::health::{HealthStatus, Probe};
use sampan_spec::journal::{Event, Summary};
use sampan_spec::monitor::{Answer, Request};

pub(crate) const TESTS: &[Test] = &[
    ("health_follows_the_probes", health_follows_the_probes),
    ("a_probe_that_hangs", a_probe_that_hangs),
    ("a_probe_that_floods", a_probe_that_floods),
    ("a_probe_that_cannot_be_made", a_probe_that_cannot_be_made),
    ("failures_of_the_start_period", failures_of_the_start_period),
    ("nobody_probes_what_is_paused", nobody_probes_what_is_paused),
    ("a_restart_begins_anew", a_restart_begins_anew),
    ("many_probes_leave_nothing", many_probes_leave_nothing),
];

const MILLISECOND: u64 = 1_000_000;
const HOUR: u64 = 3600 * 1000 * MILLISECOND;

fn check(args: &[&str]) -> HealthCheck {
    HealthCheck {
        process: serde_json::from_value(process(args)).unwrap(),
        interval: 5 * MILLISECOND,
        timeout: HOUR,
        start_period: 0,
        start_interval: HOUR,
        retries: 2,
    }
}

/// A container that sleeps, with a check that is a script.
fn plan(script: &str, change: impl FnOnce(&mut HealthCheck)) -> Plan {
    let mut plan = Plan::sh("sleep 1000");
    let mut check = check(&["/bin/sh", "-c", script]);
    change(&mut check);
    plan.supervise.health = Some(check);
    plan
}

fn launch(plan: Plan) -> Bed {
    let mut bed = plan.launch();
    bed.start();
    bed
}

/// The next probe that ends: what it found, the status after it, and the failing streak.
fn next(daemon: &mut Daemon) -> (Probe, HealthStatus, u32) {
    match daemon.until(|event| matches!(event, Event::Probed { .. })).event {
        Event::Probed { probe, status, failing_streak } => (probe, status, failing_streak),
        other => panic!("{other:?}"),
    }
}

fn until_status(daemon: &mut Daemon, wanted: HealthStatus) {
    while next(daemon).1 != wanted {}
}

fn end(mut bed: Bed) {
    bed.daemon.call(Request::Signal { signal: Signal::KILL }).unwrap();
    bed.daemon.until_exit();
    bed.quit();
}

fn health_follows_the_probes() {
    let mut bed = launch(plan("echo why; [ -e /tmp/well ]", |_| {}));
    let (probe, status, streak) = next(&mut bed.daemon);
    assert_eq!((probe.code, probe.output.as_str(), status, streak), (1, "why\n", HealthStatus::Starting, 1));
    assert!(probe.start < probe.end);
    let (_, status, streak) = next(&mut bed.daemon);
    assert_eq!((status, streak), (HealthStatus::Unhealthy, 2));
    assert_eq!(bed.exec_output(": > /tmp/well").1, 0);
    until_status(&mut bed.daemon, HealthStatus::Healthy);
    assert_eq!(bed.exec_output("busybox rm /tmp/well").1, 0);
    until_status(&mut bed.daemon, HealthStatus::Unhealthy);
    let told = Summary::of(&bed.daemon.entries);
    assert_eq!(told.health.unwrap().log.len(), 5);
    // A user's own processes are not pushed out of memory by probes, which are known only as long as they run.
    assert!(told.execs.len() == 2 && told.execs.values().all(|exec| exec.code == Some(0)));
    end(bed);
}

/// It is killed, with all that it has begun.
fn a_probe_that_hangs() {
    let hangs = |check: &mut HealthCheck| check.timeout = 50 * MILLISECOND;
    let mut plan = plan("echo hi; sleep 1000 & sleep 1000; true", hangs);
    // One that waits for what others have left to it.
    plan.config["process"]["args"] =
        serde_json::json!(["/bin/sh", "-c", "sleep 1000 & while :; do wait; done"]);
    let mut bed = launch(plan);
    for streak in 1..6 {
        let (probe, status, failing) = next(&mut bed.daemon);
        assert_eq!((probe.code, failing), (-1, streak));
        assert_eq!(probe.output, "Health check exceeded timeout (50ms): hi\n");
        assert_eq!(status, if streak < 2 { HealthStatus::Starting } else { HealthStatus::Unhealthy });
    }
    let ended = bed.daemon.entries.iter().filter(|e| matches!(e.event, Event::ExecEnded { code: 137, .. }));
    assert!(ended.count() >= 5);
    // Process 1 and its child, this one, and at most the present probe's.
    let (count, _) = bed.exec_output("set -- /proc/[0-9]*; echo $#");
    assert!(count.trim().parse::<u32>().unwrap() <= 6, "{count}");
    end(bed);
}

fn a_probe_that_floods() {
    let mut bed = launch(plan("yes", |check| check.timeout = 200 * MILLISECOND));
    let (probe, ..) = next(&mut bed.daemon);
    assert_eq!(probe.code, -1);
    assert_eq!(probe.output, format!("Health check exceeded timeout (200ms): {}...", "y\n".repeat(2048)));
    end(bed);
    let mut bed = launch(plan("yes | head -c 1000000", |_| {}));
    let (probe, status, _) = next(&mut bed.daemon);
    assert_eq!((probe.code, status), (0, HealthStatus::Healthy));
    assert_eq!(probe.output.len(), 4096 + 3);
    end(bed);
}

fn a_probe_that_cannot_be_made() {
    let mut plan = Plan::sh("sleep 1000");
    plan.supervise.health = Some(check(&["/nope", "a"]));
    let mut bed = launch(plan);
    let (probe, ..) = next(&mut bed.daemon);
    assert_eq!(probe.code, -1);
    let want = "OCI runtime exec failed: exec failed: unable to start container process: exec: \"/nope\": stat /nope: no such \
                file or directory";
    assert_eq!(probe.output, want);
    end(bed);
}

/// They do not count, and probes come at their own pace; the first success ends that.
fn failures_of_the_start_period() {
    let change = |check: &mut HealthCheck| {
        (check.interval, check.start_period, check.start_interval) = (HOUR, HOUR, 5 * MILLISECOND);
    };
    let mut bed = launch(plan("[ -e /tmp/well ]", change));
    for _ in 0..4 {
        let (probe, status, streak) = next(&mut bed.daemon);
        assert_eq!((probe.code, status, streak), (1, HealthStatus::Starting, 0));
    }
    assert_eq!(bed.exec_output(": > /tmp/well").1, 0);
    until_status(&mut bed.daemon, HealthStatus::Healthy);
    let known = bed.daemon.entries.len();
    for _ in 0..20 {
        bed.exec_output("true");
    }
    let later = &bed.daemon.entries[known..];
    assert!(!later.iter().any(|entry| matches!(entry.event, Event::ProbeStarted { .. })), "{later:?}");
    end(bed);
}

fn nobody_probes_what_is_paused() {
    let mut bed = launch(plan("true", |check| check.interval = MILLISECOND));
    until_status(&mut bed.daemon, HealthStatus::Healthy);
    assert_eq!(bed.daemon.call(Request::Pause), Ok(Answer::Done));
    let own = |event: &Event| matches!(event, Event::Paused);
    bed.daemon.until(own);
    let summary = |daemon: &mut Daemon| match daemon.call(Request::Hello { version: 1 }) {
        Ok(Answer::Hello { summary, .. }) => summary,
        other => panic!("{other:?}"),
    };
    let paused = summary(&mut bed.daemon);
    assert_eq!(paused.health.unwrap().status, HealthStatus::Unhealthy);
    // Far longer than an interval: each answer is a turn of the monitor's loop.
    for _ in 0..1000 {
        assert!(summary(&mut bed.daemon).seq <= paused.seq + 1);
    }
    assert_eq!(bed.daemon.call(Request::Resume), Ok(Answer::Done));
    until_status(&mut bed.daemon, HealthStatus::Healthy);
    let from = bed.daemon.entries.iter().position(|entry| own(&entry.event)).unwrap();
    let until = bed.daemon.entries.iter().position(|entry| matches!(entry.event, Event::Resumed)).unwrap();
    let meanwhile = &bed.daemon.entries[from + 1..until];
    assert!(meanwhile.iter().all(|entry| matches!(entry.event, Event::ExecEnded { .. })), "{meanwhile:?}");
    end(bed);
}

fn a_restart_begins_anew() {
    let mut plan = plan("false", |_| {}).restart(Restart::Always);
    plan.config["process"]["args"] = serde_json::json!(["/bin/sh", "-c", "read line; exit 1"]);
    plan.supervise.stdin = sampan_spec::bundle::Stdin::Open;
    let mut bed = plan.launch();
    let mut attached = bed.attach(MULTIPLEXED, b"", b"");
    bed.start();
    until_status(&mut bed.daemon, HealthStatus::Unhealthy);
    attached.write(b"go\n");
    bed.daemon.until(|event| matches!(event, Event::Restarting { .. }));
    let fold = |bed: &Bed| Summary::of(&bed.daemon.entries).health.unwrap();
    assert_eq!(fold(&bed).status, HealthStatus::Unhealthy);
    bed.daemon.until(|event| matches!(event, Event::Started { probed: true, .. }));
    assert_eq!((fold(&bed).status, fold(&bed).failing_streak), (HealthStatus::Starting, 0));
    assert!(!fold(&bed).log.is_empty());
    let (_, status, streak) = next(&mut bed.daemon);
    assert_eq!((status, streak), (HealthStatus::Starting, 1));
    drop(attached);
    bed.daemon.call(Request::Stop { signal: Some(Signal::KILL), timeout: None }).unwrap();
    bed.daemon.until_exit();
    bed.quit();
}

/// Neither descriptors nor memory, and the journal stays bounded.
fn many_probes_leave_nothing() {
    let mut bed = launch(plan("yes | head -c 5000", |check| check.interval = MILLISECOND));
    let descriptors = |pid: i32| std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    until_status(&mut bed.daemon, HealthStatus::Healthy);
    let before = descriptors(bed.pid);
    for _ in 0..200 {
        next(&mut bed.daemon);
    }
    // A probe under way has some of its own.
    assert!(descriptors(bed.pid) < before + 50);
    let snapshots = bed.daemon.entries.iter().filter(|entry| matches!(entry.event, Event::Snapshot { .. }));
    assert!(snapshots.count() > 0);
    assert!(std::fs::metadata(bed.path("journal")).unwrap().len() < 300 << 10);
    let kib = anonymous(bed.pid);
    assert!(kib < 500, "{kib} KiB");
    assert!(journal::read(&bed.path("journal"), 0).unwrap().last().unwrap().seq > 600);
    end(bed);
}
