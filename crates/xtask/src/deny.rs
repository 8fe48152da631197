//! `cargo xtask long deny`: what the dependencies must be (`deny.toml`). All but the advisories holds on every commit, so
//! `cargo xtask test` checks it, too, where cargo-deny is there.

use crate::command::{check, command};
use crate::setup;
use anyhow::Result;
use std::path::Path;

const TOOL: &str = "cargo-deny";

/// Checks everything; installs cargo-deny. Where the database of advisories cannot be had, it says so and goes on.
pub(crate) fn deny(_: Option<u32>) -> Result<()> {
    let tool = setup::cargo_tool(TOOL)?;
    rules(&tool)?;
    let fetched = command(&tool).arg("fetch").arg("db").status();
    if !fetched.is_ok_and(|status| status.success()) {
        println!("NOT CHECKED: advisories, since their database cannot be fetched from here");
        return Ok(());
    }
    check(command(&tool).args(["check", "--disable-fetch", "advisories"]))
}

/// Checks licences, duplicates and sources, if cargo-deny is there.
pub(crate) fn deny_if_there() -> Result<()> {
    match setup::find_cargo_tool(TOOL)? {
        Some(tool) => rules(&tool),
        None => {
            println!(
                "skipped: licences, duplicates and sources of the dependencies (`cargo xtask long deny` installs {TOOL})"
            );
            Ok(())
        }
    }
}

fn rules(tool: &Path) -> Result<()> {
    check(command(tool).args(["--locked", "--log-level", "error", "check", "bans", "licenses", "sources"]))
}
