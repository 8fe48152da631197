//! The command line that runc has. `verbs.rs` is the list of what there is.
//!
//! State is kept in a folder per container:
//! ```text
//! <root>/<id>/state.json   what `State` holds. Format break.
//! <root>/<id>/start.sock   while the process waits for `start`
//! ```

mod args;
mod container;
mod create;
mod events;
mod exec;
mod features;
mod foreground;
mod list;
mod log;
mod ps;
mod spec;
mod state;
mod update;
mod verbs;

use crate::failure::{reason, stage};
use crate::limits::cgroup_failure;
use args::{Flag, flag, value};
use log::Log;
use sampan_spec::journal::Failure;
use sampan_sys::cgroup::CgroupError;
use sampan_sys::memfd;
use sampan_sys::process::execute;
use std::ffi::{CString, OsString};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use verbs::Verb;

/// Where state is kept without `--root`.
const ROOT: &str = "/run/sampan-runtime";
/// The exit code of a command that failed.
const FAILED: i32 = 1;
/// The exit code of an `exec` that could not execute.
const EXEC_FAILED: i32 = 255;

const GLOBAL: &[Flag] = &[
    value("root", None, "folder for containers' state (default: /run/sampan-runtime)"),
    value("log", None, "file to write errors and warnings to"),
    value("log-format", None, "text or json (default: text)"),
    flag("debug", None, "log what is done, too"),
    flag("systemd-cgroup", None, "cgroupsPath is SLICE:PREFIX:NAME, made by systemd"),
    value("rootless", None, "accepted: what a user may do is found out by trying"),
    flag("version", Some('v'), "print the version"),
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
    #[error("{}", start_text(verb, failure))]
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

/// As runc words it, because engines show it to their users. What failed in the container's own process, it says.
fn start_text(verb: &str, failure: &Failure) -> String {
    let program = if verb == "exec" { "" } else { "sampan-runtime " };
    let before = matches!(failure.stage.as_str(), stage::CONFIG | stage::CGROUP | stage::HOOK | stage::SYNC);
    let during = if before || verb == "exec" { "" } else { "error during container init: " };
    format!("{program}{verb} failed: unable to start container process: {during}{}", failure.message)
}

/// What all verbs need.
pub(crate) struct Context<'a> {
    pub(crate) root: PathBuf,
    log: &'a Log,
    pub(crate) out: &'a mut dyn Write,
}

impl Context<'_> {
    /// Prints a value in JSON.
    fn print(&mut self, value: &serde_json::Value) -> Result<(), CliError> {
        self.say(&format!("{value:#}\n"))
    }

    fn say(&mut self, text: &str) -> Result<(), CliError> {
        let written = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        written.map_err(|source| CliError::System { what: "write to stdout", source })
    }
}

/// Runs a command line, program name excluded, and returns the exit code: that of the container's process for `run` and
/// `exec` in the foreground, else 0, 1 for a failure, 255 where `exec` could not execute.
pub fn run(args: &[String], out: &mut dyn Write, errors: &mut dyn Write) -> i32 {
    let global = match args::parse(GLOBAL, args) {
        Ok(global) => global,
        Err(error) => return tell(errors, &error),
    };
    let log = Log::of(&global);
    let root = PathBuf::from(global.text("root").unwrap_or(ROOT));
    let mut context = Context { root, log: &log, out };
    let done = match global.rest.split_first() {
        _ if global.has("version") => context.say(&version()).map(|()| 0),
        None => context.say(&verbs::usage(GLOBAL)).map(|()| 0),
        Some((verb, rest)) => dispatch(verb, rest, context),
    };
    done.unwrap_or_else(|error| {
        log.error(&error.to_string());
        let code = tell(errors, &error);
        if global.rest.first().is_some_and(|verb| verb == "exec") { EXEC_FAILED } else { code }
    })
}

fn dispatch(name: &str, args: &[String], mut context: Context<'_>) -> Result<i32, CliError> {
    if matches!(name, "help" | "h") {
        return context.say(&verbs::usage(GLOBAL)).map(|()| 0);
    }
    let unknown = || CliError::Usage(format!("no such command: {name}: see sampan-runtime --help"));
    let verb = Verb::find(name).ok_or_else(unknown)?;
    let args = args::parse(verb.flags, args)?;
    if args.has("help") {
        return context.say(&verb.usage()).map(|()| 0);
    }
    if matches!(name, "create" | "run" | "exec") {
        protect_program()?;
    }
    context.log.debug(&format!("{name} {:?}", args.rest));
    (verb.run)(context, &args)
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

fn version() -> String {
    format!("sampan-runtime version {}\nspec: {}\n", env!("CARGO_PKG_VERSION"), sampan_spec::oci::VERSION)
}

/// To stderr.
fn tell(errors: &mut dyn Write, error: &CliError) -> i32 {
    // Nobody is left to tell about an error that cannot be written.
    let _ = writeln!(errors, "{error}");
    FAILED
}
