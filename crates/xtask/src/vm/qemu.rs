//! Where QEMU is: the host's, or one that is unpacked from Debian's packages without being installed.

use crate::command::{self, command, output};
use crate::setup;
use anyhow::{Context, Result, ensure};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const PROGRAM: &str = "qemu-system-x86_64";
const PACKAGE: &str = "qemu-system-x86";

/// A QEMU that can be started.
pub(crate) struct Qemu {
    program: PathBuf,
    /// The root of the unpacked packages.
    unpacked: Option<PathBuf>,
}

/// Finds QEMU. Unpacks it into `host` of `folder` where there is none: needs apt, but no privilege, and it cannot be in
/// conflict with what is installed.
pub(crate) fn find(folder: &Path) -> Result<Qemu> {
    if let Some(program) = command::find(PROGRAM) {
        return Ok(Qemu { program, unpacked: None });
    }
    let unpacked = folder.join("host");
    let program = unpacked.join("usr/bin").join(PROGRAM);
    if !program.exists() {
        setup::update()?;
        let new = folder.join(format!("host-{}", std::process::id()));
        setup::unpack(&packages()?, &new)?;
        fs::rename(&new, &unpacked).context("cannot move QEMU to its place")?;
    }
    ensure!(program.exists(), "the packages have no {PROGRAM}");
    Ok(Qemu { program, unpacked: Some(unpacked) })
}

/// QEMU's package and those it needs that are not installed, as `name=version`.
fn packages() -> Result<Vec<String>> {
    let options = ["-s", "-y", "--no-install-recommends", "install", PACKAGE];
    let plan = output(command("apt-get").args(options))?;
    let packages: Vec<String> = plan.lines().filter_map(planned).collect();
    ensure!(!packages.is_empty(), "apt-get would install nothing for {PACKAGE}");
    Ok(packages)
}

/// Reads a line like `Inst NAME [OLD] (NEW Debian:12/stable [amd64])`.
fn planned(line: &str) -> Option<String> {
    let rest = line.strip_prefix("Inst ")?;
    let name = rest.split(' ').next()?;
    let version = rest.split_once('(')?.1.split(' ').next()?;
    Some(format!("{name}={version}"))
}

impl Qemu {
    /// A command that starts it and ends it when this program ends, however that happens.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(&self.program);
        if let Some(root) = &self.unpacked {
            let libraries = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"].map(|l| root.join(l));
            command.env("LD_LIBRARY_PATH", env::join_paths(libraries).unwrap_or_default());
            for data in ["qemu", "seabios"] {
                command.arg("-L").arg(root.join("usr/share").join(data));
            }
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_of_apt_is_read() {
        for (line, want) in [
            ("Inst seabios (1.16.2-1 Debian:12.11/oldstable [all])", Some("seabios=1.16.2-1")),
            ("Inst qemu [1:7] (1:10.0+dfsg-2 Debian:12 [amd64]) []", Some("qemu=1:10.0+dfsg-2")),
            ("Conf seabios (1.16.2-1 Debian:12.11/oldstable [all])", None),
            ("Remv qemu-utils [1:10]", None),
        ] {
            assert_eq!(planned(line).as_deref(), want, "{line}");
        }
    }
}
