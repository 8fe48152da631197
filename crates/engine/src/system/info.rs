//! The engine in numbers.

use crate::container::{self, Phase};
use crate::engine::Engine;
use crate::host::Limits;
use rustix::fs::{Dir, FileType, Mode, OFlags};
use std::path::Path;

/// The engine in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// Containers that run.
    pub running: usize,
    /// Containers that are paused.
    pub paused: usize,
    /// Containers that do neither.
    pub stopped: usize,
    /// Images, untagged ones too.
    pub images: usize,
    /// The file system below the data-root is used with this driver.
    pub driver: &'static str,
    /// What there is to say about that, in Docker's words.
    pub driver_status: Vec<(&'static str, String)>,
    /// What containers can be limited in.
    pub limits: Limitable,
}

/// What this host's control groups can limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Limitable {
    /// Memory.
    pub memory: bool,
    /// Memory and swap together.
    pub swap: bool,
    /// Whether processes can be made to wait for memory. Version 2 cannot.
    pub oom_kill: bool,
    /// How many processes there are.
    pub pids: bool,
    /// The processor, by weight.
    pub cpu_shares: bool,
    /// The processor, by time.
    pub cpu_quota: bool,
    /// Which processors.
    pub cpuset: bool,
}

impl From<&Limits> for Limitable {
    fn from(limits: &Limits) -> Self {
        Self {
            memory: limits.memory,
            swap: limits.swap,
            oom_kill: limits.oom_kill,
            pids: limits.pids,
            cpu_shares: limits.cpu_shares,
            cpu_quota: limits.cpu_quota,
            cpuset: limits.cpus.is_some(),
        }
    }
}

/// Counts what is there.
pub async fn info(engine: &Engine) -> Info {
    let mut info = Info {
        images: crate::image::list(engine).await.len(),
        driver: "overlay2",
        driver_status: driver_status(&engine.options().data_root),
        limits: Limitable::from(&engine.host().limits),
        ..Info::default()
    };
    for snapshot in container::list(engine).await {
        match snapshot.state.phase {
            Phase::Running { .. } | Phase::Restarting => info.running += 1,
            Phase::Paused { .. } => info.paused += 1,
            _ => info.stopped += 1,
        }
    }
    info
}

fn driver_status(data_root: &Path) -> Vec<(&'static str, String)> {
    vec![
        ("Backing Filesystem", backing(data_root).into()),
        ("Supports d_type", tells_types(data_root).to_string()),
        ("Using metacopy", is_on("/sys/module/overlay/parameters/metacopy").to_string()),
        // What a container has changed is read from its own layer, and nowhere mounted for that.
        ("Native Overlay Diff", true.to_string()),
        ("userxattr", false.to_string()),
    ]
}

/// The name that Docker has for a file system (statfs(2)).
fn backing(folder: &Path) -> &'static str {
    match rustix::fs::statfs(folder).map(|found| found.f_type) {
        Ok(0xef53) => "extfs",
        Ok(0x5846_5342) => "xfs",
        Ok(0x9123_683e) => "btrfs",
        Ok(0x0102_1994) => "tmpfs",
        Ok(0x2fc1_2fc1) => "zfs",
        Ok(0x794c_7630) => "overlayfs",
        Ok(0xf2f5_2010) => "f2fs",
        _ => "<unknown>",
    }
}

/// Whether listing a folder tells each entry's kind, which overlays need.
fn tells_types(folder: &Path) -> bool {
    let opened =
        rustix::fs::open(folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    let Ok(entries) = opened.and_then(Dir::new) else { return false };
    entries.flatten().all(|entry| entry.file_type() != FileType::Unknown)
}

fn is_on(parameter: &str) -> bool {
    std::fs::read_to_string(parameter).is_ok_and(|text| text.trim_end() == "Y")
}
