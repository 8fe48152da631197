//! The json-file log: every line that a plain JSON reader understands is given out with the same text, stream and time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sampan_fuzz::folder;
use sampan_logs::log::{Reader, Reading};
use sampan_spec::Timestamp;
use sampan_spec::bundle::LogFormat;
use sampan_spec::monitor::LogQuery;
use sampan_spec::stream::Stream;
use serde::Deserialize;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

static LOG: LazyLock<PathBuf> = LazyLock::new(|| folder().keep().join("log"));

#[derive(Debug, PartialEq, Deserialize)]
struct Plain {
    #[serde(default)]
    log: String,
    stream: Stream,
    time: Timestamp,
}

fuzz_target!(|input: &[u8]| {
    fs::write(&*LOG, input).expect("write");
    let found = read(None);
    let whole = input.iter().rposition(|byte| *byte == b'\n').map_or(&input[..0], |end| &input[..end]);
    let lines = whole.split(|byte| *byte == b'\n');
    let plain = lines.filter_map(|line| serde_json::from_slice::<Plain>(line).ok());
    let mut rest = found.iter();
    for line in plain.filter(|line| matches!(line.stream, Stream::Stdout | Stream::Stderr)) {
        assert!(rest.any(|found| *found == line), "{line:?} is not among {found:?}");
    }
    let last = read(Some(2));
    assert!(found.ends_with(&last), "the tail {last:?} is not the end of {found:?}");
});

fn read(tail: Option<u64>) -> Vec<Plain> {
    let query = LogQuery {
        stdout: true,
        stderr: true,
        since: None,
        until: None,
        tail,
        timestamps: false,
        details: false,
        follow: false,
    };
    let mut reader = Reader::open(&LOG, LogFormat::JsonFile, query).expect("a file that is there");
    let mut found = Vec::new();
    while let Ok(Reading::Line(line)) = reader.next() {
        let log = String::from_utf8(line.text.into_owned()).expect("text is UTF-8");
        found.push(Plain { log, stream: line.stream, time: line.time });
    }
    found
}
