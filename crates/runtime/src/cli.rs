//! The command line that runc has, as far as engines use it: `create start state kill delete run exec pause resume`.
//!
//! State is kept in a folder per container:
//! ```text
//! <root>/<id>/state.json   what `State` holds. Format break.
//! <root>/<id>/start.sock   while the process waits for `start`
//! ```

mod args;
mod container;
mod create;
mod exec;
mod foreground;
mod state;

use crate::failure::reason;
use crate::limits::cgroup_failure;
use args::{Flag, Parsed, flag, value};
use sampan_spec::journal::Failure;
use sampan_sys::cgroup::CgroupError;
use sampan_sys::memfd;
use sampan_sys::process::execute;
use std::ffi::{CString, OsString};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// The verbs.
pub const VERBS: [&str; 9] = ["create", "start", "state", "kill", "delete", "run", "exec", "pause", "resume"];

/// Where state is kept without `--root`.
const ROOT: &str = "/run/sampan-runtime";
/// The exit code of a command that failed.
const FAILED: i32 = 1;
/// The exit code of an `exec` that could not execute.
const EXEC_FAILED: i32 = 255;

const GLOBAL: &[Flag] = &[
    value("root", None),
    value("log", None),
    value("log-format", None),
    flag("debug", None),
    flag("version", Some('v')),
];

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error("{0}")]
    Usage(String),
    #[error("invalid container ID format: {0:?}")]
    BadId(String),
    #[error("container with given ID already exists")]
    Exists,
    #[error("container {0:?} does not exist")]
    NotFound(String),
    #[error("container not running")]
    NotRunning,
    #[error("cannot {verb} a container in the {status} state")]
    WrongState { verb: &'static str, status: &'static str },
    #[error("cannot delete container {id} that is not stopped: {status}")]
    NotStopped { id: String, status: &'static str },
    #[error("{verb} failed: unable to start container process: {}", failure.message)]
    Start { verb: &'static str, failure: Failure },
    #[error("{what} {}: {}", path.display(), reason(source))]
    File { what: &'static str, path: PathBuf, source: io::Error },
    #[error("{what} {}: {source}", path.display())]
    Json { what: &'static str, path: PathBuf, source: serde_json::Error },
    #[error("{}", cgroup_failure(.0).message)]
    Cgroup(#[from] CgroupError),
    #[error("{what}: {}", reason(source))]
    System { what: &'static str, source: io::Error },
}

/// What all verbs need.
pub(crate) struct Context<'a> {
    pub(crate) root: PathBuf,
    pub(crate) out: &'a mut dyn Write,
}

/// Runs a command line, program name excluded, and returns the exit code: that of the container's process for `run` and
/// `exec` in the foreground, else 0, 1 for a failure, 255 where `exec` could not execute.
pub fn run(args: &[String], out: &mut dyn Write, errors: &mut dyn Write) -> i32 {
    let global = match args::parse(GLOBAL, args) {
        Ok(global) => global,
        Err(error) => return report(&Parsed::default(), errors, &error),
    };
    let Some((verb, rest)) = global.rest.split_first() else {
        return greet(&global, out);
    };
    let root = PathBuf::from(global.value("root").unwrap_or(ROOT));
    match dispatch(verb, rest, Context { root, out }) {
        Ok(code) => code,
        Err(error) => {
            let code = report(&global, errors, &error);
            if verb == "exec" { EXEC_FAILED } else { code }
        }
    }
}

fn dispatch(verb: &str, args: &[String], context: Context<'_>) -> Result<i32, CliError> {
    if matches!(verb, "create" | "run" | "exec") {
        protect_program()?;
    }
    match verb {
        "create" => create::create(context, args),
        "run" => create::run(context, args),
        "exec" => exec::exec(context, args),
        "start" => container::start(context, args),
        "state" => container::state(context, args),
        "kill" => container::kill(context, args),
        "delete" => container::delete(context, args),
        "pause" => container::pause(context, args, true),
        "resume" => container::pause(context, args, false),
        other => Err(CliError::Usage(format!("no such command: {other} (there are {})", VERBS.join(", ")))),
    }
}

/// Goes on in a sealed copy of this program: for a moment the process that enters a container still is this program, and
/// whoever is there could write to its file on the host (CVE-2019-5736).
fn protect_program() -> Result<(), CliError> {
    const PROGRAM: &str = "/proc/self/exe";
    let failed = |source| CliError::System { what: "make a copy of this program", source };
    if memfd::is_sealed(Path::new(PROGRAM)).map_err(failed)? {
        return Ok(());
    }
    let copy = memfd::sealed_copy(Path::new(PROGRAM)).map_err(failed)?;
    let c_string = |text: OsString| CString::new(text.into_encoded_bytes()).map_err(|e| failed(e.into()));
    let args = std::env::args_os().map(c_string).collect::<Result<Vec<_>, _>>()?;
    let pairs = std::env::vars_os().map(|(mut name, value)| {
        name.push("=");
        name.push(value);
        c_string(name)
    });
    let env = pairs.collect::<Result<Vec<_>, _>>()?;
    let path = c_string(format!("/proc/self/fd/{}", copy.as_raw_fd()).into())?;
    Err(failed(execute(&path, &args, &env)))
}

fn greet(global: &Parsed, out: &mut dyn Write) -> i32 {
    let version = env!("CARGO_PKG_VERSION");
    let written = if global.has("version") {
        writeln!(out, "sampan-runtime version {version}\nspec: 1.2.0")
    } else {
        writeln!(
            out,
            "usage: sampan-runtime [--root DIR] [--log FILE] COMMAND ...\ncommands: {}",
            VERBS.join(" ")
        )
    };
    if written.is_ok() { 0 } else { FAILED }
}

/// To stderr, and to the log file that engines read.
fn report(global: &Parsed, errors: &mut dyn Write, error: &CliError) -> i32 {
    let text = error.to_string();
    // Nobody is left to tell about an error that cannot be written.
    let _ = writeln!(errors, "{text}");
    if let Some(path) = global.value("log") {
        let time = sampan_spec::Timestamp::now().to_string();
        let line = match global.value("log-format") {
            Some("json") => serde_json::json!({"level": "error", "msg": text, "time": time}).to_string(),
            _ => format!("time={time:?} level=error msg={text:?}"),
        };
        let opened = OpenOptions::new().create(true).append(true).open(path);
        let _ = opened.and_then(|mut log| writeln!(log, "{line}"));
    }
    FAILED
}
