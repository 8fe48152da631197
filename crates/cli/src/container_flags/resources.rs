//! Limits.

use crate::options::cpus::nano_cpus;
use crate::options::numbers::{bytes, integer};
use sampan_api::body::HostConfig;

/// What the container may use up.
#[derive(clap::Args, Debug)]
pub(super) struct Resources {
    /// Number of CPUs
    #[arg(long, value_name = "decimal", value_parser = nano_cpus, allow_hyphen_values = true)]
    cpus: Option<i64>,
    /// Memory limit
    #[arg(short, long, value_name = "bytes", value_parser = bytes, allow_hyphen_values = true)]
    memory: Option<i64>,
    /// Swap limit equal to memory plus swap: '-1' to enable unlimited swap
    #[arg(long, value_name = "bytes", value_parser = swap, allow_hyphen_values = true)]
    memory_swap: Option<i64>,
    /// Tune container pids limit (set -1 for unlimited)
    #[arg(long, value_name = "int", value_parser = integer, allow_hyphen_values = true)]
    pids_limit: Option<i64>,
}

impl Resources {
    pub(super) fn fill(&self, host: &mut HostConfig) {
        host.memory = self.memory.unwrap_or(0);
        host.memory_swap = self.memory_swap.unwrap_or(0);
        host.nano_cpus = self.cpus.unwrap_or(0);
        host.pids_limit = self.pids_limit;
    }
}

fn swap(text: &str) -> Result<i64, sampan_spec::ParseSizeError> {
    if text == "-1" { Ok(-1) } else { bytes(text) }
}
