//! The program of the built-in image `hello`: it prints what a container sees of itself.
//!
//! It is compiled by this crate's build script, alone and static, and embedded in the engine: no dependencies, and every
//! fact is read from a file, so that it runs in an image that holds nothing else. A fact that cannot be found out is left
//! out.

use std::fs;
use std::io::{self, Write};
use std::time::SystemTime;

/// A start takes longer than this only if `/etc/hostname` is not of this start.
const PLAUSIBLE_US: u128 = 60_000_000;
/// cgroup v1 writes "no limit" of memory as a number near the largest (cgroup-v1/memory.rst).
const V1_UNLIMITED: u64 = 1 << 60;

fn main() -> io::Result<()> {
    let mut text = String::from("Hello from a container made by Sampan.\n\nWhat it sees from inside:\n");
    for (name, fact) in facts() {
        if let Some(fact) = fact {
            text.push_str(&format!("  {name:<9}{fact}\n"));
        }
    }
    io::stdout().write_all(text.as_bytes())
}

fn facts() -> [(&'static str, Option<String>); 7] {
    [
        ("process", Some(format!("{} of {}", std::process::id(), processes()))),
        ("host", hostname()),
        ("address", address()),
        ("memory", memory()),
        ("cpus", cpus()),
        ("pids", pids()),
        ("started", start_time()),
    ]
}

/// How many processes there are.
fn processes() -> String {
    let is_pid = |name: &str| name.bytes().all(|b| b.is_ascii_digit());
    let count = fs::read_dir("/proc").map_or(0, |entries| {
        entries.flatten().filter(|entry| entry.file_name().to_str().is_some_and(is_pid)).count()
    });
    if count == 0 { "an unknown number".into() } else { count.to_string() }
}

fn hostname() -> Option<String> {
    read("/proc/sys/kernel/hostname")
}

/// The addresses of this network name space, without those of the loopback interface.
fn address() -> Option<String> {
    let found = local_addresses(&fs::read_to_string("/proc/net/fib_trie").ok()?);
    Some(if found.is_empty() { "none".into() } else { found.join(" ") })
}

/// The addresses in `/proc/net/fib_trie`: each is the line before a `/32 host LOCAL`.
fn local_addresses(trie: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut candidate = "";
    for line in trie.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            candidate = address;
        } else if line == "/32 host LOCAL"
            && !candidate.starts_with("127.")
            && !found.iter().any(|f| f == candidate)
        {
            found.push(candidate.to_owned());
        }
    }
    found
}

fn memory() -> Option<String> {
    let limit = cgroup("memory", "memory.max", "memory.limit_in_bytes")?;
    Some(match limit.parse::<u64>() {
        Ok(bytes) if bytes < V1_UNLIMITED => format!("at most {} MiB", bytes >> 20),
        _ => "no limit".into(),
    })
}

fn pids() -> Option<String> {
    let limit = cgroup("pids", "pids.max", "pids.max")?;
    Some(if limit == "max" { "no limit".into() } else { format!("at most {limit}") })
}

fn cpus() -> Option<String> {
    let (quota, period) = match read("/sys/fs/cgroup/cpu.max") {
        Some(both) => both.split_once(' ').map(|(q, p)| (q.to_owned(), p.to_owned()))?,
        None => (cgroup("cpu", "", "cpu.cfs_quota_us")?, cgroup("cpu", "", "cpu.cfs_period_us")?),
    };
    Some(match (quota.parse::<u64>(), period.parse::<u64>()) {
        (Ok(quota), Ok(period)) if period > 0 => {
            format!("at most {}.{:02}", quota / period, quota % period * 100 / period)
        }
        _ => "no limit".into(),
    })
}

/// A file of this container's cgroup: of version 2, or of the version 1 hierarchy of `controller`.
fn cgroup(controller: &str, v2: &str, v1: &str) -> Option<String> {
    let unified = if v2.is_empty() { None } else { read(&format!("/sys/fs/cgroup/{v2}")) };
    unified.or_else(|| read(&format!("/sys/fs/cgroup/{controller}/{v1}")))
}

/// The engine writes `/etc/hostname` when it begins the start.
fn start_time() -> Option<String> {
    let began = fs::metadata("/etc/hostname").ok()?.modified().ok()?;
    let taken = SystemTime::now().duration_since(began).ok()?.as_micros();
    (taken < PLAUSIBLE_US).then(|| format!("in {}.{} ms", taken / 1000, taken / 100 % 10))
}

/// A file's text without the white space at its ends.
fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_that_are_local() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     \
                    +-- 10.1.0.0/16 2 0 2\n        |-- 10.1.0.0\n           /16 link UNICAST\n        \
                    |-- 10.1.0.7\n           /32 host LOCAL\n     |-- 127.0.0.1\n        /32 host LOCAL\n\
                    Local:\n        |-- 10.1.0.7\n           /32 host LOCAL\n";
        assert_eq!(local_addresses(trie), ["10.1.0.7"]);
        assert!(local_addresses("").is_empty());
    }
}
