//! Limits.

use crate::error::Error;
use crate::options::cpus::nano_cpus;
use crate::options::devices::{Rate, disk_weight, rate_of_bytes, rate_of_operations};
use crate::options::numbers::{bytes, integer, unsigned};
use crate::options::ulimits::ulimit;
use sampan_api::body::{HostConfig, ThrottleDevice, Ulimit, WeightDevice};
use std::collections::BTreeMap;

/// What the container may use up.
#[derive(clap::Args, Debug)]
pub(super) struct Resources {
    /// Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)
    #[arg(long, value_name = "uint16", value_parser = unsigned::<u16>)]
    blkio_weight: Option<u16>,
    /// Block IO weight (relative device weight)
    #[arg(long, value_name = "list", value_parser = disk_weight)]
    blkio_weight_device: Vec<WeightDevice>,
    /// CPU count (Windows only)
    #[arg(long, value_name = "int", value_parser = integer, allow_hyphen_values = true, hide = true)]
    cpu_count: Option<i64>,
    /// CPU percent (Windows only)
    #[arg(long, value_name = "int", value_parser = integer, allow_hyphen_values = true, hide = true)]
    cpu_percent: Option<i64>,
    /// Limit CPU CFS (Completely Fair Scheduler) period
    #[arg(long, value_name = "int", value_parser = integer, allow_hyphen_values = true)]
    cpu_period: Option<i64>,
    /// Limit CPU CFS (Completely Fair Scheduler) quota
    #[arg(long, value_name = "int", value_parser = integer, allow_hyphen_values = true)]
    cpu_quota: Option<i64>,
    /// Limit CPU real-time period in microseconds
    #[arg(long, value_name = "int", value_parser = integer, allow_hyphen_values = true)]
    cpu_rt_period: Option<i64>,
    /// Limit CPU real-time runtime in microseconds
    #[arg(long, value_name = "int", value_parser = integer, allow_hyphen_values = true)]
    cpu_rt_runtime: Option<i64>,
    /// CPU shares (relative weight)
    #[arg(short, long, value_name = "int", value_parser = integer, allow_hyphen_values = true)]
    cpu_shares: Option<i64>,
    /// Number of CPUs
    #[arg(long, value_name = "decimal", value_parser = nano_cpus, allow_hyphen_values = true)]
    cpus: Option<i64>,
    /// CPUs in which to allow execution (0-3, 0,1)
    #[arg(long, value_name = "string")]
    cpuset_cpus: Option<String>,
    /// MEMs in which to allow execution (0-3, 0,1)
    #[arg(long, value_name = "string")]
    cpuset_mems: Option<String>,
    /// Limit read rate (bytes per second) from a device
    #[arg(long, value_name = "list", value_parser = rate_of_bytes)]
    device_read_bps: Vec<Rate>,
    /// Limit read rate (IO per second) from a device
    #[arg(long, value_name = "list", value_parser = rate_of_operations)]
    device_read_iops: Vec<Rate>,
    /// Limit write rate (bytes per second) to a device
    #[arg(long, value_name = "list", value_parser = rate_of_bytes)]
    device_write_bps: Vec<Rate>,
    /// Limit write rate (IO per second) to a device
    #[arg(long, value_name = "list", value_parser = rate_of_operations)]
    device_write_iops: Vec<Rate>,
    /// Kernel memory limit (deprecated)
    #[arg(long, value_name = "bytes", value_parser = bytes, allow_hyphen_values = true, hide = true)]
    kernel_memory: Option<i64>,
    /// Memory limit
    #[arg(short, long, value_name = "bytes", value_parser = bytes, allow_hyphen_values = true)]
    memory: Option<i64>,
    /// Memory soft limit
    #[arg(long, value_name = "bytes", value_parser = bytes, allow_hyphen_values = true)]
    memory_reservation: Option<i64>,
    /// Swap limit equal to memory plus swap: '-1' to enable unlimited swap
    #[arg(long, value_name = "bytes", value_parser = swap, allow_hyphen_values = true)]
    memory_swap: Option<i64>,
    /// Tune container memory swappiness (0 to 100)
    #[arg(long, value_name = "int", value_parser = integer, allow_hyphen_values = true, default_value = "-1")]
    memory_swappiness: i64,
    /// Disable OOM Killer
    #[arg(long)]
    oom_kill_disable: bool,
    /// Tune host's OOM preferences (-1000 to 1000)
    #[arg(long, value_name = "int", value_parser = integer, allow_hyphen_values = true)]
    oom_score_adj: Option<i64>,
    /// Tune container pids limit (set -1 for unlimited)
    #[arg(long, value_name = "int", value_parser = integer, allow_hyphen_values = true)]
    pids_limit: Option<i64>,
    /// Size of /dev/shm
    #[arg(long, value_name = "bytes", value_parser = bytes, allow_hyphen_values = true)]
    shm_size: Option<i64>,
    /// Ulimit options
    #[arg(long, value_name = "ulimit", value_parser = ulimit)]
    ulimit: Vec<Ulimit>,
}

impl Resources {
    pub(super) fn fill(&self, host: &mut HostConfig) -> Result<(), Error> {
        let swappiness = self.memory_swappiness;
        if !(-1..=100).contains(&swappiness) {
            return Err(Error::Invalid(format!(
                "invalid value: {swappiness}. Valid memory swappiness range is 0-100"
            )));
        }
        host.memory = self.memory.unwrap_or(0);
        host.memory_swap = self.memory_swap.unwrap_or(0);
        host.memory_reservation = self.memory_reservation.unwrap_or(0);
        host.memory_swappiness = Some(swappiness);
        host.oom_kill_disable = Some(self.oom_kill_disable);
        host.oom_score_adj = self.oom_score_adj.unwrap_or(0);
        host.nano_cpus = self.cpus.unwrap_or(0);
        host.pids_limit = self.pids_limit;
        host.shm_size = self.shm_size.unwrap_or(0);
        let last: BTreeMap<&str, &Ulimit> =
            self.ulimit.iter().map(|limit| (limit.name.as_str(), limit)).collect();
        host.ulimits = Some(last.into_values().cloned().collect());
        self.fill_cpu(host);
        self.fill_disks(host);
        Ok(())
    }

    fn fill_cpu(&self, host: &mut HostConfig) {
        host.cpu_count = self.cpu_count.unwrap_or(0);
        host.cpu_percent = self.cpu_percent.unwrap_or(0);
        host.cpu_period = self.cpu_period.unwrap_or(0);
        host.cpu_quota = self.cpu_quota.unwrap_or(0);
        host.cpu_realtime_period = self.cpu_rt_period.unwrap_or(0);
        host.cpu_realtime_runtime = self.cpu_rt_runtime.unwrap_or(0);
        host.cpu_shares = self.cpu_shares.unwrap_or(0);
        host.cpuset_cpus = self.cpuset_cpus.clone().unwrap_or_default();
        host.cpuset_mems = self.cpuset_mems.clone().unwrap_or_default();
    }

    fn fill_disks(&self, host: &mut HostConfig) {
        let devices = |rates: &[Rate]| -> Option<Vec<ThrottleDevice>> {
            Some(rates.iter().map(|rate| rate.0.clone()).collect())
        };
        host.blkio_weight = self.blkio_weight.unwrap_or(0);
        host.blkio_weight_device = Some(self.blkio_weight_device.clone());
        host.blkio_device_read_bps = devices(&self.device_read_bps);
        host.blkio_device_read_iops = devices(&self.device_read_iops);
        host.blkio_device_write_bps = devices(&self.device_write_bps);
        host.blkio_device_write_iops = devices(&self.device_write_iops);
    }
}

pub(crate) fn swap(text: &str) -> Result<i64, sampan_spec::ParseSizeError> {
    if text == "-1" { Ok(-1) } else { bytes(text) }
}
