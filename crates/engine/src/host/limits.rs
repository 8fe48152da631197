//! Which limits this host's control groups know.

use std::path::{Path, PathBuf};

const ROOT: &str = "/sys/fs/cgroup";

/// What can be limited, and what there is to choose from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) memory: bool,
    pub(crate) pids: bool,
    pub(crate) cpu_shares: bool,
    /// A share of the time within a period.
    pub(crate) cpu_quota: bool,
    /// Swap: with version 1 the kernel must have been told to account for it.
    pub(crate) swap: bool,
    pub(crate) swappiness: bool,
    /// Whether processes can be made to wait for memory instead of being killed.
    pub(crate) oom_kill: bool,
    pub(crate) blkio_weight: bool,
    /// The same for single disks.
    pub(crate) blkio_weight_device: bool,
    pub(crate) realtime: bool,
    /// The processors, `0-3`; `None` if that cannot be limited.
    pub(crate) cpus: Option<String>,
    /// The memory nodes.
    pub(crate) mems: Option<String>,
}

impl Limits {
    pub(crate) fn detect() -> Self {
        let root = Path::new(ROOT);
        let (memory, blkio, cpu) = (root.join("memory"), root.join("blkio"), root.join("cpu"));
        let memory_v1 = memory.is_dir();
        let unified = std::fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
        let unified = |name: &str| unified.split_whitespace().any(|controller| controller == name);
        let io = if blkio.is_dir() { blkio } else { root.to_owned() };
        Self {
            memory: memory_v1 || unified("memory"),
            pids: root.join("pids").is_dir() || unified("pids"),
            cpu_shares: cpu.join("cpu.shares").exists() || unified("cpu"),
            cpu_quota: cpu.join("cpu.cfs_quota_us").exists() || unified("cpu"),
            swap: !memory_v1 || memory.join("memory.memsw.limit_in_bytes").exists(),
            swappiness: memory.join("memory.swappiness").exists(),
            oom_kill: memory.join("memory.oom_control").exists(),
            blkio_weight: has(&io, &["blkio.weight", "blkio.bfq.weight", "io.weight", "io.bfq.weight"]),
            blkio_weight_device: has(&io, &["blkio.weight_device", "io.weight"]),
            realtime: cpu.join("cpu.rt_runtime_us").exists(),
            cpus: first(&["cpuset/cpuset.effective_cpus", "cpuset/cpuset.cpus", "cpuset.cpus.effective"]),
            mems: first(&["cpuset/cpuset.effective_mems", "cpuset/cpuset.mems", "cpuset.mems.effective"]),
        }
    }
}

/// Whether a control group at or directly below this folder has one of these files: some are not in the root.
fn has(folder: &Path, files: &[&str]) -> bool {
    let below = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut groups = below.chain([folder.to_owned()]);
    groups.any(|group: PathBuf| files.iter().any(|file| group.join(file).exists()))
}

fn first(files: &[&str]) -> Option<String> {
    let read = |file: &&str| std::fs::read_to_string(Path::new(ROOT).join(file)).ok();
    files.iter().find_map(read).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}
