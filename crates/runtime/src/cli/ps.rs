//! `ps`: the processes of a container, as the host's ps(1) shows them.

use super::args::Parsed;
use super::container::find;
use super::{CliError, Context};
use std::process::Command;

/// `ps [--format table|json] ID [OPTION OF PS...]`.
pub(super) fn ps(mut context: Context<'_>, args: &Parsed) -> Result<i32, CliError> {
    let (_, state) = find(&context, args.id()?)?;
    let pids = state.cgroup()?.pids()?;
    match args.text("format").unwrap_or("table") {
        "json" => context.say(&format!("{}\n", serde_json::json!(pids)))?,
        "table" => {
            let options = args.rest.get(1..).unwrap_or_default();
            let usual = ["-ef".to_owned()];
            let text = shown(if options.is_empty() { &usual } else { options })?;
            context.say(&of(&text, &pids).ok_or_else(no_pid)?)?;
        }
        _ => return Err(CliError::Usage("invalid format option".into())),
    }
    Ok(0)
}

fn no_pid() -> CliError {
    CliError::Usage("the output of ps has no column PID".into())
}

fn shown(options: &[String]) -> Result<String, CliError> {
    let output = Command::new("ps").args(options).output();
    let output = output.map_err(|source| CliError::System { what: "execute ps", source })?;
    if !output.status.success() {
        return Err(CliError::Usage(format!("ps: {}", String::from_utf8_lossy(&output.stderr).trim())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The heading and the lines of these processes.
fn of(text: &str, pids: &[i32]) -> Option<String> {
    let heading = text.lines().next()?;
    let column = heading.split_whitespace().position(|name| name == "PID")?;
    let is_one = |line: &&str| {
        let pid = line.split_whitespace().nth(column).and_then(|pid| pid.parse().ok());
        pid.is_some_and(|pid| pids.contains(&pid))
    };
    let lines = std::iter::once(heading).chain(text.lines().skip(1).filter(is_one));
    Some(lines.map(|line| format!("{line}\n")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_their_lines() {
        let text = "UID   PID CMD\nroot    1 init\nroot   12 sh 1\nu     1 2\n";
        assert_eq!(of(text, &[12]).unwrap(), "UID   PID CMD\nroot   12 sh 1\n");
        assert_eq!(of("USER CMD\nroot sh\n", &[1]), None);
        assert_eq!(of("", &[1]), None);
    }
}
