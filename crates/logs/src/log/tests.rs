//! The log as a whole: what is written is what is read, over rotations, from the end, and while it grows.

use super::files::rotated;
use super::*;
use crate::testing::SmallDisk;
use proptest::prelude::*;
use sampan_spec::Timestamp;
use sampan_spec::bundle::{self, LogFormat};
use sampan_spec::monitor::LogQuery;
use sampan_spec::stream::Stream;
use std::fs;
use std::path::{Path, PathBuf};

const ALL: LogQuery = LogQuery {
    stdout: true,
    stderr: true,
    since: None,
    until: None,
    tail: None,
    timestamps: false,
    details: false,
    follow: false,
};

fn settings(path: &Path, max_size: Option<u64>, max_files: u32) -> bundle::Log {
    bundle::Log {
        format: LogFormat::JsonFile,
        path: path.to_owned(),
        max_size,
        max_files,
        compress: false,
        attributes: [].into(),
    }
}

struct Log {
    folder: tempfile::TempDir,
    settings: bundle::Log,
    writer: Writer,
}

impl Log {
    fn new(max_size: Option<u64>, max_files: u32) -> Self {
        Self::with(|settings| bundle::Log { max_size, max_files, ..settings })
    }

    fn with(change: impl Fn(bundle::Log) -> bundle::Log) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = change(settings(&folder.path().join("log"), None, 1));
        let writer = Writer::open(&settings).unwrap();
        Self { folder, settings, writer }
    }

    /// As with another monitor.
    fn reopen(&mut self) {
        self.writer = Writer::open(&self.settings).unwrap();
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Compresses what is to be compressed.
    fn pack(&mut self) {
        while let Some((mut source, mut target)) = self.writer.next_to_pack().unwrap() {
            pack(&mut source, &mut target).unwrap();
            self.writer.packed(true).unwrap();
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn write(&mut self, stream: Stream, text: &[u8], second: i64) {
        self.writer.write(stream, text, Timestamp::from_second(second).unwrap()).unwrap();
    }

    fn reader(&self, query: LogQuery) -> Reader {
        Reader::open(&self.path(), self.settings.format, query).unwrap()
    }

    fn read(&self, query: LogQuery) -> Vec<String> {
        rest(&mut self.reader(query))
    }
}

fn text_of(line: &Line<'_>) -> String {
    let mut text = Vec::new();
    Renderer::new(&ALL).render(line, &mut text);
    String::from_utf8(text).unwrap()
}

fn rest(reader: &mut Reader) -> Vec<String> {
    let mut lines = Vec::new();
    while let Reading::Line(line) = reader.next().unwrap() {
        lines.push(text_of(&line));
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
    assert_eq!(log.names(), ["log", "log.1", "log.2"]);
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
    let mut reader = Reader::open(&path, LogFormat::JsonFile, LogQuery { tail: Some(5), ..ALL }).unwrap();
    assert_eq!(reader.next().unwrap(), Reading::Behind);
    let mut writer = Writer::open(&settings(&path, None, 1)).unwrap();
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
    log.reopen();
    log.write(Stream::Stdout, b"b\n", 0);
    assert_eq!(log.read(ALL), ["a\n", "a\n", "b\n"]);
}

#[test]
fn a_full_disk_is_told_and_counted() {
    let mut writer = Writer::open(&settings(Path::new("/dev/full"), None, 1));
    if let Ok(writer) = &mut writer {
        assert!(writer.write(Stream::Stdout, b"x\n", Timestamp::UNIX_EPOCH).is_err());
        assert!(writer.take_lost() > 0);
        assert_eq!(writer.take_lost(), 0);
    }
}

proptest! {
    #[test]
    fn any_text_in_any_pieces_reads_back(
        local in any::<bool>(), text in "[a-z\"\\\\<é🎉\n]{0,300}", cuts in prop::collection::vec(0usize..300, 0..8), max in 50u64..500,
    ) {
        let format = if local { LogFormat::Local } else { LogFormat::JsonFile };
        let mut log = Log::with(|settings| bundle::Log { format, max_size: Some(max), max_files: 1000, ..settings });
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
    Reader::open(path, LogFormat::JsonFile, ALL).map_or(Vec::new(), |mut reader| rest(&mut reader))
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
    let mut writer = Writer::open(&settings(&path, Some(1 << 20), 2)).unwrap();
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
    let mut writer = Writer::open(&settings(&path, Some(1), 3)).unwrap();
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
        let lines = rest(&mut Reader::open(&path, LogFormat::JsonFile, LogQuery { tail, ..ALL }).unwrap());
        prop_assert!(lines.len() <= tail.map_or(newlines, |tail| newlines.min(tail as usize)));
    }
}

fn local() -> Log {
    Log::with(|settings| bundle::Log { format: LogFormat::Local, ..settings })
}

#[test]
fn attributes_are_in_each_line_and_shown_on_demand() {
    let attributes = [("tag".to_owned(), "a b".to_owned())];
    let mut log = Log::with(|settings| bundle::Log { attributes: attributes.clone().into(), ..settings });
    log.write(Stream::Stdout, b"x\n", 0);
    let text = fs::read_to_string(log.path()).unwrap();
    assert_eq!(
        text,
        "{\"log\":\"x\\n\",\"stream\":\"stdout\",\"attrs\":{\"tag\":\"a b\"},\"time\":\"1970-01-01T00:00:00Z\"}\n"
    );
    let query = LogQuery { details: true, ..ALL };
    let mut reader = log.reader(query.clone());
    let Reading::Line(line) = reader.next().unwrap() else { panic!("no line") };
    assert_eq!(line.attributes, attributes);
    let mut out = Vec::new();
    Renderer::new(&query).render(&line, &mut out);
    assert_eq!(out, b"tag=a+b x\n");
}

#[test]
fn local_keeps_any_bytes() {
    let mut log = local();
    log.write(Stream::Stdout, b"a\xff\x00\n\nx", 0);
    log.writer.finish(Timestamp::UNIX_EPOCH).unwrap();
    let mut reader = log.reader(ALL);
    let mut out = Vec::new();
    while let Reading::Line(line) = reader.next().unwrap() {
        Renderer::new(&ALL).render(&line, &mut out);
    }
    assert_eq!(out, b"a\xff\x00\n\nx");
}

#[test]
fn a_torn_record_is_ignored_and_cut() {
    let mut log = local();
    log.write(Stream::Stdout, b"a\nb\n", 0);
    let good = fs::read(log.path()).unwrap();
    for cut in 1..good.len() / 2 {
        fs::write(log.path(), &good[..good.len() - cut]).unwrap();
        assert_eq!(log.read(ALL), ["a\n"], "{cut}");
        assert_eq!(log.read(LogQuery { tail: Some(1), ..ALL }), ["a\n"], "{cut}");
        log.reopen();
        log.write(Stream::Stdout, b"c\n", 0);
        assert_eq!(log.read(ALL), ["a\n", "c\n"], "{cut}");
    }
}

#[test]
fn damage_costs_the_rest_of_its_file() {
    let mut log = Log::with(|settings| bundle::Log {
        format: LogFormat::Local,
        max_size: Some(1),
        max_files: 3,
        ..settings
    });
    log.write(Stream::Stdout, b"1\n2\n3\n", 0);
    let path = rotated(&log.path(), 1);
    fs::write(&path, [fs::read(&path).unwrap(), vec![0xff; 100]].concat()).unwrap();
    assert_eq!(log.read(ALL), ["1\n", "2\n", "3\n"]);
}

fn packing(format: LogFormat, max_size: u64) -> Log {
    Log::with(|settings| bundle::Log {
        format,
        max_size: Some(max_size),
        max_files: 4,
        compress: true,
        ..settings
    })
}

#[test]
fn compressed_files_are_read_like_others() {
    for format in [LogFormat::JsonFile, LogFormat::Local] {
        let mut log = packing(format, 300);
        let mut all = Vec::new();
        for second in 0..40 {
            let text = format!("{second}\n");
            log.write(Stream::Stdout, text.as_bytes(), second);
            all.push(text);
            log.pack();
        }
        assert_eq!(log.names(), ["log", "log.1.gz", "log.2.gz", "log.3.gz"]);
        let lines = log.read(ALL);
        assert!(lines.len() > 10 && all.ends_with(&lines), "{lines:?}");
        for tail in 0..=lines.len() {
            let got = log.read(LogQuery { tail: Some(tail as u64), ..ALL });
            assert_eq!(got, all[all.len() - tail..], "{tail}");
        }
        let since = Some(Timestamp::from_second(35).unwrap());
        assert_eq!(log.read(LogQuery { since, ..ALL }), all[35..]);
    }
}

#[test]
fn a_follower_knows_a_file_again_that_was_compressed() {
    for format in [LogFormat::JsonFile, LogFormat::Local] {
        let mut log = packing(format, 300);
        let mut reader = log.reader(ALL);
        let (mut got, mut all) = (Vec::new(), Vec::new());
        for second in 0..200 {
            let text = format!("{second}\n");
            log.write(Stream::Stdout, text.as_bytes(), second);
            all.push(text);
            if second % 2 == 0 {
                log.pack();
            }
            if second % 5 == 0 {
                got.extend(rest(&mut reader));
            }
        }
        got.extend(rest(&mut reader));
        assert_eq!(got, all, "{format:?}");
    }
}

#[test]
fn a_file_that_is_compressed_while_it_moves_on_gets_its_present_name() {
    let mut log = packing(LogFormat::JsonFile, 1);
    let fill = |log: &mut Log| log.write(Stream::Stdout, b"x\n", 0);
    fill(&mut log);
    fill(&mut log);
    let (mut source, mut target) = log.writer.next_to_pack().unwrap().unwrap();
    assert!(log.writer.next_to_pack().unwrap().is_none(), "one at a time");
    fill(&mut log);
    pack(&mut source, &mut target).unwrap();
    log.writer.packed(true).unwrap();
    assert_eq!(log.names(), ["log", "log.1", "log.2.gz"]);
    let (mut source, mut target) = log.writer.next_to_pack().unwrap().unwrap();
    (0..4).for_each(|_| fill(&mut log));
    pack(&mut source, &mut target).unwrap();
    log.writer.packed(true).unwrap();
    assert_eq!(log.names(), ["log", "log.1", "log.2", "log.3"], "it is gone");
    log.pack();
    assert_eq!(log.names(), ["log", "log.1.gz", "log.2.gz", "log.3.gz"]);
}

#[test]
fn a_file_that_cannot_be_compressed_stays() {
    let mut log = packing(LogFormat::JsonFile, 1);
    (0..2).for_each(|second| log.write(Stream::Stdout, b"x\n", second));
    log.writer.next_to_pack().unwrap().unwrap();
    log.writer.packed(false).unwrap();
    assert!(log.writer.next_to_pack().unwrap().is_none());
    assert_eq!(log.names(), ["log", "log.1"]);
    log.write(Stream::Stdout, b"x\n", 0);
    log.writer.next_to_pack().unwrap().unwrap();
    // Who was to do it has written nothing.
    log.writer.packed(true).unwrap();
    assert_eq!(log.names(), ["log", "log.1", "log.2"]);
    log.reopen();
    fs::remove_file(rotated(&log.path(), 2)).unwrap();
    log.writer.next_to_pack().unwrap().unwrap();
    log.writer.packed(false).unwrap();
    assert!(log.writer.next_to_pack().unwrap().is_none());
    assert_eq!(log.names(), ["log", "log.1"]);
    log.writer = Writer::open(&log.settings).unwrap();
    fs::write(log.folder.path().join("log.packing"), "of one that was killed").unwrap();
    log.reopen();
    log.pack();
    assert_eq!(log.names(), ["log", "log.1.gz"]);
}

proptest! {
    #[test]
    fn any_compressed_file_is_read_to_its_end(damage in any::<(prop::sample::Index, u8)>(), cut in any::<prop::sample::Index>()) {
        let mut log = packing(LogFormat::Local, 200);
        (0..9).for_each(|second| log.write(Stream::Stdout, b"some text\n", second));
        log.pack();
        let path = log.folder.path().join("log.1.gz");
        let mut bytes = fs::read(&path).unwrap();
        let at = damage.0.index(bytes.len());
        bytes[at] ^= damage.1;
        bytes.truncate(cut.index(bytes.len() + 1));
        fs::write(&path, bytes).unwrap();
        for tail in [None, Some(5)] {
            let mut reader = log.reader(LogQuery { tail, ..ALL });
            let lines = (0..99).take_while(|_| matches!(reader.next(), Ok(Reading::Line(_)))).count();
            prop_assert!(lines <= 9);
        }
    }
}
