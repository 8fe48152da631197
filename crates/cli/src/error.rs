//! What can go wrong, how it is said, and with which exit code. The texts are Docker's where Docker has one.

use crate::format::template::FormatError;
use crate::options::devices::DeviceError;
use crate::options::env::EnvError;
use crate::options::ports::PortError;
use crate::options::volumes::VolumeError;
use crate::system::install::InstallError;
use crate::system::on_demand::StartError;
use std::io;

/// The engine or the command line could not do it (`docker run`).
pub(crate) const CODE_ENGINE: u8 = 125;
/// A template is malformed: EX_USAGE of sysexits.h.
const CODE_USAGE: u8 = 64;
/// The command cannot be executed.
pub(crate) const CODE_NOT_EXECUTABLE: u8 = 126;
/// The command does not exist.
pub(crate) const CODE_NOT_FOUND: u8 = 127;

/// Nobody reads our output any more: 128 and the number of SIGPIPE.
pub(crate) const CODE_PIPE: u8 = 141;

/// Why a verb ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Not an error: print the help.
    #[error("help wanted")]
    HelpWanted { deprecated: bool },
    #[error("{message}\n\nUsage:  {usage}\n\nRun '{}' for more information", help_of(path))]
    Flag { message: String, usage: String, path: String },
    #[error(
        "sampan: 'sampan {path}' {want}\n\nUsage:  {usage}\n\n{see} 'sampan {path} --help' for more information"
    )]
    Count { path: String, want: String, usage: String, see: &'static str },
    #[error("sampan: unknown command: sampan {0}\n\nRun 'sampan --help' for more information")]
    UnknownCommand(String),
    #[error(
        "sampan: unknown command: sampan {group} {name}\n\nUsage:  sampan {group}\n\nRun 'sampan {group} --help' for more \
         information"
    )]
    UnknownSubcommand { group: &'static str, name: String },
    #[error("invalid argument: {0:?} is not UTF-8")]
    NotUtf8(std::ffi::OsString),
    #[error("{}", engine_text(.0))]
    Engine(#[from] sampan_api::Error),
    #[error(transparent)]
    Address(#[from] sampan_api::ParseAddressError),
    #[error(transparent)]
    Clap(#[from] clap::Error),
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error(transparent)]
    Env(#[from] EnvError),
    #[error(transparent)]
    Volume(#[from] VolumeError),
    #[error(transparent)]
    Port(#[from] PortError),
    #[error(transparent)]
    Reference(#[from] sampan_spec::ParseReferenceError),
    #[error(transparent)]
    Format(#[from] FormatError),
    #[error(transparent)]
    Install(#[from] InstallError),
    #[error("cannot start a daemon: {0}")]
    Start(#[from] StartError),
    #[error("{}", archive_text(.0))]
    Archive(#[from] sampan_archive::Error),
    #[error("open {path}: {}", os_text(source))]
    Open { path: String, source: io::Error },
    #[error("{}", os_text(.0))]
    Io(#[from] io::Error),
    #[error("cannot understand the daemon's answer: {0}")]
    Json(#[from] serde_json::Error),
    /// The engine answers in the middle of a stream.
    #[error("{0}")]
    Stream(String),
    #[error("{0}")]
    Refused(&'static str),
    #[error("{0}")]
    Invalid(String),
    #[error("Error: No such object: {0}")]
    NoSuchObject(String),
    /// Some of several objects failed; each was reported.
    #[error("{0}")]
    Some(String),
    /// Everything was said already.
    #[error("exit code {0}")]
    Silent(u8),
    /// `run` says who speaks, and where help is.
    #[error("sampan: {source}\n\nRun 'sampan {verb} --help' for more information")]
    Run { verb: &'static str, code: u8, source: Box<Error> },
}

impl Error {
    /// The program's exit code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::HelpWanted { .. } => 0,
            Self::Flag { .. } => CODE_ENGINE,
            Self::Format(FormatError::Parse(_)) => CODE_USAGE,
            Self::Silent(code) | Self::Run { code, .. } => *code,
            _ => 1,
        }
    }

    /// The error of `run`. The exit code tells what kind it is, if it is the engine's.
    pub(crate) fn of_run(self, verb: &'static str) -> Self {
        let code = match &self {
            Self::Engine(error) => run_code(&error.to_string()),
            _ => CODE_ENGINE,
        };
        Self::Run { verb, code, source: Box::new(self) }
    }

    /// Whether it is an answer of the daemon with this status.
    pub(crate) fn is_status(&self, status: u16) -> bool {
        matches!(self, Self::Engine(error) if error.status().is_some_and(|own| own.as_u16() == status))
    }
}

/// 127 where there is no such program, 126 where it cannot be executed, else 125.
pub(crate) fn run_code(message: &str) -> u8 {
    let has = |text| message.contains(text);
    if has("executable file not found") || has("no such file or directory") {
        CODE_NOT_FOUND
    } else if has("permission denied") && !has("permission denied while connecting") || has("is a directory")
    {
        CODE_NOT_EXECUTABLE
    } else {
        CODE_ENGINE
    }
}

fn engine_text(error: &sampan_api::Error) -> String {
    match error {
        sampan_api::Error::Daemon { message, .. } => format!("Error response from daemon: {message}"),
        sampan_api::Error::NotRunning { address, .. } => {
            format!("Cannot connect to the Sampan daemon at {address}. Is the sampan daemon running?")
        }
        other => {
            let mut text = other.to_string();
            let mut cause = std::error::Error::source(other);
            while let Some(error) = cause {
                text += &format!(": {error}");
                cause = error.source();
            }
            text
        }
    }
}

fn archive_text(error: &sampan_archive::Error) -> String {
    use sampan_archive::Error as E;
    match error {
        E::Read { path, source } => format!("cannot read {path}: {}", os_text(source)),
        E::Write { entry, source } => format!("cannot write {entry:?}: {}", os_text(source)),
        other => other.to_string(),
    }
}

/// A system error in the words of strerror(3), in lower case as Go has it.
pub(crate) fn os_text(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.find(" (os error").map_or(text.as_str(), |at| &text[..at]);
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

fn help_of(path: &str) -> String {
    if path.is_empty() { "sampan --help".to_owned() } else { format!("sampan {path} --help") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_of_run() {
        for (message, code) in [
            ("exec: \"nope\": executable file not found in $PATH: unknown", 127),
            ("exec: \"/nope\": stat /nope: no such file or directory", 127),
            ("exec: \"/etc/passwd\": permission denied", 126),
            ("exec: \"/etc\": is a directory", 126),
            ("Conflict. The container name \"/a\" is already in use", 125),
            ("permission denied while connecting to the daemon at unix:///run/sampan.sock", 125),
        ] {
            assert_eq!(run_code(message), code, "{message}");
        }
    }

    #[test]
    fn only_the_engine_knows_of_commands() {
        let source = io::Error::from_raw_os_error(2);
        let error = Error::Open { path: "/nope".into(), source }.of_run("run");
        assert_eq!(error.code(), CODE_ENGINE);
    }

    #[test]
    fn system_errors_are_gos() {
        assert_eq!(os_text(&io::Error::from_raw_os_error(2)), "no such file or directory");
        assert_eq!(os_text(&io::Error::other("Some text")), "some text");
    }
}
