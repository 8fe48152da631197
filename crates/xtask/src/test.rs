//! `cargo xtask test`: all that must hold before a change goes in.

use crate::command::{cargo, check};
use crate::leftovers::Run;
use crate::{deny, setup, tidy};
use anyhow::{Context, Result, ensure};
use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// How many tests there were.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    passed: usize,
    failed: usize,
}

/// Checks everything and runs every test; with arguments, only `cargo test` with them.
pub(crate) fn test(arguments: &[String]) -> Result<()> {
    setup::tests()?;
    if arguments.is_empty() {
        check(cargo().args(["fmt", "--all", "--check"]))?;
        check(cargo().args(["fmt", "--manifest-path=fuzz/Cargo.toml", "--check"]))?;
        check(cargo().args(["clippy", "--quiet", "--workspace", "--all-targets", "--", "--deny=warnings"]))?;
        tidy::print()?;
        deny::deny_if_there()?;
    }
    let mut command = cargo();
    command.args(["test", "--no-fail-fast"]).args(packages(arguments)).args(arguments);
    let run = Run::begin()?;
    let tested = counted(run.mark(with_tools(&mut command)?));
    let left = run.end();
    let (count, success) = tested?;
    println!("{} passed, {} failed, {} left behind", count.passed, count.failed, left.len());
    left.iter().for_each(|line| println!("  left behind: {line}"));
    ensure!(success, "cargo test failed");
    ensure!(left.is_empty(), "the tests have left something behind");
    Ok(())
}

/// All packages, where the arguments name none: cargo would take both together for all.
fn packages(arguments: &[String]) -> &'static [&'static str] {
    let named = arguments.iter().any(|a| a.starts_with("-p") || a.starts_with("--package"));
    if named { &[] } else { &["--workspace"] }
}

/// Puts the programs that `setup` has unpacked, and the administrator's, on the command's path.
fn with_tools(command: &mut Command) -> Result<&mut Command> {
    let docker = setup::docker_client()?;
    let folder = docker.parent().context("Docker's client is in no folder")?.to_owned();
    let path = env::var_os("PATH").unwrap_or_default();
    let all = env::split_paths(&path).chain([folder, "/usr/sbin".into(), "/sbin".into()]);
    Ok(command.env("PATH", env::join_paths(all)?))
}

/// Runs `cargo test`, passes its output on and counts. Also returns whether it succeeded.
fn counted(command: &mut Command) -> Result<(Count, bool)> {
    let mut child = command.stdout(Stdio::piped()).spawn().context("cannot run cargo test")?;
    let output = child.stdout.take().context("cargo test has no output")?;
    let mut count = Count::default();
    for line in BufReader::new(output).lines() {
        let line = line.context("cannot read the output of cargo test")?;
        println!("{line}");
        count.add(&line);
    }
    Ok((count, child.wait().context("cannot wait for cargo test")?.success()))
}

impl Count {
    /// Adds a line like `test result: ok. 12 passed; 0 failed; ...`; other lines say nothing.
    fn add(&mut self, line: &str) {
        let Some((_, results)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for result in results.split("; ") {
            match result.split_once(' ') {
                Some((number, "passed")) => self.passed += number.parse().unwrap_or(0),
                Some((number, "failed")) => self.failed += number.parse().unwrap_or(0),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_package_is_tested_alone() {
        for (argument, want) in [("-psampan", 0), ("-p", 0), ("--package=sampan", 0), ("verbs", 1)] {
            assert_eq!(packages(&[argument.to_owned()]).len(), want, "{argument}");
        }
    }

    #[test]
    fn results_add_up() {
        let mut count = Count::default();
        for line in [
            "running 3 tests",
            "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.04s",
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1s",
        ] {
            count.add(line);
        }
        assert_eq!(count, Count { passed: 13, failed: 2 });
    }
}
