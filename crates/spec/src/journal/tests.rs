//! A journal's fold, by examples and by whatever there may be.

use super::*;
use proptest::prelude::*;

fn fold(events: Vec<Event>) -> Summary {
    let entry = |(i, event)| Entry {
        seq: i as u64 + 1,
        time: Timestamp::from_second(i as i64).unwrap(),
        boot_ns: i as u64,
        event,
    };
    let entries: Vec<Entry> = events.into_iter().enumerate().map(entry).collect();
    for entry in &entries {
        let line = serde_json::to_string(entry).unwrap();
        assert_eq!(&serde_json::from_str::<Entry>(&line).unwrap(), entry, "{line}");
    }
    Summary::of(&entries)
}

fn started(pid: i32) -> Event {
    Event::Started { pid, boot_id: "b".into(), probed: false }
}

fn exited(code: i32) -> Event {
    Event::Exited(Exit { code, signal: None, oom: false })
}

fn restarting() -> Event {
    Event::Restarting { exit: Exit { code: 1, signal: None, oom: false }, delay_ms: 100 }
}

#[test]
fn a_life() {
    assert_eq!(fold(vec![]).status, Status::Created);
    assert_eq!(fold(vec![started(7)]).status, Status::Running { pid: 7 });
    assert_eq!(fold(vec![started(7), Event::Paused]).status, Status::Paused { pid: 7 });
    assert_eq!(fold(vec![started(7), Event::Paused, Event::Resumed]).status, Status::Running { pid: 7 });
    let ended = fold(vec![started(7), exited(3)]);
    assert_eq!((ended.status, ended.exit.unwrap().code), (Status::Exited, 3));
    assert_eq!(fold(vec![started(7), Event::MonitorLost]).exit.unwrap().code, 137);
}

#[test]
fn restarts_count_until_a_user_starts_it() {
    let again = |n: usize| {
        let mut events = vec![started(1)];
        (0..n).for_each(|_| events.extend([restarting(), started(2)]));
        events
    };
    assert_eq!(fold(again(3)).restarts, 3);
    let mut by_user = again(3);
    by_user.extend([exited(1), started(3)]);
    assert_eq!(fold(by_user).restarts, 0);
    let mut at_a_wish = again(3);
    at_a_wish.extend([Event::RestartRequested { signal: Signal::TERM }, restarting(), started(3)]);
    assert_eq!(fold(at_a_wish.clone()).restarts, 0);
    at_a_wish.extend([restarting(), started(4)]);
    assert_eq!(fold(at_a_wish).restarts, 1);
}

fn probed(code: i32) -> Event {
    let time = Timestamp::UNIX_EPOCH;
    let probe = Probe { start: time, end: time, code, output: "o".into() };
    Event::Probed { probe, status: HealthStatus::Healthy, failing_streak: 1 }
}

/// As Docker has it: the log outlives a restart, and who is not probed is not well.
#[test]
fn health_goes_with_the_process() {
    let begun = || Event::Started { pid: 7, boot_id: "b".into(), probed: true };
    let health = |events: Vec<Event>| {
        fold(events).health.map(|health| (health.status, health.failing_streak, health.log.len()))
    };
    assert_eq!(health(vec![started(7)]), None);
    assert_eq!(health(vec![begun()]), Some((HealthStatus::Starting, 0, 0)));
    assert_eq!(health(vec![begun(), probed(0)]), Some((HealthStatus::Healthy, 1, 1)));
    for end in [Event::Paused, exited(1), restarting(), Event::MonitorLost] {
        let mut events = vec![begun(), probed(0), end];
        assert_eq!(health(events.clone()), Some((HealthStatus::Unhealthy, 1, 1)));
        events.push(begun());
        assert_eq!(health(events), Some((HealthStatus::Starting, 0, 1)));
    }
    let many = std::iter::once(begun()).chain((0..9).map(probed)).collect();
    let log = fold(many).health.unwrap().log;
    assert_eq!(log.iter().map(|probe| probe.code).collect::<Vec<_>>(), [4, 5, 6, 7, 8]);
}

#[test]
fn a_start_that_failed() {
    let failure = Failure { stage: "exec".into(), errno: 2, message: "m".into() };
    let summary = fold(vec![Event::StartFailed { failure: failure.clone() }]);
    assert_eq!((summary.exit.unwrap().code, summary.error), (127, failure.start_text()));
    assert_eq!((summary.status, summary.finished), (Status::Created, None));
}

#[test]
fn a_snapshot_replaces_what_was_before() {
    let before = fold(vec![started(7), exited(3)]);
    let entry = Entry {
        seq: 9,
        time: Timestamp::UNIX_EPOCH,
        boot_ns: 0,
        event: Event::Snapshot { summary: before.clone().into() },
    };
    let line = serde_json::to_string(&entry).unwrap();
    assert_eq!(serde_json::from_str::<Entry>(&line).unwrap(), entry);
    let after = Summary::of([&entry]);
    assert_eq!(after, Summary { seq: 9, ..before });
}

fn process() -> ExecProcess {
    let process = Box::default();
    ExecProcess { process, stdin: false, stdout: true, stderr: true, detach_keys: vec![] }
}

fn event() -> impl Strategy<Value = Event> {
    let failure = || Failure { stage: "exec".into(), errno: 2, message: "m".into() };
    let id = || (0..4u8).prop_map(|i| ExecId::from_bytes([i; 32]));
    let exit = (any::<i32>(), any::<bool>()).prop_map(|(code, oom)| Exit { code, signal: None, oom });
    prop_oneof![
        any::<i32>().prop_map(started),
        any::<bool>().prop_map(|probed| Event::Started { pid: 7, boot_id: "b".into(), probed }),
        any::<i32>().prop_map(probed),
        id().prop_map(|exec| Event::ProbeStarted { exec }),
        exit.clone().prop_map(Event::Exited),
        (exit, any::<u64>()).prop_map(|(exit, delay_ms)| Event::Restarting { exit, delay_ms }),
        Just(Event::Paused),
        Just(Event::Resumed),
        Just(Event::OutOfMemory),
        Just(Event::MonitorLost),
        Just(Event::StartFailed { failure: failure() }),
        Just(Event::StopRequested { signal: Signal::KILL, kill: true }),
        id().prop_map(|exec| Event::ExecCreated { exec, process: process() }),
        (id(), any::<i32>()).prop_map(|(exec, pid)| Event::ExecStarted { exec, pid }),
        (id(), any::<i32>()).prop_map(|(exec, code)| Event::ExecEnded { exec, code }),
        id().prop_map(move |exec| Event::ExecFailed { exec, failure: failure() }),
        any::<u32>().prop_map(|restarts| Event::Snapshot {
            summary: Box::new(Summary { restarts, ..Summary::default() })
        }),
    ]
}

proptest! {
    /// Whatever a journal says, and in whatever order: a snapshot in its middle changes nothing but the number.
    #[test]
    fn any_entries_fold(entries in prop::collection::vec((any::<u64>(), event()), 0..40), cut in 0..40usize) {
        let entry = |(seq, event)| Entry { seq, time: Timestamp::UNIX_EPOCH, boot_ns: 0, event };
        let entries: Vec<Entry> = entries.into_iter().map(entry).collect();
        let whole = Summary::of(&entries);
        prop_assert_eq!(whole.seq, entries.iter().map(|entry| entry.seq).max().unwrap_or(0));
        let (before, after) = entries.split_at(cut.min(entries.len()));
        let summary = Box::new(Summary::of(before));
        let snapshot = entry((summary.seq, Event::Snapshot { summary }));
        let line = serde_json::to_vec(&snapshot).unwrap();
        let read = serde_json::from_slice::<Entry>(&line).unwrap();
        prop_assert_eq!(Summary::of([&read].into_iter().chain(after)), whole);
    }

    #[test]
    fn any_line_is_an_entry_or_an_error(event in event(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let entry = Entry { seq: 1, time: Timestamp::UNIX_EPOCH, boot_ns: 0, event };
        let mut line = serde_json::to_vec(&entry).unwrap();
        let at = at.index(line.len());
        line[at] = byte;
        if let Ok(entry) = serde_json::from_slice::<Entry>(&line) {
            let _ = Summary::of([&entry]);
            let again = serde_json::to_vec(&entry).unwrap();
            prop_assert_eq!(serde_json::from_slice::<Entry>(&again).unwrap(), entry);
        }
    }
}

#[test]
fn ended_execs_are_forgotten_oldest_first() {
    let id = |i: u8| ExecId::from_bytes([i; 32]);
    let mut events = vec![started(1)];
    for i in (0..100).rev() {
        events.push(Event::ExecCreated { exec: id(i), process: process() });
        events.push(Event::ExecEnded { exec: id(i), code: i32::from(i) });
    }
    let execs = fold(events).execs;
    assert_eq!(execs.len(), ENDED_EXECS_KEPT);
    assert_eq!(execs[&id(0)].code, Some(0));
    assert!(!execs.contains_key(&id(99)));
}
