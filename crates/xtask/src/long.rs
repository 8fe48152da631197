//! `cargo xtask long`: what takes too long for every change, or needs what a test machine may not have.

use crate::command::{cargo, check, find};
use crate::{setup, speed, vm};
use anyhow::{Result, bail};

/// A long task: its name, what it does, and the function.
type Task = (&'static str, &'static str, fn() -> Result<()>);

const TASKS: &[Task] = &[
    ("deny", "licences, duplicates and sources of all dependencies (installs cargo-deny)", deny),
    ("peers", "the script of all verbs against the Docker that $SAMPAN_PEER names", peers),
    ("speed", "the promises on speed and size, beside the Docker that $SAMPAN_PEER names", speed::speed),
    ("soak", "the tests of the root package, twenty times", soak),
    ("cuts", "power cuts of a virtual machine in which containers are made and removed", vm::power_cuts),
];

/// Runs these tasks, or all; `list` prints them.
pub(crate) fn long(names: &[String]) -> Result<()> {
    if names.iter().any(|name| name == "list") {
        TASKS.iter().for_each(|(name, what, _)| println!("{name:8}{what}"));
        return Ok(());
    }
    if let Some(unknown) = names.iter().find(|name| !TASKS.iter().any(|task| task.0 == name.as_str())) {
        bail!("there is no long task {unknown}: cargo xtask long list");
    }
    for (name, _, task) in TASKS.iter().filter(|task| names.is_empty() || names.iter().any(|n| n == task.0)) {
        println!("== {name}");
        task()?;
    }
    Ok(())
}

fn deny() -> Result<()> {
    if find("cargo-deny").is_none() {
        check(cargo().args(["install", "--locked", "cargo-deny"]))?;
    }
    check(cargo().args(["deny", "check"]))
}

fn peers() -> Result<()> {
    check(cargo().args([
        "test",
        "--package=sampan",
        "--features=peers",
        "--test=verbs",
        "docker_does_the_same",
    ]))
}

/// How often the tests are run.
const ROUNDS: usize = 20;

fn soak() -> Result<()> {
    setup::tests()?;
    for round in 1..=ROUNDS {
        println!("== round {round} of {ROUNDS}");
        crate::test::test(&["--package=sampan".to_owned()])?;
    }
    Ok(())
}
