//! `cargo xtask long speed`: the promises of SPECIFICATION.md on speed and size, measured beside a Docker in the same run.

use crate::run;
use anyhow::{Context, Result, ensure};
use sampan_testkit::{Cli, Daemon, Programs, pids_mentioning, root_file_system};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Each measure is taken this often, and once before to warm up.
const ROUNDS: u32 = 9;
const IMAGE: &str = "bb";
const CONTAINER: &str = "sampan-speed";
/// A command, and the part of Docker's time that it may take at most: one of this many.
const TIMES: [(&str, &[&str], f64); 2] = [
    ("run --rm on the bridge", &["run", "--rm", IMAGE, "true"], 6.0),
    ("exec", &["exec", CONTAINER, "true"], 6.0),
];
/// The idle daemon's resident memory, at most, in KiB.
const DAEMON_KIB: u64 = 16 << 10;
/// A monitor's private memory, at most, in KiB.
const MONITOR_KIB: u64 = 500;

/// Measures, prints and compares. `$SAMPAN_PEER` is the Docker to compare with, as for `docker --host`.
pub(crate) fn speed(rounds: Option<u32>) -> Result<()> {
    let host =
        std::env::var("SAMPAN_PEER").context("SAMPAN_PEER must name a Docker: unix:///run/docker.sock")?;
    let built = run::build()?;
    warn_of_load()?;
    let daemon = Daemon::start(Programs { sampan: built.sampan, runtime: built.runtime });
    let mut kept = size("idle daemon, resident", resident(daemon.pid())?, DAEMON_KIB);
    let engines = Engines { daemon: &daemon, host, rounds: rounds.unwrap_or(ROUNDS) };
    engines.prepare()?;
    for (name, arguments, least) in TIMES {
        kept &= engines.compare(name, arguments, least)?;
    }
    kept &= size("monitor, private", monitor(&daemon)?, MONITOR_KIB);
    engines.tidy_up()?;
    ensure!(kept, "a promise is not kept");
    Ok(())
}

/// Says so where other programs would distort the times: ours are short, and wait in the same queue as Docker's.
fn warn_of_load() -> Result<()> {
    let load = fs::read_to_string("/proc/loadavg").context("cannot read the load")?;
    println!("load before measuring (should be below 1, but for the build just now): {}", load.trim());
    Ok(())
}

struct Engines<'a> {
    daemon: &'a Daemon,
    host: String,
    rounds: u32,
}

impl Engines<'_> {
    /// Ours by our own command line, and Docker by its.
    fn commands(&self, arguments: &[&str]) -> [Command; 2] {
        let mut docker = Command::new("docker");
        docker.args(["-H", &self.host]).args(arguments);
        [self.daemon.client(Cli::Sampan, arguments), docker]
    }

    /// The same image and two containers with each. Two, so that the programs' text counts as shared.
    fn prepare(&self) -> Result<()> {
        let layer = root_file_system();
        for command in self.commands(&["import", "-", IMAGE]) {
            finish(command, &layer)?;
        }
        for name in [CONTAINER, "sampan-speed-other"] {
            for command in self.commands(&["run", "-d", "--name", name, IMAGE, "sleep", "100000"]) {
                finish(command, &[])?;
            }
        }
        Ok(())
    }

    fn tidy_up(&self) -> Result<()> {
        for command in self.commands(&["rm", "-f", CONTAINER, "sampan-speed-other"]) {
            finish(command, &[])?;
        }
        Ok(())
    }

    /// Interleaves the rounds, so that a drift of the machine hits both alike.
    fn compare(&self, name: &str, arguments: &[&str], least: f64) -> Result<bool> {
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..=self.rounds {
            for (command, times) in self.commands(arguments).into_iter().zip(&mut times) {
                let began = Instant::now();
                finish(command, &[])?;
                times.push(began.elapsed());
            }
        }
        let [ours, dockers] = times.map(|times| median(times[1..].to_vec()).as_secs_f64() * 1000.0);
        let ratio = dockers / ours;
        let verdict = if ratio >= least { "kept" } else { "NOT KEPT" };
        println!(
            "{name:28} {ours:7.1} ms  docker {dockers:7.1} ms  {ratio:5.1} times, {least} promised: {verdict}"
        );
        Ok(ratio >= least)
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Runs a command to its end; it must succeed.
fn finish(mut command: Command, input: &[u8]) -> Result<()> {
    command.stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() }).stdout(Stdio::null());
    let mut child = command.spawn().with_context(|| format!("cannot run {command:?}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input).context("cannot write to the command")?;
    }
    let status = child.wait().context("cannot wait")?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}

fn size(name: &str, found: u64, most: u64) -> bool {
    let verdict = if found <= most { "kept" } else { "NOT KEPT" };
    println!("{name:28} {found:7} KiB, {most} promised: {verdict}");
    found <= most
}

fn resident(pid: i32) -> Result<u64> {
    kib_of(&format!("/proc/{pid}/status"), &["VmRSS:"])
}

fn monitor(daemon: &Daemon) -> Result<u64> {
    let folder = daemon.exec_root().join("containers");
    let (pid, _) = pids_mentioning(Path::new(&folder)).into_iter().next().context("there is no monitor")?;
    kib_of(&format!("/proc/{pid}/smaps_rollup"), &["Private_Clean:", "Private_Dirty:"])
}

/// The sum of these lines of a file, in KiB.
pub(crate) fn kib_of(file: &str, names: &[&str]) -> Result<u64> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
    let lines = text.lines().filter(|line| names.iter().any(|name| line.starts_with(name)));
    Ok(lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum())
}
