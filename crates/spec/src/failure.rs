//! A start that failed, and what stands for it: an exit code, and the text that Docker's users know.

use serde::{Deserialize, Serialize};

const ENOENT: i32 = 2;
const EACCES: i32 = 13;
const ENOTDIR: i32 = 20;

/// A step of a start that failed, as the failing process reported it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Where: `rootfs`, `mount`, `cgroup`, `seccomp`, `workdir`, `cwd`, `exec`, ...; `engine` for what the monitor never saw.
    pub stage: String,
    /// The system call's error number, 0 if there is none.
    pub errno: i32,
    /// What was tried, and what came of it.
    pub message: String,
}

impl Failure {
    /// The exit code that stands for it, as Docker gives it: 126 if something may not be used or executed, 127 if
    /// something is not there or of another kind, else 128.
    pub fn exit_code(&self) -> i32 {
        match (self.stage.as_str(), self.errno) {
            _ if self.is_whole() => 128,
            (_, EACCES) => 126,
            (_, ENOENT | ENOTDIR) => 127,
            ("exec", _) => 126,
            _ => 128,
        }
    }

    /// The text about a container, in Docker's words.
    pub fn start_text(&self) -> String {
        if self.is_whole() {
            return self.message.clone();
        }
        format!(
            "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: \
             unable to start container process: error during container init: {}{}",
            self.message,
            self.hint()
        )
    }

    /// The text about an exec process, in Docker's words.
    pub fn exec_text(&self) -> String {
        // What cannot be understood is refused before a process is made.
        let process = if self.stage == "config" { "" } else { "unable to start container process: " };
        format!("OCI runtime exec failed: exec failed: {process}{}{}", self.message, self.hint())
    }

    /// Whether Docker notices it before it calls a runtime: then there is nothing to add to the text.
    fn is_whole(&self) -> bool {
        matches!(self.stage.as_str(), "engine" | "log" | "workdir")
    }

    /// Docker's guess.
    fn hint(&self) -> &str {
        match self.errno {
            ENOTDIR => {
                ": Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path \
                 exists and is the expected type"
            }
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(stage: &str, errno: i32, code: i32) {
        let failure = Failure { stage: stage.into(), errno, message: "m".into() };
        assert_eq!(failure.exit_code(), code, "{stage} {errno}");
    }

    #[test]
    fn exit_codes_are_dockers() {
        check("exec", ENOENT, 127);
        check("exec", EACCES, 126);
        check("exec", 8, 126);
        check("mount", ENOENT, 127);
        check("mount", ENOTDIR, 127);
        check("cwd", ENOENT, 127);
        check("cwd", EACCES, 126);
        check("config", 0, 128);
        check("workdir", ENOTDIR, 128);
    }

    #[test]
    fn texts_are_dockers() {
        let failure = |stage: &str, errno, message: &str| Failure {
            stage: stage.into(),
            errno,
            message: message.into(),
        };
        let mount = failure("mount", ENOTDIR, "m: not a directory");
        let want = "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create \
                    failed: unable to start container process: error during container init: m: not a directory: Are you \
                    trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and \
                    is the expected type";
        assert_eq!(mount.start_text(), want);
        assert_eq!(failure("engine", 0, "all of it").start_text(), "all of it");
        assert_eq!(failure("workdir", ENOTDIR, "all of it").start_text(), "all of it");
        let exec = failure("cwd", ENOENT, "m").exec_text();
        assert_eq!(exec, "OCI runtime exec failed: exec failed: unable to start container process: m");
        let relative = failure("config", 0, "Cwd must be an absolute path").exec_text();
        assert_eq!(relative, "OCI runtime exec failed: exec failed: Cwd must be an absolute path");
    }
}
