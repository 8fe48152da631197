//! The log as a whole: what is written is what is read, over rotations, from the end, and while it grows.

use super::*;
use crate::testing::SmallDisk;
use proptest::prelude::*;
use sampan_spec::Timestamp;
use sampan_spec::monitor::LogQuery;
use sampan_spec::stream::Stream;
use std::fs;

const ALL: LogQuery = LogQuery {
    stdout: true,
    stderr: true,
    since: None,
    until: None,
    tail: None,
    timestamps: false,
    follow: false,
};

struct Log {
    folder: tempfile::TempDir,
    writer: Writer,
}

impl Log {
    fn new(max_size: Option<u64>, max_files: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let writer = Writer::open(&folder.path().join("log"), max_size, max_files).unwrap();
        Self { folder, writer }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn write(&mut self, stream: Stream, text: &[u8], second: i64) {
        self.writer.write(stream, text, Timestamp::from_second(second).unwrap()).unwrap();
    }

    fn reader(&self, query: LogQuery) -> Reader {
        Reader::open(&self.path(), query).unwrap()
    }

    fn read(&self, query: LogQuery) -> Vec<String> {
        rest(&mut self.reader(query))
    }
}

fn rest(reader: &mut Reader) -> Vec<String> {
    let mut lines = Vec::new();
    while let Reading::Line(line) = reader.next().unwrap() {
        lines.push(line.text.into_owned());
    }
    lines
}

#[test]
fn the_file_is_dockers() {
    let mut log = Log::new(None, 1);
    log.write(Stream::Stdout, b"one\ntw", 0);
    log.write(Stream::Stderr, b"<err>\n", 1);
    log.write(Stream::Stdout, b"o\nlast", 2);
    log.writer.finish(Timestamp::from_second(3).unwrap()).unwrap();
    let want = r#"{"log":"one\n","stream":"stdout","time":"1970-01-01T00:00:00Z"}
{"log":"\u003cerr\u003e\n","stream":"stderr","time":"1970-01-01T00:00:01Z"}
{"log":"two\n","stream":"stdout","time":"1970-01-01T00:00:02Z"}
{"log":"last","stream":"stdout","time":"1970-01-01T00:00:03Z"}
"#;
    assert_eq!(fs::read_to_string(log.path()).unwrap(), want);
}

#[test]
fn long_lines_come_in_pieces_with_one_time() {
    let mut log = Log::new(None, 1);
    log.write(Stream::Stdout, &[b'x'; 20_000], 1);
    log.write(Stream::Stdout, &[&[b'x'; 12_768][..], b"\nend\n"].concat(), 2);
    let text = fs::read_to_string(log.path()).unwrap();
    let times: Vec<_> = text.lines().map(|line| line.split("1970-").nth(1).unwrap()).collect();
    assert_eq!(
        times,
        ["01-01T00:00:01Z\"}", "01-01T00:00:01Z\"}", "01-01T00:00:01Z\"}", "01-01T00:00:02Z\"}"]
    );
    let lengths: Vec<_> = log.read(ALL).iter().map(String::len).collect();
    assert_eq!(lengths, [16384, 16384, 1, 4]);
}

#[test]
fn queries() {
    let mut log = Log::new(None, 1);
    for second in 0..6 {
        let stream = if second % 2 == 0 { Stream::Stdout } else { Stream::Stderr };
        log.write(stream, format!("{second}\n").as_bytes(), second);
    }
    let at = |second| Some(Timestamp::from_second(second).unwrap());
    for (query, want) in [
        (ALL, "0 1 2 3 4 5"),
        (LogQuery { stderr: false, ..ALL }, "0 2 4"),
        (LogQuery { since: at(2), ..ALL }, "2 3 4 5"),
        (LogQuery { until: at(3), ..ALL }, "0 1 2 3"),
        (LogQuery { since: at(2), until: at(3), ..ALL }, "2 3"),
        (LogQuery { tail: Some(0), ..ALL }, ""),
        (LogQuery { tail: Some(2), ..ALL }, "4 5"),
        (LogQuery { tail: Some(3), stdout: false, ..ALL }, "3 5"),
        (LogQuery { tail: Some(99), ..ALL }, "0 1 2 3 4 5"),
    ] {
        assert_eq!(log.read(query.clone()).concat().trim().replace('\n', " "), want, "{query:?}");
    }
    let mut reader = log.reader(LogQuery { until: at(3), ..ALL });
    rest(&mut reader);
    assert_eq!(reader.next().unwrap(), Reading::Ended);
}

#[test]
fn rotation_keeps_so_many_files() {
    let mut log = Log::new(Some(100), 3);
    for second in 0..20 {
        log.write(Stream::Stdout, format!("{second}\n").as_bytes(), second);
    }
    let mut names: Vec<_> = fs::read_dir(log.folder.path())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["log", "log.1", "log.2"]);
    assert_eq!(log.read(ALL).concat(), "14\n15\n16\n17\n18\n19\n");
    assert_eq!(log.read(LogQuery { tail: Some(3), ..ALL }).concat(), "17\n18\n19\n");
    let mut alone = Log::new(Some(100), 1);
    (0..5).for_each(|second| alone.write(Stream::Stdout, b"x\n", second));
    assert_eq!(alone.read(ALL).len(), 1);
}

#[test]
fn a_follower_misses_nothing_over_rotations() {
    let mut log = Log::new(Some(200), 3);
    let mut reader = log.reader(ALL);
    let mut got = Vec::new();
    for second in 0..200 {
        log.write(Stream::Stdout, format!("{second}\n").as_bytes(), second);
        if second % 3 == 0 {
            got.extend(rest(&mut reader));
        }
    }
    got.extend(rest(&mut reader));
    let want: Vec<_> = (0..200).map(|n| format!("{n}\n")).collect();
    assert_eq!(got, want);
    assert_eq!(reader.next().unwrap(), Reading::Behind);
}

#[test]
fn a_follower_may_begin_before_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let mut reader = Reader::open(&path, LogQuery { tail: Some(5), ..ALL }).unwrap();
    assert_eq!(reader.next().unwrap(), Reading::Behind);
    let mut writer = Writer::open(&path, None, 1).unwrap();
    writer.write(Stream::Stdout, b"x\n", Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(rest(&mut reader), ["x\n"]);
}

#[test]
fn damage_and_torn_lines() {
    let mut log = Log::new(None, 1);
    log.write(Stream::Stdout, b"a\n", 0);
    let good = fs::read_to_string(log.path()).unwrap();
    fs::write(log.path(), format!("{good}garbage\n{{\"log\":1}}\n\n{good}{}", &good[..20])).unwrap();
    assert_eq!(log.read(ALL), ["a\n", "a\n"]);
    log.writer = Writer::open(&log.path(), None, 1).unwrap();
    log.write(Stream::Stdout, b"b\n", 0);
    assert_eq!(log.read(ALL), ["a\n", "a\n", "b\n"]);
}

#[test]
fn a_full_disk_is_told_and_counted() {
    let mut writer = Writer::open(Path::new("/dev/full"), None, 1);
    if let Ok(writer) = &mut writer {
        assert!(writer.write(Stream::Stdout, b"x\n", Timestamp::UNIX_EPOCH).is_err());
        assert!(writer.take_lost() > 0);
        assert_eq!(writer.take_lost(), 0);
    }
}

proptest! {
    #[test]
    fn any_text_in_any_pieces_reads_back(
        text in "[a-z\"\\\\<é🎉\n]{0,300}", cuts in prop::collection::vec(0usize..300, 0..8), max in 50u64..500,
    ) {
        let mut log = Log::new(Some(max), 1000);
        let bytes = text.as_bytes();
        let mut cuts: Vec<_> = cuts.into_iter().map(|c| c.min(bytes.len())).collect();
        cuts.sort();
        let mut from = 0;
        for to in cuts.into_iter().chain([bytes.len()]) {
            log.write(Stream::Stdout, &bytes[from..to], 0);
            from = to;
        }
        log.writer.finish(Timestamp::UNIX_EPOCH).unwrap();
        let lines = log.read(ALL);
        prop_assert_eq!(lines.concat(), text);
        let tail = log.read(LogQuery { tail: Some(3), ..ALL });
        prop_assert_eq!(&tail[..], &lines[lines.len().saturating_sub(3)..]);
    }
}

fn lines(path: &Path) -> Vec<String> {
    Reader::open(path, ALL).map_or(Vec::new(), |mut reader| rest(&mut reader))
}

#[test]
fn a_log_that_cannot_be_rotated_grows_on() {
    let mut log = Log::new(Some(1), 2);
    let blocked = rotated(&log.path(), 1);
    fs::create_dir_all(blocked.join("x")).unwrap();
    log.write(Stream::Stdout, b"1\n2\n3\nfo", 0);
    log.write(Stream::Stdout, b"ur\n", 1);
    assert_eq!(fs::read_to_string(log.path()).unwrap().lines().count(), 4);
    fs::remove_dir_all(&blocked).unwrap();
    log.write(Stream::Stdout, b"5\n", 2);
    assert_eq!(log.read(ALL), ["1\n", "2\n", "3\n", "four\n", "5\n"]);
    assert_eq!(log.writer.take_lost(), 0);
}

#[test]
fn a_disk_that_fills_up_in_a_block_costs_the_lines_that_do_not_fit() {
    let disk = SmallDisk::new("32k");
    let path = disk.path("log");
    let mut writer = Writer::open(&path, Some(1 << 20), 2).unwrap();
    let size = |name: &str| fs::metadata(disk.path(name)).map_or(0, |metadata| metadata.len());
    let mut block = Vec::new();
    for number in 0..1000 {
        block.extend_from_slice(format!("{number}\n").as_bytes());
    }
    block.extend_from_slice(b"half");
    disk.fill();
    let now = Timestamp::UNIX_EPOCH;
    assert!(writer.write(Stream::Stdout, &block, now).is_err());
    assert_eq!((writer.take_lost() > 1000 * 60, size("log")), (true, 0));
    disk.free();
    writer.write(Stream::Stdout, b" and half\n", now).unwrap();
    assert_eq!((lines(&path), writer.take_lost()), (vec!["half and half\n".to_owned()], 0));
}

#[test]
fn an_empty_file_is_not_rotated() {
    // The root, two files of the log, and one that is in the way.
    let disk = SmallDisk::with(&[("size", "64k"), ("nr_inodes", "4")]);
    let path = disk.path("log");
    let mut writer = Writer::open(&path, Some(1), 3).unwrap();
    let now = Timestamp::UNIX_EPOCH;
    fs::write(disk.path("other"), "").unwrap();
    writer.write(Stream::Stdout, b"1\n", now).unwrap();
    writer.write(Stream::Stdout, b"2\n", now).unwrap();
    assert!(writer.write(Stream::Stdout, b"3\n4\n", now).is_err());
    assert!(writer.take_lost() > 100);
    assert!(writer.write(Stream::Stdout, b"5\n", now).is_err());
    fs::remove_file(disk.path("other")).unwrap();
    writer.write(Stream::Stdout, b"6\n", now).unwrap();
    assert_eq!(lines(&path), ["1\n", "2\n", "6\n"]);
}

#[test]
fn a_line_that_is_too_long_costs_only_itself() {
    let mut log = Log::new(None, 1);
    log.write(Stream::Stdout, b"one\n", 0);
    let mut text = fs::read(log.path()).unwrap();
    // What a power cut can leave.
    text.resize(text.len() + (5 << 20), 0);
    text.push(b'\n');
    fs::write(log.path(), &text).unwrap();
    log.write(Stream::Stdout, b"two\n", 1);
    assert_eq!(log.read(ALL), ["one\n", "two\n"]);
}

#[test]
fn what_was_rotated_is_read_although_the_newest_is_missing() {
    let mut log = Log::new(None, 2);
    log.write(Stream::Stdout, b"one\n", 0);
    fs::rename(log.path(), log.folder.path().join("log.1")).unwrap();
    assert_eq!(log.read(ALL), ["one\n"]);
}

proptest! {
    #[test]
    fn any_files_are_read_to_their_end(
        files in prop::collection::vec("(\\{\"log\":\"[a-z\\\\nu\"]{0,9}\",\"stream\":\"std(out|err)\",\"time\":\"2025-01-02T03:04:0[0-9]Z\"\\}\n|[ -~\0]{0,30}\n?){0,8}", 1..4),
        damage in any::<(prop::sample::Index, u8)>(),
        tail in prop::option::of(0..5u64),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut newlines = 0;
        for (number, text) in (0..).zip(&files) {
            let mut bytes = text.clone().into_bytes();
            if !bytes.is_empty() {
                let at = damage.0.index(bytes.len());
                bytes[at] = damage.1;
            }
            newlines += bytes.iter().filter(|byte| **byte == b'\n').count();
            fs::write(rotated(&path, number), bytes).unwrap();
        }
        let lines = rest(&mut Reader::open(&path, LogQuery { tail, ..ALL }).unwrap());
        prop_assert!(lines.len() <= tail.map_or(newlines, |tail| newlines.min(tail as usize)));
    }
}
