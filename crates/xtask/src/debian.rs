//! Debian's root file systems, made from its packages by mmdebstrap.

use crate::command::{check, command, output};
use crate::setup;
use anyhow::Result;
use std::env;
use std::path::Path;
use std::process::Command;

const MIRROR: &str = "http://deb.debian.org";

/// A release of Debian.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Release {
    /// What files are named after.
    pub name: &'static str,
    /// What the archive calls it.
    code: &'static str,
}

/// The release that tests use.
pub(crate) const DEBIAN_12: Release = Release { name: "debian12", code: "bookworm" };
/// The one after it.
pub(crate) const DEBIAN_13: Release = Release { name: "debian13", code: "trixie" };

/// Makes the smallest root file system with apt and these packages: a folder, or a tar file if it is named so. It has this
/// host's settings of how apt reaches a mirror. Needs root.
///
/// # Errors
/// When packages cannot be installed or fetched.
pub(crate) fn bootstrap(release: Release, packages: &[&str], target: &Path) -> Result<()> {
    setup::bootstrap()?;
    let mirror = env::var("SAMPAN_MIRROR").unwrap_or_else(|_| MIRROR.to_owned());
    let mut command = command("mmdebstrap");
    command.args(["--quiet", "--mode=root", "--variant=minbase"]);
    command.args((!packages.is_empty()).then(|| format!("--include={}", packages.join(","))));
    for setting in output(Command::new("apt-config").arg("dump"))?.lines() {
        if ["Acquire::http", "Acquire::Check-"].iter().any(|kind| setting.starts_with(kind)) {
            command.arg(format!("--aptopt={setting}"));
        }
    }
    let code = release.code;
    command.arg(code).arg(target).arg(format!("deb {mirror}/debian {code} main"));
    command.arg(format!("deb {mirror}/debian {code}-updates main"));
    check(command.arg(format!("deb {mirror}/debian-security {code}-security main")))
}
