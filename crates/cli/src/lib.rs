//! The command line: verbs, what they ask of the engine, and what they print. A verb is a file in `commands`; everything
//! that one of them needs besides is a module here.
//!
//! Names, flags, texts and exit codes are those of Docker's command line 28, so that habits and scripts hold.

mod commands;
mod container_flags;
mod context;
mod each;
mod error;
mod flags;
mod format;
mod help;
mod options;
mod print;
mod progress;
mod session;
mod signals;
mod streams;
mod system;
mod terminal;
mod verb;

use context::{Context, Globals};
use error::Error;
use std::ffi::OsString;
use std::process::ExitCode;
use verb::{Entry, Group};

/// Runs the command line `arguments`, without the program's name.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    match run(arguments) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let text = error.to_string();
            if !matches!(error, Error::Silent(_)) {
                print::error(&text);
            }
            ExitCode::from(error.code())
        }
    }
}

fn run(arguments: impl Iterator<Item = OsString>) -> Result<u8, Error> {
    let words: Vec<String> =
        arguments.map(|word| word.into_string().map_err(Error::NotUtf8)).collect::<Result<_, _>>()?;
    let (globals, words) = match verb::globals::<Globals>(&words) {
        Err(Error::HelpWanted { deprecated }) => return Ok(show(deprecated, &root_help())),
        result => result?,
    };
    if globals.version {
        print::line(&format!("Sampan version {}", env!("CARGO_PKG_VERSION")));
        return Ok(0);
    }
    dispatch(&words, &Context::new(globals))
}

fn dispatch(words: &[String], context: &Context) -> Result<u8, Error> {
    match words {
        [] => {
            print::error(root_help().trim_end());
            Ok(0)
        }
        [help] if help == "help" => Ok(show(false, &root_help())),
        [help, rest @ ..] if help == "help" => dispatch(&[rest, &["--help".to_owned()]].concat(), context),
        [name, rest @ ..] => {
            if let Some(group) = commands::GROUPS.iter().find(|group| group.name == name) {
                return in_group(group, rest, context);
            }
            let entry = commands::VERBS.iter().find(|entry| entry.answers_to(name));
            invoke(entry.ok_or_else(|| Error::UnknownCommand(name.clone()))?, name, rest, context)
        }
    }
}

fn in_group(group: &'static Group, words: &[String], context: &Context) -> Result<u8, Error> {
    let Some((name, rest)) = words.split_first() else {
        print::error(help::group(group).trim_end());
        return Ok(0);
    };
    if name == "--help" || name == "-h" {
        return Ok(show(name == "-h", &help::group(group)));
    }
    let hidden = commands::HIDDEN.iter().filter(|_| group.name == "system");
    let entry = group.verbs.iter().chain(hidden).find(|entry| entry.answers_to(name));
    let entry = entry.ok_or_else(|| Error::UnknownSubcommand { group: group.name, name: name.clone() })?;
    invoke(entry, &format!("{} {name}", group.name), rest, context)
}

fn invoke(entry: &Entry, path: &str, words: &[String], context: &Context) -> Result<u8, Error> {
    match entry.invoke(path, words, context) {
        Err(Error::HelpWanted { deprecated }) => Ok(show(deprecated, &help::verb(path, entry))),
        result => result,
    }
}

fn root_help() -> String {
    help::root(&verb::globals_command::<Globals>(), commands::VERBS, commands::GROUPS)
}

fn show(deprecated: bool, text: &str) -> u8 {
    if deprecated {
        print::error("Flag shorthand -h has been deprecated, use --help");
    }
    print::text(text);
    0
}
