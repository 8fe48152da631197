//! Words of an instruction: split at blanks outside quotes, then variables put in and quotes taken away.

use super::Error;
use std::iter::Peekable;
use std::str::Chars;

/// Splits at blanks; quotes and backslashes stay.
pub(super) fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, c) if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None | Some('"'), '\\') => {
                word.push(c);
                word.extend(chars.next());
                continue;
            }
            _ => {}
        }
        word.push(c);
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Puts variables of `env` (`NAME=value`) in and takes quotes away, as a shell does; what is not set is empty.
pub(super) fn expand(word: &str, env: &[String]) -> Result<String, Error> {
    let mut out = String::new();
    let mut chars = word.chars().peekable();
    let mut quoted = false;
    while let Some(c) = chars.next() {
        match c {
            '\'' if !quoted => {
                out.extend(chars.by_ref().take_while(|c| *c != '\''));
            }
            '"' => quoted = !quoted,
            '\\' => match chars.next() {
                Some(next) if !quoted || matches!(next, '"' | '$' | '\\') => out.push(next),
                next => {
                    out.push('\\');
                    out.extend(next);
                }
            },
            '$' => variable(&mut chars, env, &mut out)
                .map_err(|what| Error::Expansion { word: word.to_owned(), what })?,
            _ => out.push(c),
        }
    }
    Ok(out)
}

/// What stands behind a `$`: `NAME`, `{NAME}`, `{NAME:-default}`, `{NAME:+other}`.
fn variable(chars: &mut Peekable<Chars<'_>>, env: &[String], out: &mut String) -> Result<(), &'static str> {
    if chars.next_if_eq(&'{').is_none() {
        let name = name(chars);
        if name.is_empty() {
            out.push('$');
        }
        out.push_str(value(env, &name).unwrap_or_default());
        return Ok(());
    }
    let name = name(chars);
    if name.is_empty() {
        return Err("bad substitution");
    }
    let value = value(env, &name).filter(|value| !value.is_empty());
    let body: String = chars.take_while(|c| *c != '}').collect();
    match body.split_at_checked(2) {
        _ if body.is_empty() => out.push_str(value.unwrap_or_default()),
        Some((":-", default)) => out.push_str(value.unwrap_or(default)),
        Some((":+", other)) => out.push_str(value.map_or("", |_| other)),
        _ => return Err("unsupported modifier in substitution"),
    }
    Ok(())
}

fn name(chars: &mut Peekable<Chars<'_>>) -> String {
    let mut name = String::new();
    while let Some(c) = chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
        name.push(c);
    }
    name
}

fn value<'a>(env: &'a [String], name: &str) -> Option<&'a str> {
    let mut pairs = env.iter().filter_map(|entry| entry.split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_and_variables() {
        let env = ["A=1".to_owned(), "E=".to_owned()];
        for (word, want) in [
            ("$A", "1"),
            ("${A}x", "1x"),
            ("$AB", ""),
            ("'$A'", "$A"),
            ("\"$A\"", "1"),
            ("\\$A", "$A"),
            ("\"\\$A \\x\"", "$A \\x"),
            ("${E:-d}", "d"),
            ("${A:-d}", "1"),
            ("${A:+o}", "o"),
            ("${E:+o}", ""),
            ("a$", "a$"),
            ("a\\", "a\\"),
        ] {
            assert_eq!(expand(word, &env).unwrap(), want, "{word}");
        }
        assert!(expand("${A?x}", &env).is_err());
        assert!(expand("${}", &env).is_err());
        assert_eq!(split(r#"a "b c"  d\ e 'f"g'"#), ["a", "\"b c\"", "d\\ e", "'f\"g'"]);
    }

    proptest! {
        #[test]
        fn any_text_is_split_and_expanded(text in "[a$\\\\{}:'\" =+-]{0,30}") {
            for word in split(&text) {
                let _ = expand(&word, &["a=1".to_owned()]);
            }
        }
    }
}
