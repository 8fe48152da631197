//! The journal's file: torn lines, two writers, rewriting.

use super::*;
use crate::testing::SmallDisk;
use proptest::prelude::*;
use sampan_spec::journal::{Event, Exit, Status, Summary};
use std::fs;
use std::path::Path;

fn journal() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    (folder, path)
}

fn started(pid: i32) -> Event {
    Event::Started { pid, boot_id: "b".into(), probed: false }
}

fn seqs(path: &Path, after: u64) -> Vec<u64> {
    read(path, after).unwrap().iter().map(|e| e.seq).collect()
}

#[test]
fn what_is_written_is_read() {
    let (_folder, path) = journal();
    assert_eq!(read(&path, 0).unwrap(), []);
    let mut writer = Writer::open(&path).unwrap();
    let first = writer.append(started(7)).unwrap();
    let second = writer.append(Event::Paused).unwrap();
    assert_eq!(read(&path, 0).unwrap(), [first, second.clone()]);
    assert_eq!(read(&path, 1).unwrap(), [second]);
    assert_eq!(writer.summary().status, Status::Paused { pid: 7 });
    drop(writer);
    assert_eq!(Writer::open(&path).unwrap().append(Event::Resumed).unwrap().seq, 3);
}

#[test]
fn there_is_one_writer() {
    let (_folder, path) = journal();
    let writer = Writer::open(&path).unwrap();
    assert!(matches!(Writer::open(&path), Err(JournalError::Locked { .. })));
    drop(writer);
    Writer::open(&path).unwrap();
}

#[test]
fn a_torn_line_is_ignored_and_cut() {
    let (_folder, path) = journal();
    Writer::open(&path).unwrap().append(started(7)).unwrap();
    let whole = fs::read(&path).unwrap();
    for torn in [&b"{\"seq\":2"[..], b"\0\0\0", &whole[..whole.len() - 1]] {
        fs::write(&path, [&whole, torn].concat()).unwrap();
        assert_eq!(seqs(&path, 0), [1]);
        let mut writer = Writer::open(&path).unwrap();
        writer.append(Event::Paused).unwrap();
        assert_eq!(seqs(&path, 0), [1, 2]);
    }
}

#[test]
fn a_damaged_line_costs_only_itself() {
    let (_folder, path) = journal();
    let mut writer = Writer::open(&path).unwrap();
    for pid in 1..=3 {
        writer.append(started(pid)).unwrap();
    }
    drop(writer);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"seq\":2", "\"seq\":\0", 1)).unwrap();
    assert_eq!(seqs(&path, 0), [1, 3]);
    assert_eq!(Writer::open(&path).unwrap().append(Event::Paused).unwrap().seq, 4);
}

#[test]
fn a_number_that_leaves_none_behind_it_is_damage() {
    let (_folder, path) = journal();
    let mut writer = Writer::open(&path).unwrap();
    writer.append(started(1)).unwrap();
    writer.append(started(2)).unwrap();
    drop(writer);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"seq\":1", &format!("\"seq\":{}", u64::MAX), 1)).unwrap();
    assert_eq!(Writer::open(&path).unwrap().append(Event::Paused).unwrap().seq, 3);
    assert_eq!(seqs(&path, 0), [2, 3]);
}

#[test]
fn a_grown_file_becomes_one_snapshot() {
    let (_folder, path) = journal();
    let mut writer = Writer::open(&path).unwrap();
    let mut snapshots = 0;
    for pid in 0..4000 {
        writer.append(started(pid)).unwrap();
        snapshots += u64::from(writer.compact().unwrap().is_some());
    }
    let code = Exit { code: 3, signal: None, oom: false };
    writer.append(Event::Exited(code)).unwrap();
    assert!(snapshots > 0 && fs::metadata(&path).unwrap().len() < 256 << 10);
    let all = read(&path, 0).unwrap();
    assert!(matches!(all[0].event, Event::Snapshot { .. }));
    assert_eq!(all.last().unwrap().seq, 4001 + snapshots);
    assert_eq!(&Summary::of(&all), writer.summary());
    assert!(matches!(Writer::open(&path), Err(JournalError::Locked { .. })), "the lock moves with the file");
}

#[test]
fn room_is_kept_ahead() {
    use std::os::unix::fs::MetadataExt;
    let (_folder, path) = journal();
    let _writer = Writer::open(&path).unwrap();
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!(metadata.len(), 0);
    assert!(metadata.blocks() * 512 >= 8 << 10);
}

/// A process to execute, of about a usual size.
fn exec_created(number: u8) -> Event {
    let process: sampan_spec::journal::ExecProcess = serde_json::from_value(serde_json::json!({
        "process": {"args": ["x".repeat(1500)], "cwd": "/", "user": {"uid": 0, "gid": 0}},
        "stdin": false, "stdout": true, "stderr": true,
    }))
    .unwrap();
    Event::ExecCreated { exec: sampan_spec::ExecId::from_bytes([number; 32]), process }
}

#[test]
fn a_full_disk_leaves_room_for_what_happens_to_process_1() {
    let disk = SmallDisk::new("64k");
    let path = disk.path("journal");
    let mut writer = Writer::open(&path).unwrap();
    writer.append(started(7)).unwrap();
    disk.fill();
    let refused = (0..50).filter(|number| writer.append(exec_created(*number)).is_err()).count();
    assert!((40..50).contains(&refused), "{refused}");
    assert!(writer.write_snapshot().is_err());
    for _ in 0..8 {
        writer.append(Event::Paused).unwrap();
        writer.append(Event::Resumed).unwrap();
    }
    let exited = writer.append(Event::Exited(Exit { code: 3, signal: None, oom: false })).unwrap();
    assert_eq!(read(&path, 0).unwrap().last(), Some(&exited));
    disk.free();
    writer.append(started(8)).unwrap();
    let snapshot = writer.write_snapshot().unwrap();
    assert_eq!(read(&path, exited.seq + 1).unwrap(), [snapshot]);
    assert_eq!(&Summary::of(&read(&path, 0).unwrap()), writer.summary());
}

#[test]
fn what_a_full_disk_took_in_half_is_replaced() {
    let disk = SmallDisk::new("64k");
    let path = disk.path("journal");
    let mut writer = Writer::open(&path).unwrap();
    disk.fill();
    let written = (0..1000).take_while(|pid| writer.append(started(*pid)).is_ok()).count();
    assert!(written > 40, "{written}");
    assert!(fs::read(&path).unwrap().last() != Some(&b'\n'), "nothing was torn");
    assert_eq!(seqs(&path, 0).len(), written);
    disk.free();
    writer.append(Event::Paused).unwrap();
    assert_eq!(seqs(&path, 0), (1..=written as u64).chain([written as u64 + 2]).collect::<Vec<_>>());
}

proptest! {
    #[test]
    fn any_bytes_are_survived(content in prop::collection::vec(any::<u8>(), 0..400), cut in 0usize..400) {
        let (_folder, path) = journal();
        let mut writer = Writer::open(&path).unwrap();
        writer.append(started(1)).unwrap();
        drop(writer);
        let mut bytes = fs::read(&path).unwrap();
        bytes.truncate(cut.max(1));
        bytes.extend(content);
        fs::write(&path, &bytes).unwrap();
        let mut writer = Writer::open(&path).unwrap();
        let entry = writer.append(Event::Paused).unwrap();
        let read = read(&path, 0).unwrap();
        prop_assert_eq!(read.last(), Some(&entry));
    }
}
