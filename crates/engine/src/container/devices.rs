//! Devices of the host for a container: nodes and control group rules, looked up when it is started.

use super::{Config, HostConfig, ThrottleKind};
use crate::{Error, Result};
use rustix::fs::{FileType, Stat};
use std::path::{Path, PathBuf};

/// What was found on the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Devices {
    pub(crate) nodes: Vec<Node>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) throttles: Vec<(ThrottleKind, Number, u64)>,
    pub(crate) weights: Vec<(Number, u16)>,
}

/// Major and minor number.
pub(crate) type Number = (u32, u32);

/// A node to be made in the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) path: String,
    pub(crate) is_block: bool,
    pub(crate) number: Number,
    pub(crate) mode: u32,
    pub(crate) owner: (u32, u32),
}

/// What a container may do with devices of a number; `None` is any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// `a`, `b` or `c`.
    pub(crate) kind: char,
    pub(crate) major: Option<u32>,
    pub(crate) minor: Option<u32>,
    pub(crate) access: String,
}

/// What lies in /dev and is no device of the host's to give away.
const NOT_DEVICES: [&str; 7] = ["pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev"];
/// The longest chain of folders that is followed below a device's path.
const DEPTH: usize = 16;

/// Looks up what a container's configuration names.
///
/// # Errors
/// When a path is no device, or a rule is none.
pub(crate) fn find(config: &Config) -> Result<Devices> {
    let host = &config.host;
    let mut devices = Devices::default();
    if host.privileged {
        collect(Path::new("/dev"), DEPTH, &mut devices.nodes);
    }
    for wanted in &host.devices {
        let nodes = nodes(Path::new(&wanted.host), Path::new(&wanted.container))?;
        devices.rules.extend(nodes.iter().map(|node| rule(node, &wanted.access)));
        devices.nodes.extend(nodes);
    }
    for text in &host.device_rules {
        devices.rules.push(parse_rule(text)?);
    }
    disks(host, &mut devices)?;
    Ok(devices)
}

fn disks(host: &HostConfig, devices: &mut Devices) -> Result<()> {
    for throttle in &host.resources.throttles {
        devices.throttles.push((throttle.kind, disk(&throttle.path)?, throttle.rate));
    }
    for weight in &host.resources.blkio_weights {
        devices.weights.push((disk(&weight.path)?, weight.weight));
    }
    Ok(())
}

fn disk(path: &str) -> Result<Number> {
    let status = rustix::fs::stat(path)
        .map_err(|e| Error::InvalidParameter(format!("stat {path}: {}", reason(e.into()))))?;
    Ok(number(&status))
}

fn nodes(host: &Path, container: &Path) -> Result<Vec<Node>> {
    let failed = |why: String| {
        Error::InvalidParameter(format!(
            "error gathering device information while adding custom device {:?}: {why}",
            host.display().to_string()
        ))
    };
    // A link is for what it leads to.
    let real = host.canonicalize().map_err(|e| failed(reason(e)))?;
    let status = rustix::fs::stat(&real).map_err(|e| failed(reason(e.into())))?;
    if let Some(node) = node(container, &status) {
        return Ok(vec![node]);
    }
    if FileType::from_raw_mode(status.st_mode) != FileType::Directory {
        return Err(failed("not a device node".into()));
    }
    let mut nodes = Vec::new();
    collect(&real, DEPTH, &mut nodes);
    for node in &mut nodes {
        if let Ok(rest) = Path::new(&node.path).strip_prefix(&real) {
            node.path = container.join(rest).display().to_string();
        }
    }
    if nodes.is_empty() { Err(failed("no device nodes found".into())) } else { Ok(nodes) }
}

fn collect(folder: &Path, depth: usize, nodes: &mut Vec<Node>) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Ok(status) = rustix::fs::lstat(&path) else { continue };
        if FileType::from_raw_mode(status.st_mode) == FileType::Directory {
            if depth > 0 && !NOT_DEVICES.contains(&name.as_str()) {
                collect(&path, depth - 1, nodes);
            }
        } else if name != "console" {
            nodes.extend(node(&path, &status));
        }
    }
}

fn node(path: &Path, status: &Stat) -> Option<Node> {
    let kind = FileType::from_raw_mode(status.st_mode);
    let is_device = matches!(kind, FileType::BlockDevice | FileType::CharacterDevice);
    is_device.then(|| Node {
        path: path.display().to_string(),
        is_block: kind == FileType::BlockDevice,
        number: number(status),
        mode: status.st_mode & 0o7777,
        owner: (status.st_uid, status.st_gid),
    })
}

fn number(status: &Stat) -> Number {
    (rustix::fs::major(status.st_rdev), rustix::fs::minor(status.st_rdev))
}

fn rule(node: &Node, access: &str) -> Rule {
    let kind = if node.is_block { 'b' } else { 'c' };
    let (major, minor) = node.number;
    Rule { kind, major: Some(major), minor: Some(minor), access: access.to_owned() }
}

/// `c 1:3 rwm`, `b *:* r`.
pub(crate) fn parse_rule(text: &str) -> Result<Rule> {
    let wrong = || Error::InvalidParameter(format!("invalid device cgroup rule format: '{text}'"));
    let words: Vec<&str> = text.split(' ').collect();
    let [kind, numbers, access] = words[..] else { return Err(wrong()) };
    let (major, minor) = numbers.split_once(':').ok_or_else(wrong)?;
    let number = |text: &str| match text {
        "*" => Ok(None),
        digits => digits.parse().map(Some).map_err(|_| wrong()),
    };
    let known =
        !access.is_empty() && access.len() <= 3 && access.chars().all(|letter| "rwm".contains(letter));
    match (kind, known) {
        ("a" | "b" | "c", true) => Ok(Rule {
            kind: kind.chars().next().unwrap_or('a'),
            major: number(major)?,
            minor: number(minor)?,
            access: access.to_owned(),
        }),
        _ => Err(wrong()),
    }
}

/// The error as Go's `syscall.Errno` words it.
fn reason(error: std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or directory".into(),
        std::io::ErrorKind::PermissionDenied => "permission denied".into(),
        std::io::ErrorKind::NotADirectory => "not a directory".into(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read() {
        let rule = parse_rule("c 1:* rw").unwrap();
        assert_eq!((rule.kind, rule.major, rule.minor, rule.access.as_str()), ('c', Some(1), None, "rw"));
        for bad in ["", "nope", "x 1:3 r", "c 1 r", "c 1:3 x", "c 1:3 ", "c -1:3 r", "c 1:3 rwmr"] {
            let text = format!("invalid device cgroup rule format: '{bad}'");
            assert_eq!(parse_rule(bad).unwrap_err().to_string(), text);
        }
    }

    #[test]
    fn nodes_keep_number_and_mode() {
        let found = nodes(Path::new("/dev/null"), Path::new("/dev/x")).unwrap();
        let [node] = &found[..] else { panic!("{found:?}") };
        assert_eq!((node.path.as_str(), node.number, node.is_block), ("/dev/x", (1, 3), false));
        let error = nodes(Path::new("/nope"), Path::new("/nope")).unwrap_err().to_string();
        let text = "error gathering device information while adding custom device \"/nope\": ";
        assert_eq!(error, format!("{text}no such file or directory"));
        assert!(
            nodes(Path::new("/etc/passwd"), Path::new("/x"))
                .unwrap_err()
                .to_string()
                .ends_with("not a device node")
        );
    }
}
