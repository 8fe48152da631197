//! Scripts of commands, which ours and Docker's command line perform with equal output.

#![allow(dead_code, reason = "each file of scripts uses its part")]

use sampan_testkit::{Cli, Daemon, Output, docker_archive, programs, root_file_system};
use std::process::Command;
use std::sync::LazyLock;

/// Ours and Docker's.
pub(crate) const BOTH: [Cli; 2] = [Cli::Sampan, Cli::Docker];

/// A daemon with busybox.
pub(crate) fn daemon() -> Daemon {
    let daemon = Daemon::start(programs!());
    daemon.import_busybox();
    daemon
}

/// `run --rm` with these flags and command prints this, whoever asks.
#[track_caller]
pub(crate) fn prints(daemon: &Daemon, line: &str, want: &str) {
    for cli in BOTH {
        let output = daemon.run(cli, &[vec!["run", "--rm"], words(line)].concat());
        assert_eq!((output.code, output.text().as_str()), (0, want), "{cli:?} {line}: {output:?}");
    }
}

/// `run` with these flags is refused with this text in it, whoever asks.
#[track_caller]
pub(crate) fn refuses(daemon: &Daemon, line: &str, want: &str) {
    for cli in BOTH {
        let output = daemon.run(cli, &[vec!["run", "--rm"], words(line)].concat());
        assert!(
            matches!(output.code, 125 | 127) && output.stderr.contains(want),
            "{cli:?} {line}: {output:?}"
        );
    }
}

/// A step of the script: the words, the standard input, and the exit code with the standard output where they are the same
/// at each run.
pub(crate) struct Act {
    pub(crate) words: Vec<String>,
    pub(crate) input: &'static [u8],
    want: Option<(i32, Option<&'static str>)>,
}

impl Act {
    /// Whether it came out as it should.
    #[track_caller]
    fn check(&self, output: &Output, cli: Cli) {
        let Some((code, stdout)) = self.want else { return };
        let got = (output.code, stdout.map(|_| output.text()));
        assert_eq!(got, (code, stdout.map(str::to_owned)), "{cli:?} {:?}: {}", self.words, output.stderr);
    }
}

/// A line's words, which a space separates; `'` keeps some together.
pub(crate) fn words(line: &str) -> Vec<&str> {
    let parts = line.split('\'').enumerate();
    parts
        .flat_map(|(i, part)| match i % 2 {
            0 => part.split_whitespace().collect(),
            _ => vec![part],
        })
        .collect()
}

/// A step of which only the equality counts.
pub(crate) fn same(line: &str) -> Act {
    Act { words: words(line).into_iter().map(str::to_owned).collect(), input: b"", want: None }
}

/// A step that must end and print like this.
pub(crate) fn act(line: &str, code: i32, stdout: &'static str) -> Act {
    Act { want: Some((code, Some(stdout))), ..same(line) }
}

/// A step that must end like this, and prints something else at each run.
pub(crate) fn exits(line: &str, code: i32) -> Act {
    Act { want: Some((code, None)), ..same(line) }
}

pub(crate) fn fed(line: &str, input: &'static [u8], stdout: &'static str) -> Act {
    Act { input, ..act(line, 0, stdout) }
}

/// Takes out what differs from run to run: ids, times, the widths of columns that follow from them, and the program's name.
fn normalized(output: &Output) -> String {
    let errors = if is_current() { output.stderr.as_str() } else { "" };
    let text = format!("code {}\n{}\n--\n{errors}", output.code, output.text()).replace("docker", "sampan");
    let lines = text.lines().map(plain_line);
    times(&lines.collect::<Vec<_>>().join("\n"))
}

/// Whether Docker's client is of the version that ours words its complaints like.
fn is_current() -> bool {
    static CURRENT: LazyLock<bool> = LazyLock::new(|| {
        let mut command = Command::new("docker");
        command.arg("--version");
        Output::of(command, b"").ok().starts_with("Docker version 28.")
    });
    *CURRENT
}

/// What `inspect` shows that differs from run to run. Which empty lists a client sends as `null` is its own affair.
const VARYING: [&str; 3] = ["\"Pid\":", "\"MacAddress\":", "\"IPAddress\":"];

fn plain_line(line: &str) -> String {
    if let Some(name) = VARYING.iter().find(|name| line.trim_start().starts_with(**name)) {
        return (*name).to_owned();
    }
    let words = line.split(' ').filter(|word| !word.is_empty()).map(plain);
    words.collect::<Vec<_>>().join(" ").replace(": null", ": []")
}

/// A word with `ID` for each id in it, `TIME` for a time.
fn plain(word: &str) -> String {
    let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    if bare.len() >= 20 && bare.starts_with("20") && bare.contains('T') && bare.contains(':') {
        return word.replace(bare, "TIME");
    }
    let parts = word.split_inclusive(|c: char| !c.is_ascii_hexdigit());
    let part = |part: &str| {
        let digits = part.trim_end_matches(|c: char| !c.is_ascii_hexdigit());
        if digits.len() >= ID_SHORT { part.replace(digits, "ID") } else { part.to_owned() }
    };
    parts.map(part).collect()
}

/// The length of an id as people are shown it.
const ID_SHORT: usize = 12;

/// `3 seconds ago`, `About a minute`, `Less than a second`: all the same.
fn times(text: &str) -> String {
    let mut text = text
        .replace("Less than a second", "SOME seconds")
        .replace("About a minute", "SOME seconds")
        .replace("1 second ", "SOME seconds ");
    for number in 2..60 {
        text = text.replace(&format!(" {number} seconds"), " SOME seconds");
    }
    text.replace("SOME seconds ago", "AGO")
}

fn perform(daemon: &Daemon, cli: Cli, acts: &[Act]) -> Vec<(String, String)> {
    let perform = |act: &Act| {
        let words: Vec<&str> = act.words.iter().map(String::as_str).collect();
        let output = daemon.run_with(cli, &words, act.input);
        act.check(&output, cli);
        (words.join(" "), normalized(&output))
    };
    acts.iter().map(perform).collect()
}

/// A daemon with the images that scripts use performs a script with either command line.
pub(crate) fn equal_with_both(acts: fn() -> Vec<Act>) {
    let daemon = Daemon::start(programs!());
    daemon.import_busybox();
    let archive = docker_archive("loaded:1", &root_file_system(), &["echo", "from the archive"]);
    assert_eq!(daemon.run_with(Cli::Docker, &["load"], &archive).ok(), "Loaded image: loaded:1");
    let ours = perform(&daemon, Cli::Sampan, &acts());
    let dockers = perform(&daemon, Cli::Docker, &acts());
    for (ours, dockers) in ours.iter().zip(&dockers) {
        assert_eq!(ours.1, dockers.1, "sampan and docker {}", ours.0);
    }
    daemon.nothing_is_left();
}

/// What a script expects is what Docker does. `$SAMPAN_PEER` names one, as for `docker --host`.
#[cfg(feature = "peers")]
pub(crate) fn docker_does(acts: impl IntoIterator<Item = Act>) {
    let host = std::env::var("SAMPAN_PEER").unwrap();
    let docker = |words: &[&str], input: &[u8]| {
        let mut command = Command::new("docker");
        command.args(["-H", &host]).args(words);
        Output::of(command, input)
    };
    docker(&["import", "-", "bb"], &root_file_system()).ok();
    docker(&["load"], &docker_archive("loaded:1", &root_file_system(), &["echo", "from the archive"])).ok();
    for act in acts {
        let words: Vec<&str> = act.words.iter().map(String::as_str).collect();
        let output = docker(&words, act.input);
        act.check(&output, Cli::Docker);
    }
    docker(&["rmi", "bb", "loaded:1"], b"").ok();
}
