//! `systemctl`, and whether there is a systemd.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

/// Where units of the administrator are.
pub(crate) const UNITS: &str = "/etc/systemd/system";
/// Where units live until the next boot.
pub(crate) const RUNTIME_UNITS: &str = "/run/systemd/system";

/// `systemctl` did not do as asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SystemctlError {
    #[error("cannot run systemctl: {0}")]
    Run(#[source] io::Error),
    #[error("systemctl {command} failed: {message}")]
    Failed { command: String, message: String },
}

/// Whether systemd is process 1 (sd_booted(3)).
pub(crate) fn is_running() -> bool {
    Path::new(RUNTIME_UNITS).is_dir()
}

/// Runs `systemctl` with these arguments.
pub(crate) fn systemctl(arguments: &[&str]) -> Result<(), SystemctlError> {
    let output = Command::new("systemctl")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(SystemctlError::Run)?;
    if output.status.success() {
        return Ok(());
    }
    let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(SystemctlError::Failed { command: arguments.join(" "), message })
}

/// Whether a unit is active.
pub(crate) fn is_active(unit: &str) -> bool {
    systemctl(&["is-active", "--quiet", unit]).is_ok()
}
