//! Splits a command line into flags and arguments the way Docker's flag library (Go's pflag) does, and hands clap a
//! form that can be read in one way only: `--name=value` for every flag, then `--`, then the arguments.
//!
//! clap declares the flags and reads their values. What it cannot do is here: clusters like `-itv/a:/b`, `--rm=false`,
//! a command line that ends at the first argument (`run IMAGE -x` is the container's `-x`), and Docker's texts.

use clap::{Arg, ArgAction, Command};

/// How many arguments a verb takes besides its flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    None,
    Exactly(usize),
    AtLeast(usize),
    AtMost(usize),
    Between(usize, usize),
}

/// What a command line says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Split {
    /// Flags and arguments, in a form for clap.
    Line(Line),
    /// Somebody asked for the help; with the old `-h` Docker warns first.
    Help { deprecated: bool },
}

/// Flags, each as one `--name` or `--name=value`, and arguments.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    pub flags: Vec<String>,
    pub arguments: Vec<String>,
}

/// A command line is malformed. The texts are Docker's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SplitError {
    #[error("bad flag syntax: {0}")]
    Syntax(String),
    #[error("unknown flag: --{0}")]
    Unknown(String),
    #[error("unknown shorthand flag: '{letter}' in -{cluster}")]
    UnknownShort { letter: char, cluster: String },
    #[error("flag needs an argument: --{0}")]
    NeedsValue(String),
    #[error("flag needs an argument: '{letter}' in -{cluster}")]
    NeedsValueShort { letter: char, cluster: String },
    #[error(
        "invalid argument \"{value}\" for \"{flag}\" flag: strconv.ParseBool: parsing \"{value}\": invalid syntax"
    )]
    NotBool { flag: String, value: String },
}

/// Splits `words` by the flags of `command`. With `stop_at_argument`, everything from the first argument on is
/// an argument.
pub(crate) fn split(
    command: &Command,
    words: &[String],
    stop_at_argument: bool,
) -> Result<Split, SplitError> {
    let mut splitter = Splitter { command, rest: words, line: Line::default(), bools: Vec::new() };
    match splitter.run(stop_at_argument)? {
        Some(deprecated) => Ok(Split::Help { deprecated }),
        None => Ok(Split::Line(splitter.finish())),
    }
}

/// A flag as errors name it: `-m, --memory`.
pub(crate) fn display_name(arg: &Arg) -> String {
    let long = arg.get_long().unwrap_or_default();
    arg.get_short().map_or_else(|| format!("--{long}"), |short| format!("-{short}, --{long}"))
}

struct Splitter<'a> {
    command: &'a Command,
    rest: &'a [String],
    line: Line,
    /// Booleans that were named, with their last value: clap knows only that a flag is there.
    bools: Vec<(&'a str, bool)>,
}

impl<'a> Splitter<'a> {
    /// `Some(deprecated)` when the help was asked for.
    fn run(&mut self, stop_at_argument: bool) -> Result<Option<bool>, SplitError> {
        while let Some(word) = self.next() {
            match word.strip_prefix('-') {
                Some("-") => break,
                Some(flag) if !flag.is_empty() => {
                    let help = match flag.strip_prefix('-') {
                        Some(long) => self.long(word, long)?.then_some(false),
                        None => self.cluster(flag)?.then_some(true),
                    };
                    if help.is_some() {
                        return Ok(help);
                    }
                }
                _ => {
                    self.line.arguments.push(word.to_owned());
                    if stop_at_argument {
                        break;
                    }
                }
            }
        }
        self.line.arguments.extend(self.rest.iter().cloned());
        Ok(None)
    }

    fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    /// Takes `--long`, `--long=value` or `--long value`. `true` when it is an undeclared `--help`.
    fn long(&mut self, word: &str, long: &str) -> Result<bool, SplitError> {
        if long.starts_with(['-', '=']) {
            return Err(SplitError::Syntax(word.to_owned()));
        }
        let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
        let Some(arg) = self.find(|arg| arg.get_long() == Some(name) || aliases(arg).any(|a| a == name))
        else {
            return if name == "help" { Ok(true) } else { Err(SplitError::Unknown(name.to_owned())) };
        };
        let value = match value {
            Some(value) => value,
            None if is_bool(arg) => "true",
            None => self.next().ok_or_else(|| SplitError::NeedsValue(name.to_owned()))?,
        };
        self.add(arg, value)?;
        Ok(false)
    }

    /// Takes the flags of `-abc`, the last of which may have its value behind it. `true` for an undeclared `-h`.
    fn cluster(&mut self, cluster: &str) -> Result<bool, SplitError> {
        let mut left = cluster;
        while let Some(letter) = left.chars().next() {
            let here = left.to_owned();
            left = &left[letter.len_utf8()..];
            let Some(arg) = self.find(|arg| arg.get_short() == Some(letter)) else {
                let unknown = SplitError::UnknownShort { letter, cluster: here };
                return if letter == 'h' { Ok(true) } else { Err(unknown) };
            };
            let value = match left.strip_prefix('=') {
                Some(value) if !value.is_empty() => {
                    std::mem::take(&mut left).strip_prefix('=').unwrap_or(value)
                }
                _ if is_bool(arg) => "true",
                _ if !left.is_empty() => std::mem::take(&mut left),
                _ => self.next().ok_or(SplitError::NeedsValueShort { letter, cluster: here })?,
            };
            self.add(arg, value)?;
        }
        Ok(false)
    }

    fn find(&self, is_it: impl Fn(&Arg) -> bool) -> Option<&'a Arg> {
        self.command.get_arguments().find(|arg| is_it(arg))
    }

    fn add(&mut self, arg: &'a Arg, value: &str) -> Result<(), SplitError> {
        let long = arg.get_long().unwrap_or_default();
        if is_bool(arg) {
            let on = parse_bool(value)
                .ok_or_else(|| SplitError::NotBool { flag: display_name(arg), value: value.to_owned() })?;
            self.bools.retain(|(name, _)| *name != long);
            self.bools.push((long, on));
        } else {
            self.line.flags.push(format!("--{long}={value}"));
        }
        Ok(())
    }

    fn finish(mut self) -> Line {
        for (name, on) in self.bools {
            let arg = self.command.get_arguments().find(|arg| arg.get_long() == Some(name));
            match arg.map(Arg::get_action) {
                Some(ArgAction::SetTrue) if on => self.line.flags.push(format!("--{name}")),
                Some(ArgAction::Set) => self.line.flags.push(format!("--{name}={on}")),
                _ => {}
            }
        }
        self.line
    }
}

/// A boolean flag: present or not, or declared with the value name `bool` where its default is true.
pub(crate) fn is_bool(arg: &Arg) -> bool {
    let named = || arg.get_value_names().is_some_and(|names| names.first().is_some_and(|n| n == "bool"));
    matches!(arg.get_action(), ArgAction::SetTrue) || named()
}

fn aliases(arg: &Arg) -> impl Iterator<Item = &str> {
    arg.get_all_aliases().unwrap_or_default().into_iter()
}

/// Go's `strconv.ParseBool`.
pub(crate) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command() -> Command {
        Command::new("run")
            .arg(Arg::new("interactive").short('i').long("interactive").action(ArgAction::SetTrue))
            .arg(Arg::new("tty").short('t').long("tty").action(ArgAction::SetTrue))
            .arg(Arg::new("rm").long("rm").action(ArgAction::SetTrue))
            .arg(Arg::new("sig-proxy").long("sig-proxy").value_name("bool"))
            .arg(Arg::new("env").short('e').long("env").action(ArgAction::Append))
            .arg(Arg::new("network").long("network").alias("net"))
    }

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn flags_and_arguments() {
        let check = |line: &str, stop: bool, flags: &str, arguments: &str| {
            let want = Split::Line(Line { flags: words(flags), arguments: words(arguments) });
            assert_eq!(split(&command(), &words(line), stop), Ok(want), "{line}");
        };
        check("-it img sh -i", true, "--interactive --tty", "img sh -i");
        check("img -it", true, "", "img -it");
        check("img -it", false, "--interactive --tty", "img");
        check("-- -it", false, "", "-it");
        check("img -- -it", true, "", "img -- -it");
        check("img -- -it", false, "", "img -it");
        check("-itea=b x", true, "--env=a=b --interactive --tty", "x");
        check("-ie a=b x", true, "--env=a=b --interactive", "x");
        check("-e=a=b --env c --env=d=e", true, "--env=a=b --env=c --env=d=e", "");
        check("-e -i", true, "--env=-i", "");
        check("--rm --rm=false x", true, "", "x");
        check("--rm=false --rm=T x", true, "--rm", "x");
        check("--sig-proxy=0 x", true, "--sig-proxy=false", "x");
        check("-i=false -t x", true, "--tty", "x");
        check("--net host -", true, "--network=host", "-");
    }

    #[test]
    fn help() {
        assert_eq!(split(&command(), &words("--help"), true), Ok(Split::Help { deprecated: false }));
        assert_eq!(split(&command(), &words("-ih"), true), Ok(Split::Help { deprecated: true }));
    }

    #[test]
    fn errors() {
        let check = |line: &str, want: &str| {
            assert_eq!(split(&command(), &words(line), true).unwrap_err().to_string(), want);
        };
        check("--foo x", "unknown flag: --foo");
        check("-iz x", "unknown shorthand flag: 'z' in -z");
        check("-zi x", "unknown shorthand flag: 'z' in -zi");
        check("--env", "flag needs an argument: --env");
        check("-ie", "flag needs an argument: 'e' in -e");
        check("---x", "bad flag syntax: ---x");
        check("--=x", "bad flag syntax: --=x");
        check(
            "-i=no",
            "invalid argument \"no\" for \"-i, --interactive\" flag: strconv.ParseBool: parsing \"no\": invalid syntax",
        );
    }
}
