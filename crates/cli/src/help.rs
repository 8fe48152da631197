//! The help texts, laid out as Docker's command line lays them out.

use crate::flags::{display_name, is_bool};
use crate::verb::{Entry, Group};
use clap::{Arg, Command};

/// A description narrower than this goes to a line of its own.
const NARROW: usize = 24;
const NARROW_INDENT: usize = 16;
/// A line may overflow by so much if it then ends the paragraph.
const SLOP: usize = 5;

/// The help of one verb, reached as `path` (`container ls`), for a terminal of so many columns.
pub(crate) fn verb(path: &str, entry: &Entry, columns: usize) -> String {
    let mut text = format!("Usage:  {}\n\n{}\n", usage(path, entry), entry.about);
    if !entry.aliases.is_empty() {
        let aliases: Vec<_> = entry.aliases.iter().map(|alias| format!("sampan {alias}")).collect();
        text += &format!("\nAliases:\n  {}\n", aliases.join(", "));
    }
    let flags = flags(&entry.command(), columns - 1);
    if !flags.is_empty() {
        text += &format!("\nOptions:\n{flags}");
    }
    text
}

/// `sampan run [OPTIONS] IMAGE [COMMAND] [ARG...]`.
pub(crate) fn usage(path: &str, entry: &Entry) -> String {
    if entry.usage.is_empty() { format!("sampan {path}") } else { format!("sampan {path} {}", entry.usage) }
}

/// The help of a group of verbs.
pub(crate) fn group(group: &Group) -> String {
    let mut text = format!("Usage:  sampan {} COMMAND\n\n{}\n\nCommands:\n", group.name, group.about);
    text += &list(group.verbs.iter().map(|entry| (entry.name, entry.about)));
    text + &format!("\nRun 'sampan {} COMMAND --help' for more information on a command.\n", group.name)
}

/// The help of the whole program, for a terminal of so many columns.
pub(crate) fn root(globals: &Command, verbs: &[Entry], groups: &[Group], columns: usize) -> String {
    let is_common = |entry: &&Entry| COMMON.contains(&entry.name);
    let common = COMMON.iter().filter_map(|name| verbs.iter().find(|entry| entry.name == *name));
    let mut text = "Usage:  sampan [OPTIONS] COMMAND\n\nRuns containers\n\nCommon Commands:\n".to_owned();
    text += &list(common.map(|entry| (entry.name, entry.about)));
    text += "\nManagement Commands:\n";
    text += &list(groups.iter().map(|group| (group.name, group.about)));
    text += "\nCommands:\n";
    let rest = verbs.iter().filter(|entry| !is_common(entry)).map(|entry| (entry.name, entry.about));
    text += &list(rest.chain([("daemon", "Run the engine")]));
    text += &format!("\nGlobal Options:\n{}", flags(globals, columns - 1));
    text + "\nRun 'sampan COMMAND --help' for more information on a command.\n"
}

/// What is asked for most, in this order.
const COMMON: [&str; 9] = ["run", "exec", "ps", "pull", "images", "login", "logout", "version", "info"];

fn list<'a>(verbs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    verbs.map(|(name, about)| format!("  {name:<11} {}\n", first_line(about))).collect()
}

fn first_line(about: &str) -> &str {
    about.split_once(".\n").map_or(about, |(first, _)| first)
}

/// The flags, a line each, wrapped to `width` columns.
fn flags(command: &Command, width: usize) -> String {
    let mut args: Vec<&Arg> =
        command.get_arguments().filter(|arg| arg.get_long().is_some() && !arg.is_hide_set()).collect();
    args.sort_by_key(|arg| arg.get_long());
    let lines: Vec<(String, String)> = args.iter().map(|arg| (head(arg), description(arg))).collect();
    let column = lines.iter().map(|(head, _)| head.len() + 3).max().unwrap_or(0);
    let line = |(head, description): &(String, String)| {
        format!("{head:<column$}{}\n", wrap(description, column, width))
    };
    lines.iter().map(line).collect()
}

fn head(arg: &Arg) -> String {
    let indent = if arg.get_short().is_some() { "  " } else { "      " };
    let value = match arg.get_value_names() {
        Some([name, ..]) if !is_bool(arg) => format!(" {name}"),
        _ => String::new(),
    };
    format!("{indent}{}{value}", display_name(arg))
}

fn description(arg: &Arg) -> String {
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let is_text = arg.get_value_names().is_some_and(|names| names[0] == "string");
    match arg.get_default_values().first().and_then(|value| value.to_str()) {
        Some(value) if is_text => format!("{help} (default {value:?})"),
        Some(value) if !is_bool(arg) || value == "true" => format!("{help} (default {value})"),
        _ => help,
    }
}

/// Breaks `text` so that it fits between `indent` and `width`.
fn wrap(text: &str, indent: usize, width: usize) -> String {
    let narrow = width.saturating_sub(indent) < NARROW;
    let indent = if narrow { NARROW_INDENT } else { indent };
    let new_line = format!("\n{}", " ".repeat(indent));
    let room = width.saturating_sub(indent);
    let mut pieces = Vec::new();
    let mut rest = text;
    while room >= NARROW && !rest.is_empty() {
        let (line, left) = cut(rest, room - SLOP);
        pieces.push(line.replace('\n', &new_line));
        rest = left;
    }
    if pieces.is_empty() {
        pieces.push(rest.replace('\n', &new_line));
    }
    format!("{}{}", if narrow { &new_line } else { "" }, pieces.join(&new_line))
}

/// The first line of `text`, of at most `room` columns (and some more at the end), and the rest.
fn cut(text: &str, room: usize) -> (&str, &str) {
    let head: usize = text.chars().take(room).map(char::len_utf8).sum();
    let head = &text[..head];
    let space = head.rfind([' ', '\t', '\n']).filter(|at| *at > 0);
    let (Some(space), true) = (space, text.len() >= room + SLOP) else { return (text, "") };
    let at = head.rfind('\n').filter(|at| *at > 0 && *at < space).unwrap_or(space);
    (&text[..at], &text[at + 1..])
}
