//! The house rules that a program can check: `cargo xtask tidy`, and a test of this crate.
//!
//! What is judged by people is printed: how long files and functions are, and which are the longest.

mod edges;
mod source;

use crate::command;
use anyhow::{Context, Result, ensure};
use source::Source;
use std::fs;
use std::path::{Path, PathBuf};

/// How many of the longest are printed.
const LONGEST: usize = 8;
/// Where these words may stand in code, besides tests: the first part of a file's path, or the first two in `crates`.
const WORDS: &[(&[&str], &[&str])] = &[
    (&["unsafe"], &["crates/sys"]),
    (
        &["print!", "println!", "eprint!", "eprintln!"],
        &["crates/cli", "src", "crates/xtask", "crates/testkit", "crates/hello", "tests"],
    ),
    (&["hyper::", "http::", "axum::"], &["crates/server", "crates/registry", "crates/api"]),
];

/// Checks the rules and prints the sizes.
///
/// # Errors
/// When a rule is broken: all places are named.
pub(crate) fn print() -> Result<()> {
    let sources = sources()?;
    let broken = broken(&sources)?;
    sizes(&sources);
    ensure!(broken.is_empty(), "house rules are broken:\n  {}", broken.join("\n  "));
    Ok(())
}

/// A line for each place that breaks a rule.
fn broken(sources: &[Source]) -> Result<Vec<String>> {
    let mut broken = edges::broken(&command::metadata()?);
    broken.extend(
        sources
            .iter()
            .filter(|s| !s.text.starts_with("//!"))
            .map(|s| format!("{}: does not say at its top (//!) what it is for", s.path.display())),
    );
    for source in sources {
        for (words, places) in WORDS {
            if !places.iter().any(|place| source.path.starts_with(place)) {
                broken.extend(misplaced(source, words, places));
            }
        }
    }
    Ok(broken)
}

/// The lines of code with one of these words.
fn misplaced(source: &Source, words: &[&str], places: &[&str]) -> Vec<String> {
    let lines = source.product().lines().enumerate();
    let hits = lines.flat_map(|(n, line)| {
        words
            .iter()
            .filter(|word| source::has_word(line, word))
            .map(move |word| (n + 1, *word))
            .collect::<Vec<_>>()
    });
    hits.map(|(n, word)| format!("{}:{n}: `{word}` only in {}", source.path.display(), places.join(", ")))
        .collect()
}

/// All Rust files of the repository.
fn sources() -> Result<Vec<Source>> {
    let root = command::root();
    let mut found = Vec::new();
    for folder in ["crates", "fuzz/fuzz_targets", "fuzz/src", "src", "tests"] {
        collect(&root.join(folder), &mut found)?;
    }
    found.sort();
    found.iter().map(|path| Source::read(&root, path)).collect()
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(());
    };
    for entry in entries {
        let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
        if path.is_dir() {
            collect(&path, found)?;
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

fn sizes(sources: &[Source]) {
    let files = sources.iter().map(|s| (s.product().lines().count(), s.path.display().to_string()));
    distribution("lines of a file, without its tests", files.collect());
    let functions = sources.iter().flat_map(|source| {
        let name =
            |f: source::Function| (f.lines, format!("{}:{} {}", source.path.display(), f.line, f.name));
        source.functions().into_iter().map(name).collect::<Vec<_>>()
    });
    distribution("lines of a function, without tests", functions.collect());
}

fn distribution(title: &str, mut sizes: Vec<(usize, String)>) {
    sizes.sort();
    let at = |percent: usize| sizes.get(sizes.len().saturating_sub(1) * percent / 100).map_or(0, |s| s.0);
    let total: usize = sizes.iter().map(|s| s.0).sum();
    println!(
        "{title}: {} of them, {total} in all; median {}, 90 % {}, longest:",
        sizes.len(),
        at(50),
        at(90)
    );
    for (lines, name) in sizes.iter().rev().take(LONGEST) {
        println!("  {lines:5}  {name}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_repository_keeps_its_rules() {
        let broken = broken(&sources().unwrap()).unwrap();
        assert!(broken.is_empty(), "\n{}", broken.join("\n"));
    }
}
