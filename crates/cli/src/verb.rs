//! What a verb is to the command line: names, help, flags, and a function that does it.

use crate::context::Context;
use crate::error::Error;
use crate::flags::{Count, Line, Split, SplitError, display_name, split};
use crate::format::text::quote;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgMatches, Args, Command};

/// One verb of the command line: its arguments' type, which clap fills, and what it does with them.
pub(crate) trait Verb: Args {
    const NAME: &'static str;
    const ABOUT: &'static str;
    /// What follows the name in the usage line.
    const USAGE: &'static str;
    /// All names, without the program's.
    const ALIASES: &'static [&'static str] = &[];
    const COUNT: Count;
    /// The command line ends at the first argument: what follows belongs to the container.
    const STOP_AT_ARGUMENT: bool = false;

    /// Does it. The value is the program's exit code.
    fn run(self, context: &Context) -> Result<u8, Error>;
}

/// A [`Verb`] as data.
pub(crate) struct Entry {
    pub name: &'static str,
    pub about: &'static str,
    pub usage: &'static str,
    pub aliases: &'static [&'static str],
    /// Further names that are understood but not listed.
    pub hidden: &'static [&'static str],
    count: Count,
    stop_at_argument: bool,
    declare: fn(Command) -> Command,
    run: fn(&mut ArgMatches, &Context) -> Result<u8, Error>,
}

/// Verbs under one name: `sampan container ...`.
pub(crate) struct Group {
    pub name: &'static str,
    pub about: &'static str,
    pub verbs: &'static [Entry],
}

/// The verb under its own name.
pub(crate) const fn entry<V: Verb>() -> Entry {
    named::<V>(V::NAME, &[])
}

/// The verb under another name.
pub(crate) const fn named<V: Verb>(name: &'static str, hidden: &'static [&'static str]) -> Entry {
    Entry {
        name,
        about: V::ABOUT,
        usage: V::USAGE,
        aliases: V::ALIASES,
        hidden,
        count: V::COUNT,
        stop_at_argument: V::STOP_AT_ARGUMENT,
        declare: <V as Args>::augment_args,
        run: |matches, context| V::from_arg_matches_mut(matches)?.run(context),
    }
}

impl Entry {
    /// The clap command that declares the flags.
    pub(crate) fn command(&self) -> Command {
        (self.declare)(Command::new(self.name)).args_override_self(true).disable_help_flag(true)
    }

    pub(crate) fn answers_to(&self, name: &str) -> bool {
        self.name == name || self.hidden.contains(&name)
    }

    /// Reads `words` and runs the verb, which was reached as `path`.
    pub(crate) fn invoke(&self, path: &str, words: &[String], context: &Context) -> Result<u8, Error> {
        let mut command = self.command();
        let line = match split(&command, words, self.stop_at_argument) {
            Ok(Split::Line(line)) => line,
            Ok(Split::Help { deprecated }) => return Err(Error::HelpWanted { deprecated }),
            Err(error) => return Err(self.misused(path, error.to_string())),
        };
        let got = line.arguments.len();
        let matches = matches(&mut command, line);
        if let Err(error) = &matches
            && error.kind() == ErrorKind::ValueValidation
        {
            return Err(self.misused(path, clap_text(&command, error)));
        }
        self.check_count(path, got)?;
        let mut matches = matches.map_err(|error| self.misused(path, clap_text(&command, &error)))?;
        (self.run)(&mut matches, context)
    }

    fn misused(&self, path: &str, message: String) -> Error {
        Error::Flag { message, usage: crate::help::usage(path, self), path: path.to_owned() }
    }

    fn check_count(&self, path: &str, got: usize) -> Result<(), Error> {
        let plural = |n: usize| if n == 1 { format!("{n} argument") } else { format!("{n} arguments") };
        let (fits, want) = match self.count {
            Count::None => (got == 0, "accepts no arguments".to_owned()),
            Count::Exactly(n) => (got == n, format!("requires {}", plural(n))),
            Count::AtLeast(n) => (got >= n, format!("requires at least {}", plural(n))),
            Count::Between(least, most) => (
                (least..=most).contains(&got),
                format!("requires at least {least} and at most {}", plural(most)),
            ),
            Count::AtMost(n) => (got <= n, format!("requires at most {}", plural(n))),
        };
        if fits {
            return Ok(());
        }
        let usage = crate::help::usage(path, self);
        let see = if matches!(self.count, Count::AtLeast(_)) { "See" } else { "Run" };
        Err(Error::Count { path: path.to_owned(), want, usage, see })
    }
}

/// Reads the program's own flags, in front of the verb. Gives them and the words from the verb on.
pub(crate) fn globals<G: Args>(words: &[String]) -> Result<(G, Vec<String>), Error> {
    let mut command = globals_command::<G>();
    let misused = |message| Error::Flag {
        message,
        usage: "sampan [OPTIONS] COMMAND [ARG...]".to_owned(),
        path: String::new(),
    };
    let line = match split(&command, words, true).map_err(|error: SplitError| misused(error.to_string()))? {
        Split::Line(line) => line,
        Split::Help { deprecated } => return Err(Error::HelpWanted { deprecated }),
    };
    let rest = line.arguments;
    let flags = Line { flags: line.flags, arguments: Vec::new() };
    let matches = matches(&mut command, flags);
    let mut matches = matches.map_err(|error| misused(clap_text(&command, &error)))?;
    Ok((G::from_arg_matches_mut(&mut matches)?, rest))
}

/// The clap command that declares the program's own flags.
pub(crate) fn globals_command<G: Args>() -> Command {
    G::augment_args(Command::new("sampan")).args_override_self(true).disable_help_flag(true)
}

fn matches(command: &mut Command, line: Line) -> Result<ArgMatches, clap::Error> {
    let start = ["sampan".to_owned()].into_iter().chain(line.flags);
    command.try_get_matches_from_mut(start.chain(["--".to_owned()]).chain(line.arguments))
}

/// A refused value in Docker's words.
fn clap_text(command: &Command, error: &clap::Error) -> String {
    let get = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => "",
    };
    if error.kind() != ErrorKind::ValueValidation {
        return error.render().to_string().trim_end().trim_start_matches("error: ").to_owned();
    }
    let named = get(ContextKind::InvalidArg);
    let is_it =
        |arg: &&Arg| arg.get_long().is_some_and(|long| named.split(' ').next() == Some(&format!("--{long}")));
    let flag = command.get_arguments().find(is_it).map_or_else(|| named.to_owned(), display_name);
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    format!("invalid argument {} for \"{flag}\" flag: {cause}", quote(get(ContextKind::InvalidValue)))
}
