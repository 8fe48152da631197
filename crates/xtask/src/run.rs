//! `cargo xtask run`: both programs, built and used in one go.

use crate::command::{cargo, check};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The programs that make up Sampan, as built.
pub(crate) struct Programs {
    /// The command line and the daemon.
    pub sampan: PathBuf,
    /// The runtime and the monitor.
    pub runtime: PathBuf,
}

/// Builds both programs and becomes `sampan run ARGUMENTS`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let programs = build()?;
    let failure = Command::new(&programs.sampan).arg("run").args(arguments).exec();
    Err(failure).with_context(|| format!("cannot run {}", programs.sampan.display()))
}

/// Builds both programs optimised. Returns where cargo has put them.
pub(crate) fn build() -> Result<Programs> {
    let arguments = ["build", "--release", "--bins", "--package=sampan"];
    check(cargo().args(arguments))?;
    let messages = cargo()
        .args(arguments)
        .args(["--quiet", "--message-format=json"])
        .stdout(Stdio::piped())
        .output()
        .context("cannot run cargo build")?;
    ensure!(messages.status.success(), "cargo build ended with {}", messages.status);
    let messages = String::from_utf8_lossy(&messages.stdout).into_owned();
    Ok(Programs {
        sampan: executable(&messages, "sampan")?,
        runtime: executable(&messages, "sampan-runtime")?,
    })
}

/// The path of a program among cargo's messages, one JSON object a line.
fn executable(messages: &str, name: &str) -> Result<PathBuf> {
    let parsed = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut ours = parsed.filter(|message| message["target"]["name"] == name);
    let path = ours.find_map(|message| message["executable"].as_str().map(PathBuf::from));
    path.with_context(|| format!("cargo has built no program {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_found_by_its_name() {
        let messages = "{\"target\":{\"name\":\"a\"},\"executable\":null}\n\
                        noise\n{\"target\":{\"name\":\"a\"},\"executable\":\"/t/a\"}\n";
        assert_eq!(executable(messages, "a").unwrap(), PathBuf::from("/t/a"));
        assert!(executable(messages, "b").is_err());
    }
}
