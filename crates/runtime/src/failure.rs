//! How steps become a [`Failure`]: where, the error number, and the whole text for the user.

use sampan_spec::journal::Failure;
use std::io;

/// The steps, as a failure names them.
pub(crate) mod stage {
    pub(crate) const CONFIG: &str = "config";
    pub(crate) const CGROUP: &str = "cgroup";
    pub(crate) const NAMESPACES: &str = "namespaces";
    pub(crate) const ROOTFS: &str = "rootfs";
    pub(crate) const MOUNT: &str = "mount";
    pub(crate) const DEVICES: &str = "devices";
    pub(crate) const TERMINAL: &str = "terminal";
    pub(crate) const SYSCTL: &str = "sysctl";
    pub(crate) const PROCESS: &str = "process";
    pub(crate) const SECCOMP: &str = "seccomp";
    pub(crate) const WORKDIR: &str = "workdir";
    pub(crate) const CWD: &str = "cwd";
    pub(crate) const EXEC: &str = "exec";
    pub(crate) const SYNC: &str = "sync";
    pub(crate) const HOOK: &str = "hook";
}

/// A failure without a system call's error.
pub(crate) fn failure(stage: &str, message: impl Into<String>) -> Failure {
    Failure { stage: stage.into(), errno: 0, message: message.into() }
}

/// A failure of a system call: `what: reason`.
pub(crate) fn system(stage: &str, what: impl AsRef<str>, error: impl Into<io::Error>) -> Failure {
    let error = error.into();
    Failure {
        stage: stage.into(),
        errno: error.raw_os_error().unwrap_or(0),
        message: format!("{}: {}", what.as_ref(), reason(&error)),
    }
}

/// The error's text as C libraries and Go word it: `no such file or directory`.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let plain = text.split(" (os error").next().unwrap_or_default();
    let mut chars = plain.chars();
    let second_is_lower = plain.chars().nth(1).is_some_and(char::is_lowercase);
    match chars.next() {
        Some(first) if second_is_lower => first.to_lowercase().collect::<String>() + chars.as_str(),
        _ => plain.to_owned(),
    }
}

/// Turns an error into a failure of a step.
pub(crate) trait OrFail<T> {
    /// `what` says what was tried, and with what.
    fn or_fail<S: AsRef<str>>(self, stage: &str, what: impl FnOnce() -> S) -> Result<T, Failure>;
}

impl<T, E: Into<io::Error>> OrFail<T> for Result<T, E> {
    fn or_fail<S: AsRef<str>>(self, stage: &str, what: impl FnOnce() -> S) -> Result<T, Failure> {
        self.map_err(|e| system(stage, what(), e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_worded_as_in_c() {
        for (errno, text) in
            [(2, "no such file or directory"), (13, "permission denied"), (8, "exec format error")]
        {
            assert_eq!(reason(&io::Error::from_raw_os_error(errno)), text);
        }
    }
}
