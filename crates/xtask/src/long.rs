//! `cargo xtask long`: what takes too long for every change, or needs what a test machine may not have.

use crate::command::{cargo, check};
use crate::{deny, fuzz, setup, soak, speed, vm};
use anyhow::{Result, bail, ensure};
use std::env;
use std::time::Instant;

/// A long task: its name, what it does, and the function. That takes how much to do, where the user says so.
type Task = (&'static str, &'static str, fn(Option<u32>) -> Result<()>);

const TASKS: &[Task] = &[
    (
        "deny",
        "licences, duplicates, sources and advisories of all dependencies (installs cargo-deny)",
        deny::deny,
    ),
    ("fuzz", "the parsers of foreign bytes; N is seconds for each (installs cargo-fuzz)", fuzz::fuzz),
    ("peers", "the script of all verbs against the Docker that $SAMPAN_PEER names", peers),
    (
        "speed",
        "the promises on speed and size, beside the Docker that $SAMPAN_PEER names; N rounds",
        speed::speed,
    ),
    ("soak", "nothing grows while containers come and go; N rounds of all verbs", soak::soak),
    ("repeat", "the tests of the root package, N times", repeat),
    ("debian13", "`cargo xtask vm` on the next release of Debian", vm::debian13),
    ("cuts", "N power cuts of a virtual machine in which containers are made and removed", vm::power_cuts),
];

/// Runs these tasks, or all; `list` prints them. A number among the names says how much to do.
pub(crate) fn long(arguments: &[String]) -> Result<()> {
    if arguments.iter().any(|name| name == "list") {
        TASKS.iter().for_each(|(name, what, _)| println!("{name:8}{what}"));
        return Ok(());
    }
    let (amounts, names): (Vec<_>, Vec<_>) =
        arguments.iter().partition(|argument| argument.parse::<u32>().is_ok());
    let amount = amounts.first().and_then(|amount| amount.parse().ok());
    if let Some(unknown) = names.iter().find(|name| !TASKS.iter().any(|task| task.0 == name.as_str())) {
        bail!("there is no long task {unknown}: cargo xtask long list");
    }
    let wanted = TASKS.iter().filter(|task| names.is_empty() || names.iter().any(|name| *name == task.0));
    for (name, _, task) in wanted {
        println!("== {name}");
        let began = Instant::now();
        task(amount)?;
        println!("== {name}: passed in {} s", began.elapsed().as_secs());
    }
    Ok(())
}

fn peers(_: Option<u32>) -> Result<()> {
    setup::tests()?;
    ensure!(env::var_os("SAMPAN_PEER").is_some(), "SAMPAN_PEER must name a Docker: unix:///run/docker.sock");
    let test = ["--features=peers", "--test=verbs", "docker_does_the_same"];
    check(cargo().args(["test", "--package=sampan"]).args(test))
}

/// How often the tests are run.
const ROUNDS: u32 = 20;

fn repeat(rounds: Option<u32>) -> Result<()> {
    let rounds = rounds.unwrap_or(ROUNDS);
    for round in 1..=rounds {
        println!("== round {round} of {rounds}");
        crate::test::test(&["--package=sampan".to_owned()])?;
    }
    Ok(())
}
