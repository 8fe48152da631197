//! `top`: the processes of a container, as the host's ps(1) shows them. ps has some two hundred columns and options, which
//! users may ask for; nothing else in the engine needs another program.

use super::phase::{Verdict, Wish, allow};
use crate::blocking::blocking;
use crate::engine::Engine;
use crate::event::{self, Attributes};
use crate::{Error, Result};
use std::io;
use std::process::{Command, Output};

/// A container's processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Processes {
    /// The columns' headings.
    pub titles: Vec<String>,
    /// A cell for each heading.
    pub rows: Vec<Vec<String>>,
}

/// Shows a container's processes with these options of ps(1).
///
/// # Errors
/// When there is none, it does not run, or ps refuses its options or is not there.
pub async fn top(engine: &Engine, name: &str, options: &str) -> Result<Processes> {
    let handle = engine.containers().resolve(name)?;
    let id = handle.id().clone();
    match allow(handle.snapshot().state.phase, Wish::Top) {
        Verdict::Go => {}
        Verdict::Restarting => return Err(Error::Restarting(id.to_string())),
        Verdict::Removing => return Err(Error::Removing(name.to_owned())),
        _ => return Err(Error::NotRunning(id.to_string())),
    }
    let (on, container, options) = (engine.clone(), handle.container(), options.to_owned());
    let processes = blocking(move || {
        let pids = on.runtime().pids(&container)?;
        let words: Vec<&str> = options.split_ascii_whitespace().collect();
        parse(&ps(&words, &pids)?, &pids)
    })
    .await?;
    event::container(engine, &handle.container(), "top", Attributes::new());
    Ok(processes)
}

/// What ps prints: of these processes, or where an option forbids to choose them, of all.
fn ps(options: &[&str], pids: &[i32]) -> Result<String> {
    if let Some(pid) = options.iter().find(|word| word.contains("pid=")) {
        let text = format!("specifying {pid:?} is not allowed");
        return Err(Error::InvalidParameter(text));
    }
    let list: Vec<String> = pids.iter().map(ToString::to_string).collect();
    let chosen = run(&[options, &["-q", &list.join(",")]].concat())?;
    let output = if chosen.status.success() { chosen } else { run(options)? };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let reason = String::from_utf8_lossy(&output.stderr);
    Err(Error::Ps(reason.lines().next().unwrap_or_default().to_owned()))
}

fn run(words: &[&str]) -> Result<Output> {
    Command::new("ps").args(words).output().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => {
            Error::Ps("ps(1) is not installed on this host; `exec CONTAINER ps` may work".into())
        }
        _ => Error::Host { what: "run ps".into(), source },
    })
}

/// The rows of these processes, with what is too much for the headings in the last cell.
fn parse(text: &str, pids: &[i32]) -> Result<Processes> {
    let words = |line: &str| line.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let mut lines = text.lines();
    let titles = words(lines.next().unwrap_or_default());
    let column = titles.iter().position(|title| title == "PID");
    let column = column.ok_or_else(|| Error::Ps("Couldn't find PID field in ps output".into()))?;
    let mut rows = Vec::new();
    for line in lines {
        let mut row = words(line);
        let pid = row.get(column).and_then(|pid| pid.parse().ok());
        if !pid.is_some_and(|pid| pids.contains(&pid)) {
            continue;
        }
        if row.len() > titles.len() {
            let rest = row.split_off(titles.len() - 1);
            row.push(rest.join(" "));
        }
        rows.push(row);
    }
    Ok(Processes { titles, rows })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_chosen_by_their_pid() {
        let text = "  PID COMMAND\n    7 sleep 10 0\n   17 other\n   a b\n\n    9\n";
        let got = parse(text, &[7, 9]).unwrap();
        assert_eq!(got.titles, ["PID", "COMMAND"]);
        assert_eq!(got.rows, [vec!["7", "sleep 10 0"], vec!["9"]]);
        assert!(parse("COMMAND\nx\n", &[7]).is_err());
        assert!(parse("", &[7]).is_err());
    }

    #[test]
    fn renaming_the_column_of_pids_is_refused() {
        let refused = ps(&["-o", "pid=x"], &[1]).unwrap_err();
        assert_eq!(refused.to_string(), "specifying \"pid=x\" is not allowed");
    }
}
