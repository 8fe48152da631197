//! Environment variables and labels, from flags and from files.

use std::io;
use std::path::Path;

/// A variable or a file of variables cannot be used. The texts are Docker's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnvError {
    #[error("invalid environment variable: {0}")]
    NoName(String),
    #[error("poorly formatted environment: variable '{0}' contains whitespaces")]
    Whitespace(String),
    #[error("poorly formatted environment: no variable name on line '{0}'")]
    NoNameOnLine(String),
    #[error("open {path}: {}", crate::error::os_text(source))]
    Read { path: String, source: io::Error },
    #[error("poorly formatted environment: invalid utf8 bytes in {0}")]
    NotUtf8(String),
}

/// `-e NAME=VALUE`. `-e NAME` takes the value that the variable has here; a variable that is not set here stays a
/// bare name, which removes the image's.
pub(crate) fn variable(text: &str) -> Result<String, EnvError> {
    let name = text.split_once('=').map_or(text, |(name, _)| name);
    match name {
        "" => Err(EnvError::NoName(text.to_owned())),
        _ => Ok(with_value(text, |name| std::env::var(name).ok())),
    }
}

fn with_value(text: &str, here: impl Fn(&str) -> Option<String>) -> String {
    if text.contains('=') {
        return text.to_owned();
    }
    here(text).map_or_else(|| text.to_owned(), |value| format!("{text}={value}"))
}

/// The variables of the files, then those of the flags.
pub(crate) fn collect(files: &[String], flags: &[String]) -> Result<Vec<String>, EnvError> {
    let mut all = Vec::new();
    for path in files {
        all.extend(read_lines(path, |name| std::env::var(name).ok())?);
    }
    all.extend_from_slice(flags);
    Ok(all)
}

/// Labels as a list of pairs, those of the files first; `-l NAME` is an empty value.
pub(crate) fn labels(files: &[String], flags: &[String]) -> Result<Vec<(String, String)>, EnvError> {
    let mut all = Vec::new();
    for path in files {
        all.extend(read_lines(path, |_| Some(String::new()))?);
    }
    all.extend_from_slice(flags);
    let pair = |text: &String| text.split_once('=').unwrap_or((text, "")).into_pair();
    Ok(all.iter().map(pair).collect())
}

trait IntoPair {
    fn into_pair(self) -> (String, String);
}

impl IntoPair for (&str, &str) {
    fn into_pair(self) -> (String, String) {
        (self.0.to_owned(), self.1.to_owned())
    }
}

fn read_lines(path: &str, here: impl Fn(&str) -> Option<String>) -> Result<Vec<String>, EnvError> {
    let bytes =
        std::fs::read(Path::new(path)).map_err(|source| EnvError::Read { path: path.to_owned(), source })?;
    let text = String::from_utf8(bytes).map_err(|_| EnvError::NotUtf8(path.to_owned()))?;
    parse_lines(&text, here)
}

/// A variable a line; empty lines and those that start with `#` do not count; a bare name takes its value from `here`
/// or is left out.
fn parse_lines(text: &str, here: impl Fn(&str) -> Option<String>) -> Result<Vec<String>, EnvError> {
    let mut variables = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for line in text.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, value) = match line.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (line, None),
        };
        if name.contains(char::is_whitespace) {
            return Err(EnvError::Whitespace(name.to_owned()));
        }
        if name.is_empty() {
            return Err(EnvError::NoNameOnLine(line.to_owned()));
        }
        let value = value.map(str::to_owned).or_else(|| here(name));
        variables.extend(value.map(|value| format!("{name}={value}")));
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn here(name: &str) -> Option<String> {
        (name == "HOME").then(|| "/root".to_owned())
    }

    #[test]
    fn a_bare_name_takes_the_value_from_here() {
        assert_eq!(with_value("HOME", here), "HOME=/root");
        assert_eq!(with_value("NOT_SET", here), "NOT_SET");
        assert_eq!(with_value("A=b=c", here), "A=b=c");
        assert_eq!(with_value("A=", here), "A=");
        assert_eq!(variable("=x").unwrap_err().to_string(), "invalid environment variable: =x");
    }

    #[test]
    fn files() {
        let text = "# comment\n\n  A=1\nHOME\nNOT_SET\nB=two words \nC=\n";
        assert_eq!(parse_lines(text, here).unwrap(), ["A=1", "HOME=/root", "B=two words ", "C="]);
        for (text, want) in [
            ("A B=1", "poorly formatted environment: variable 'A B' contains whitespaces"),
            ("=1", "poorly formatted environment: no variable name on line '=1'"),
        ] {
            assert_eq!(parse_lines(text, here).unwrap_err().to_string(), want);
        }
    }

    #[test]
    fn labels_are_pairs() {
        let flags = ["a=b=c".to_owned(), "d".to_owned()];
        let want = [("a", "b=c"), ("d", "")].map(IntoPair::into_pair);
        assert_eq!(labels(&[], &flags).unwrap(), want);
    }

    proptest! {
        #[test]
        fn any_file_is_read_or_refused(text in "[#=A \n\r\tä]{0,40}") {
            for variable in parse_lines(&text, here).unwrap_or_default() {
                let (name, _) = variable.split_once('=').unwrap();
                prop_assert!(!name.is_empty() && !name.contains(char::is_whitespace), "{:?}", variable);
            }
        }
    }
}
