//! `cargo xtask long fuzz`: the targets in `fuzz/`, each for some seconds.
//!
//! ```text
//! fuzz/fuzz_targets/  a target per parser of foreign bytes, each with what must hold of any input
//! fuzz/seeds/         right inputs to begin with
//! fuzz/artifacts/     inputs that made a target fail
//! <target>/fuzz/      what is built; in `corpus` the inputs that reached new code, where the next run goes on
//! ```

use crate::command::{check, command, output, target};
use crate::setup;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How long each target runs, in seconds.
const SECONDS: u32 = 60;
/// An input that takes longer is a finding, in seconds.
const PATIENCE: u32 = 20;

/// Builds all targets and runs each for `seconds`.
///
/// # Errors
/// When targets fail: they are named, and their inputs are in `fuzz/artifacts`.
pub(crate) fn fuzz(seconds: Option<u32>) -> Result<()> {
    let fuzzer = Fuzzer { tool: setup::fuzzer()?, folder: target()?.join("fuzz") };
    check(fuzzer.command("build").arg("--target-dir").arg(&fuzzer.folder))?;
    let mut failed = Vec::new();
    for name in output(&mut fuzzer.command("list"))?.lines() {
        println!("== {name}");
        if fuzzer.run(name, seconds.unwrap_or(SECONDS)).is_err() {
            failed.push(name.to_owned());
        }
    }
    ensure!(failed.is_empty(), "these fuzz targets failed: {}", failed.join(", "));
    Ok(())
}

struct Fuzzer {
    tool: PathBuf,
    folder: PathBuf,
}

impl Fuzzer {
    /// The compiler's instrumentation needs a flag that it keeps for itself.
    fn command(&self, verb: &str) -> Command {
        let mut command = command(&self.tool);
        command.args(["fuzz", verb]).env("RUSTC_BOOTSTRAP", "1");
        command
    }

    fn run(&self, name: &str, seconds: u32) -> Result<()> {
        let corpus = self.folder.join("corpus").join(name);
        fs::create_dir_all(&corpus).with_context(|| format!("cannot make {}", corpus.display()))?;
        let mut command = self.command("run");
        command.arg("--target-dir").arg(&self.folder).arg(name).arg(corpus);
        command.arg(Path::new("fuzz/seeds").join(name)).arg("--");
        command.arg(format!("-max_total_time={seconds}")).arg(format!("-timeout={PATIENCE}"));
        check(&mut command)
    }
}
