//! The real monitor with real containers, from a daemon's and from clients' side: needs root, and a static `/bin/busybox`.
//!
//! This program is its own harness, because a monitor wants a program with one thread: called as one, or as what compresses its
//! log, it is that.
//! Any other argument selects the tests with that text in their name.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test, although it is its own harness")]

mod bed;
mod daemon;
mod health;
mod life;
mod logs;
mod protocol;
mod streams;

use std::panic::catch_unwind;
use std::path::Path;
use std::process::ExitCode;

/// A test by name.
type Test = (&'static str, fn());

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [verb, bundle] = &args[..]
        && verb == "monitor"
    {
        sampan_monitor::run(Path::new(bundle)).unwrap();
        return ExitCode::SUCCESS;
    }
    if args == [sampan_monitor::PACK_LOG] {
        sampan_monitor::pack_log().unwrap();
        return ExitCode::SUCCESS;
    }
    let filter = args.iter().find(|a| !a.starts_with('-'));
    let all: Vec<Test> = [life::TESTS, health::TESTS, streams::TESTS, logs::TESTS, protocol::TESTS].concat();
    let wanted = all.iter().filter(|(name, _)| filter.is_none_or(|f| name.contains(f.as_str())));
    let mut failed = false;
    for (name, test) in wanted {
        let passed = catch_unwind(test).is_ok();
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        failed |= !passed;
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
