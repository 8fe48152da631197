//! Containers, looked at from inside: needs root, and a static `/bin/busybox`.
//!
//! This program is its own harness, because the runtime's functions want a program with one thread. Called with a verb, it
//! is the runtime's command line. An argument that is no verb selects the tests with that text in their name.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test, although it is its own harness")]

mod box_;
mod hooks;
mod look;
mod namespaces;
mod restart;
mod stop;
mod verbs;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

/// A test by name.
type Test = (&'static str, fn());

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|a| a == verbs::ROOT) {
        let code = sampan_runtime::cli::run(&args, &mut std::io::stdout(), &mut std::io::stderr());
        return ExitCode::from(code as u8);
    }
    let filter = args.iter().find(|a| !a.starts_with('-'));
    let all: Vec<Test> =
        [look::TESTS, restart::TESTS, stop::TESTS, verbs::TESTS, hooks::TESTS, namespaces::TESTS].concat();
    let wanted = all.iter().filter(|(name, _)| filter.is_none_or(|f| name.contains(f.as_str())));
    let mut failed = Vec::new();
    for (name, test) in wanted {
        let passed = catch_unwind(AssertUnwindSafe(test)).is_ok();
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        if !passed {
            failed.push(name);
        }
    }
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
