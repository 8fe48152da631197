//! Processes executed in containers.

use super::words;
use serde::{Deserialize, Serialize};

/// `POST /containers/{name}/exec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ExecCreate {
    /// `user[:group]`; empty: the container's.
    pub user: String,
    /// With all capabilities.
    pub privileged: bool,
    /// Whether its streams are a terminal.
    pub tty: bool,
    /// Rows and columns of the client's terminal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub console_size: Option<[u32; 2]>,
    /// Whether the client sends input.
    pub attach_stdin: bool,
    /// Whether the client gets standard error.
    pub attach_stderr: bool,
    /// Whether the client gets standard output.
    pub attach_stdout: bool,
    /// `ctrl-p,ctrl-q`.
    pub detach_keys: String,
    /// `NAME=value`.
    pub env: Option<Vec<String>>,
    /// Its directory; empty: the container's.
    pub working_dir: String,
    /// Program and arguments.
    #[serde(deserialize_with = "words")]
    pub cmd: Option<Vec<String>>,
}

/// The answer to `POST /containers/{name}/exec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ExecCreated {
    /// Its id.
    pub id: String,
}

/// `POST /exec/{id}/start`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ExecStart {
    /// Without a client.
    pub detach: bool,
    /// Whether its streams are a terminal.
    pub tty: bool,
    /// Rows and columns of the client's terminal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub console_size: Option<[u32; 2]>,
}

/// `GET /exec/{id}/json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "as in Docker's Engine API 1.51, ContainerExecInspect")]
pub struct ExecInspect {
    #[serde(rename = "ID")]
    pub id: String,
    #[serde(rename = "Running")]
    pub running: bool,
    /// `None` while it runs.
    #[serde(rename = "ExitCode")]
    pub exit_code: Option<i32>,
    #[serde(rename = "ProcessConfig")]
    pub process_config: ExecProcessConfig,
    #[serde(rename = "OpenStdin")]
    pub open_stdin: bool,
    #[serde(rename = "OpenStderr")]
    pub open_stderr: bool,
    #[serde(rename = "OpenStdout")]
    pub open_stdout: bool,
    #[serde(rename = "CanRemove")]
    pub can_remove: bool,
    #[serde(rename = "ContainerID")]
    pub container_id: String,
    #[serde(rename = "DetachKeys")]
    pub detach_keys: String,
    #[serde(rename = "Pid")]
    pub pid: i32,
}

/// What an exec process is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExecProcessConfig {
    /// Whether its streams are a terminal.
    pub tty: bool,
    /// The program.
    pub entrypoint: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// With all capabilities.
    pub privileged: bool,
    /// `user[:group]`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user: String,
}
