//! The two command lines that drive a daemon.

use crate::session::Session;
use std::process::{Command, ExitStatus};

/// Which command line drives the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cli {
    /// Our own.
    Sampan,
    /// Docker's.
    Docker,
}

/// What came of a command.
#[derive(Clone, PartialEq, Eq)]
pub struct Output {
    /// Its exit code, or 128 and the signal that ended it.
    pub code: i32,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error, as text.
    pub stderr: String,
}

impl Output {
    /// Standard output as text, without the white space at its end.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim_end().to_owned()
    }

    /// The same, of a command that must have succeeded.
    #[track_caller]
    pub fn ok(&self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.text()
    }

    /// Runs a command to its end with this standard input.
    #[track_caller]
    pub fn of(command: Command, input: &[u8]) -> Self {
        let mut session = Session::start(command);
        session.feed(input.to_vec());
        session.finish()
    }
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit code {}\nstdout: {}\nstderr: {}", self.code, self.text(), self.stderr)
    }
}

/// The exit code as a shell gives it.
pub(crate) fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}
