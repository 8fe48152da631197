//! Arguments as the Go programs of this kind take them: `--name value`, `--name=value`, one dash or two, and nothing that
//! follows the first word without a dash is an option.

use super::CliError;

/// An option.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flag {
    name: &'static str,
    short: Option<char>,
    takes_value: bool,
    help: &'static str,
}

/// An option without a value.
pub(super) const fn flag(name: &'static str, short: Option<char>, help: &'static str) -> Flag {
    Flag { name, short, takes_value: false, help }
}

/// An option with a value.
pub(super) const fn value(name: &'static str, short: Option<char>, help: &'static str) -> Flag {
    Flag { name, short, takes_value: true, help }
}

/// What was given.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    given: Vec<(&'static str, String)>,
    /// The words behind the options.
    pub(super) rest: Vec<String>,
}

impl Parsed {
    /// Whether an option was given, and not as `=false`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.value(name).is_some_and(|v| v != "false")
    }

    /// An option's last value.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.given.iter().rev().find(|(n, _)| *n == name).map(|(_, v)| v.as_str())
    }

    /// An option's last value, unless that is empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.value(name).filter(|value| !value.is_empty())
    }

    /// An option's last value as a number.
    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, CliError> {
        let read = |text: &str| {
            text.parse().map_err(|_| CliError::Usage(format!("invalid value {text:?} for flag --{name}")))
        };
        self.text(name).map(read).transpose()
    }

    /// An option's values.
    pub(super) fn values(&self, name: &str) -> Vec<String> {
        self.given.iter().filter(|(n, _)| *n == name).map(|(_, v)| v.clone()).collect()
    }

    /// The container's id: the first word.
    pub(super) fn id(&self) -> Result<&str, CliError> {
        let id = self.rest.first().ok_or_else(|| CliError::Usage("the container's id is missing".into()))?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "_+-.".contains(c);
        if id.is_empty() || id == "." || id == ".." || !id.chars().all(plain) {
            return Err(CliError::BadId(id.clone()));
        }
        Ok(id)
    }
}

/// Reads arguments.
pub(super) fn parse(flags: &[Flag], args: &[String]) -> Result<Parsed, CliError> {
    let mut parsed = Parsed::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let Some(name) = arg.strip_prefix('-').filter(|n| !n.is_empty()) else {
            parsed.rest.push(arg.clone());
            break;
        };
        if name == "-" {
            break;
        }
        let name = name.strip_prefix('-').unwrap_or(name);
        let (name, inline) = name.split_once('=').map_or((name, None), |(n, v)| (n, Some(v.to_owned())));
        let is =
            |f: &&Flag| f.name == name || f.short.is_some_and(|s| name.len() == 1 && name.starts_with(s));
        let all = || flags.iter().chain([&HELP]);
        let flag = all().find(is).ok_or_else(|| CliError::Usage(format!("no such option: {arg}")))?;
        let value = match (inline, flag.takes_value) {
            (Some(value), _) => value,
            (None, false) => "true".into(),
            (None, true) => {
                args.next().cloned().ok_or_else(|| CliError::Usage(format!("option {arg} needs a value")))?
            }
        };
        parsed.given.push((flag.name, value));
    }
    parsed.rest.extend(args.cloned());
    Ok(parsed)
}

/// Every verb has it.
const HELP: Flag = flag("help", Some('h'), "show help");

/// The options, a line each.
pub(super) fn describe(flags: &[Flag]) -> String {
    let left = |f: &Flag| {
        let value = if f.takes_value { " value" } else { "" };
        let short = f.short.map(|s| format!(", -{s}{value}")).unwrap_or_default();
        format!("   --{}{value}{short}", f.name)
    };
    let all: Vec<_> = flags.iter().chain([&HELP]).map(|f| (left(f), f.help)).collect();
    let width = all.iter().map(|(left, _)| left.len()).max().unwrap_or(0);
    all.iter().map(|(left, help)| format!("{left:width$}  {help}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: &[Flag] =
        &[value("bundle", Some('b'), "where"), flag("detach", Some('d'), "how"), value("env", Some('e'), "")];

    fn check(args: &str, bundle: Option<&str>, detach: bool, rest: &[&str]) {
        let words: Vec<String> = args.split(' ').map(str::to_owned).collect();
        let parsed = parse(FLAGS, &words).unwrap();
        assert_eq!((parsed.value("bundle"), parsed.has("detach")), (bundle, detach), "{args}");
        assert_eq!(parsed.rest, rest, "{args}");
    }

    #[test]
    fn options_end_at_the_first_word() {
        check("--bundle /x id", Some("/x"), false, &["id"]);
        check("-b=/x -d id -d", Some("/x"), true, &["id", "-d"]);
        check("-bundle /x --detach=false id", Some("/x"), false, &["id"]);
        check("-d -- -b x", None, true, &["-b", "x"]);
        check("- -d", None, false, &["-", "-d"]);
    }

    #[test]
    fn options_are_described() {
        let text = "   --bundle value, -b value  where\n   --detach, -d              how\n";
        assert!(describe(FLAGS).starts_with(text), "{}", describe(FLAGS));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (args, word) in [(vec!["--nope"], "--nope"), (vec!["-b"], "-b")] {
            let words: Vec<String> = args.into_iter().map(str::to_owned).collect();
            assert!(parse(FLAGS, &words).unwrap_err().to_string().contains(word));
        }
        for bad in ["", ".", "..", "a/b", "a b"] {
            let parsed = Parsed { given: vec![], rest: vec![bad.into()] };
            assert!(parsed.id().is_err(), "{bad}");
        }
        let parsed = Parsed { given: vec![("bundle", "x".into())], rest: vec![] };
        assert!(parsed.number::<u32>("bundle").unwrap_err().to_string().contains("\"x\""));
    }
}
