//! The project's own tasks: `cargo xtask` lists them. Everything that a contributor or the continuous integration does
//! besides plain cargo is here, so that both do the same.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a task talks to whoever runs it")]

mod command;
mod debian;
mod deny;
mod fuzz;
mod leftovers;
mod long;
mod run;
mod setup;
mod soak;
mod speed;
mod test;
mod tidy;
mod vm;

use anyhow::{Result, bail};
use std::env;

const USAGE: &str = "\
usage: cargo xtask TASK

  build             build both programs optimised, side by side in the target folder
  run ARG...        build both programs optimised, then `sampan run ARG...`
  test [ARG...]     install what tests need, then check format, lints and house rules, and run every test;
                    ARGs go to `cargo test`, and the checks are left out
  setup             only install what tests need (Debian and Ubuntu, as root)
  tidy              only check the house rules; prints the sizes of files and functions
  vm [SCRIPT]       the smoke test, or a script of yours, in a virtual machine with a stock Debian 12
  long [NAME...] [N]  what takes too long for every change: `cargo xtask long list`
";

fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let task = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    match task.as_str() {
        "build" => run::build()
            .map(|programs| println!("{}\n{}", programs.sampan.display(), programs.runtime.display())),
        "run" => run::run(&rest),
        "test" => test::test(&rest),
        "setup" => setup::setup(),
        "tidy" => tidy::print(),
        "vm" => vm::run(rest.first().map(String::as_ref)),
        "long" => long::long(&rest),
        _ => bail!("{USAGE}"),
    }
}
