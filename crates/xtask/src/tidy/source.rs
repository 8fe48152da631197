//! A Rust file as far as the house rules look at it: its code without comments and strings, and its functions.

use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// One file.
pub(crate) struct Source {
    /// Where it is, from the repository's root.
    pub path: PathBuf,
    /// All of it.
    pub text: String,
    /// The same, comments and contents of strings blanked out: as many lines.
    code: String,
}

/// One function.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// Its name.
    pub name: String,
    /// The line that it begins on, from 1.
    pub line: usize,
    /// How many lines it has.
    pub lines: usize,
}

impl Source {
    /// Reads a file below `root`.
    pub(crate) fn read(root: &Path, path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let code = blank(&text);
        Ok(Self { path: path.strip_prefix(root).unwrap_or(path).to_owned(), text, code })
    }

    /// The code before the file's tests; nothing of a file that holds only tests.
    pub(crate) fn product(&self) -> &str {
        let name = self.path.file_name();
        if name.is_some_and(|n| n == "tests.rs") || self.path.components().any(|c| c.as_os_str() == "tests") {
            return "";
        }
        let end = self.code.find("#[cfg(test)]\nmod tests").unwrap_or(self.code.len());
        &self.code[..end]
    }

    /// The functions that have a body, without tests.
    pub(crate) fn functions(&self) -> Vec<Function> {
        functions(self.product())
    }
}

/// Whether a line of code has this word, not as a part of a longer one.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    let joins = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    line.match_indices(word).any(|(at, _)| {
        let after = line[at + word.len()..].chars().next();
        let closed = !word.ends_with(|c: char| c.is_alphanumeric())
            || !after.is_some_and(|c| c.is_alphanumeric() || c == '_');
        closed && !line[..at].ends_with(joins)
    })
}

fn functions(code: &str) -> Vec<Function> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let name: String = code[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let whole_word = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        if !whole_word || name.is_empty() {
            continue;
        }
        if let Some(end) = end_of_body(&code[at..]) {
            let line = code[..at].matches('\n').count() + 1;
            found.push(Function { name, line, lines: code[at..at + end].matches('\n').count() + 1 });
        }
    }
    found
}

/// Where the first block in braces ends; `None` if a semicolon comes before it.
fn end_of_body(code: &str) -> Option<usize> {
    let (mut braces, mut others) = (0_usize, 0_usize);
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' => others += 1,
            ')' | ']' => others = others.saturating_sub(1),
            ';' if braces == 0 && others == 0 => return None,
            '{' => braces += 1,
            '}' => {
                braces = braces.saturating_sub(1);
                if braces == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// Replaces what is in comments, strings and characters by spaces, and keeps the lines.
fn blank(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let quiet = comment(rest).or_else(|| string(rest, &code)).or_else(|| character(rest)).unwrap_or(0);
        if quiet == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            code.extend(rest[..quiet].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[quiet..];
        }
    }
    code
}

/// The length of the comment that begins here. Block comments nest.
fn comment(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    let mut depth = 0_usize;
    let mut at = 0;
    while rest.starts_with("/*") && at < rest.len() {
        match rest.get(at..at + 2) {
            Some("/*") => (depth, at) = (depth + 1, at + 2),
            Some("*/") if depth == 1 => return Some(at + 2),
            Some("*/") => (depth, at) = (depth - 1, at + 2),
            _ => at += rest[at..].chars().next().map_or(1, char::len_utf8),
        }
    }
    None
}

/// The length of the string that begins here, raw ones included. `before` tells a raw string from a name that ends in r.
fn string(rest: &str, before: &str) -> Option<usize> {
    if rest.starts_with('"') {
        return quoted(rest, '"');
    }
    let in_name = before.ends_with(|c: char| c.is_alphanumeric() || c == '_') && !before.ends_with('b');
    let body = rest.strip_prefix('r').filter(|_| !in_name)?;
    let hashes = body.len() - body.trim_start_matches('#').len();
    if !body[hashes..].starts_with('"') {
        return None;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let start = 1 + hashes + 1;
    Some(rest[start..].find(&end).map_or(rest.len(), |at| start + at + end.len()))
}

/// The length of the character literal that begins here; a lifetime is none.
fn character(rest: &str) -> Option<usize> {
    let mut after = rest.strip_prefix('\'')?.chars();
    let (first, second) = (after.next()?, after.next()?);
    if first == '\\' || second == '\'' { quoted(rest, '\'') } else { None }
}

/// The length of what stands between two of these marks, marks included; a backslash hides one.
fn quoted(rest: &str, mark: char) -> Option<usize> {
    let mut hidden = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if hidden => hidden = false,
            '\\' => hidden = true,
            c if c == mark => return Some(at + c.len_utf8()),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_no_code() {
        for (text, hidden) in [
            ("// unsafe", true),
            ("/* a /* unsafe */ unsafe */ b", true),
            ("let x = \"unsafe \\\" unsafe\";", true),
            ("let x = r#\"unsafe \" \"#;", true),
            ("let x = br\"unsafe\";", true),
            ("let x = ['\"', '\\'']; // unsafe", true),
            ("fn f<'a>(x: &'a str) { unsafe {} }", false),
            ("let c = 'u'; unsafe {}", false),
        ] {
            assert_eq!(!has_word(&blank(text), "unsafe"), hidden, "{text}: {}", blank(text));
        }
    }

    #[test]
    fn words_are_whole() {
        assert!(has_word("    println!(\"x\")", "println!"));
        assert!(!has_word("eprintln!(x)", "println!"));
        assert!(!has_word("#![deny(unsafe_code)]", "unsafe"));
        assert!(!has_word("crate::http::get()", "http::"));
        assert!(has_word("use http::Request;", "http::"));
    }

    #[test]
    fn functions_are_counted_with_their_lines() {
        let code = "trait T { fn none(&self) -> [u8; 3]; }\nfn one() { x }\nfn many(a: [u8; 2])\n{\n  if a { b }\n}\n";
        let found: Vec<_> = functions(code).into_iter().map(|f| (f.name, f.line, f.lines)).collect();
        assert_eq!(found, [("one".to_owned(), 2, 1), ("many".to_owned(), 3, 4)]);
    }
}
