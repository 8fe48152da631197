//! A damaged journal is read as far as it is whole, and a writer goes on behind that.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sampan_fuzz::folder;
use sampan_logs::journal::{Writer, read};
use sampan_spec::journal::{Event, Summary};
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

static JOURNAL: LazyLock<PathBuf> = LazyLock::new(|| folder().keep().join("journal"));

fuzz_target!(|input: &[u8]| {
    fs::write(&*JOURNAL, input).expect("write");
    let entries = read(&JOURNAL, 0).expect("a file that is there");
    assert!(entries.is_sorted_by(|a, b| a.seq < b.seq), "numbers do not count up");
    let summary = Summary::of(&entries);
    let mut writer = Writer::open(&JOURNAL).expect("nobody else writes it");
    assert_eq!(*writer.summary(), summary, "writer and reader differ");
    let written = writer.append(Event::Paused).expect("append");
    let after = read(&JOURNAL, 0).expect("a file that is there");
    assert_eq!(after.split_last(), Some((&written, &entries[..])), "the new line is not behind the others");
});
