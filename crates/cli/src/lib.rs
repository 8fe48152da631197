//! The command line: verbs, what they ask of the engine, and what they print. A verb is a file in `commands`; everything
//! that one of them needs besides is a module here.
//!
//! Names, flags, texts and exit codes are those of Docker's command line 28, so that habits and scripts hold.

mod commands;
mod confirm;
mod container_flags;
mod context;
mod copying;
mod credentials;
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
        Err(Error::HelpWanted { deprecated }) => {
            Ok(show(deprecated, &help::verb(path, entry, terminal::width())))
        }
        result => result,
    }
}

fn root_help() -> String {
    help::root(&verb::globals_command::<Globals>(), commands::VERBS, commands::GROUPS, terminal::width())
}

fn show(deprecated: bool, text: &str) -> u8 {
    if deprecated {
        print::error("Flag shorthand -h has been deprecated, use --help");
    }
    print::text(text);
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::is_bool;

    fn all() -> impl Iterator<Item = &'static Entry> {
        let in_groups = commands::GROUPS.iter().flat_map(|group| group.verbs);
        commands::VERBS.iter().chain(in_groups).chain(commands::HIDDEN)
    }

    #[test]
    fn every_verb_is_well_declared() {
        for entry in all() {
            let command = entry.command();
            command.clone().debug_assert();
            for flag in command.get_arguments().filter(|arg| arg.get_long().is_some()) {
                assert!(flag.get_help().is_some(), "{} {}: no help", entry.name, flag.get_id());
                let typed =
                    flag.get_value_names().is_some_and(|names| !names[0].contains(char::is_uppercase));
                assert!(is_bool(flag) || typed, "{} {}: no type", entry.name, flag.get_id());
            }
        }
    }

    fn check(line: &str, code: u8, text: &str) {
        let words = line.split_whitespace().map(OsString::from);
        let error = run(words).unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), (code, text), "{line}");
    }

    #[test]
    fn misuse() {
        let usage = "\n\nUsage:  sampan run [OPTIONS] IMAGE [COMMAND] [ARG...]\n\n";
        let run =
            |text: &str, see: &str| format!("{text}{usage}{see} 'sampan run --help' for more information");
        check("run", 1, &run("sampan: 'sampan run' requires at least 1 argument", "See"));
        check("run --foo x", 125, &run("unknown flag: --foo", "Run"));
        check(
            "run -m x i",
            125,
            &run("invalid argument \"x\" for \"-m, --memory\" flag: invalid size: 'x'", "Run"),
        );
        check(
            "run -p 1:99999 i",
            125,
            "sampan: invalid containerPort: 99999\n\nRun 'sampan run --help' for more information",
        );
        let of_run = |text: &str| format!("sampan: {text}\n\nRun 'sampan run --help' for more information");
        check("run --network= i", 125, &of_run("no name set for network"));
        check("run --env-file /nope i", 125, &of_run("open /nope: no such file or directory"));
        check("run -d -a stdin i", 1, "conflicting options: cannot specify both --attach and --detach");
        check("nope", 1, "sampan: unknown command: sampan nope\n\nRun 'sampan --help' for more information");
        check(
            "container nope",
            1,
            "sampan: unknown command: sampan container nope\n\nUsage:  sampan container\n\nRun 'sampan container \
             --help' for more information",
        );
        check(
            "tag a",
            1,
            "sampan: 'sampan tag' requires 2 arguments\n\nUsage:  sampan tag SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]\n\nRun \
             'sampan tag --help' for more information",
        );
        check("inspect --format {{.ID x", 64, "template parsing error: template: :1: unclosed action");
    }

    #[test]
    fn helps() {
        let entry = |name| commands::VERBS.iter().find(|entry| entry.name == name).unwrap();
        let verbs = ["run", "ps"].map(|name| help::verb(name, entry(name), 80));
        let globals = verb::globals_command::<Globals>();
        let root = help::root(&globals, commands::VERBS, commands::GROUPS, 80);
        insta::assert_snapshot!(verbs.concat() + &root);
    }
}
