//! `sampan update`.

use crate::container_flags::{restart_policy, swap};
use crate::context::Context;
use crate::error::Error;
use crate::flags::Count;
use crate::options::cpus::nano_cpus;
use crate::options::numbers::{bytes, integer, unsigned};
use crate::print;
use crate::verb::Verb;
use sampan_api::body::HostConfig;

/// Its arguments.
#[derive(clap::Args)]
pub(crate) struct Update {
    containers: Vec<String>,
    /// Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)
    #[arg(long, value_name = "uint16", value_parser = unsigned::<u16>)]
    blkio_weight: Option<u16>,
    /// Limit CPU CFS (Completely Fair Scheduler) period
    #[arg(long, value_name = "int", value_parser = integer, allow_hyphen_values = true)]
    cpu_period: Option<i64>,
    /// Limit CPU CFS (Completely Fair Scheduler) quota
    #[arg(long, value_name = "int", value_parser = integer, allow_hyphen_values = true)]
    cpu_quota: Option<i64>,
    /// Limit the CPU real-time period in microseconds
    #[arg(long, value_name = "int", value_parser = integer, allow_hyphen_values = true)]
    cpu_rt_period: Option<i64>,
    /// Limit the CPU real-time runtime in microseconds
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
    /// Memory limit
    #[arg(short, long, value_name = "bytes", value_parser = bytes, allow_hyphen_values = true)]
    memory: Option<i64>,
    /// Memory soft limit
    #[arg(long, value_name = "bytes", value_parser = bytes, allow_hyphen_values = true)]
    memory_reservation: Option<i64>,
    /// Swap limit equal to memory plus swap: -1 to enable unlimited swap
    #[arg(long, value_name = "bytes", value_parser = swap, allow_hyphen_values = true)]
    memory_swap: Option<i64>,
    /// Tune container pids limit (set -1 for unlimited)
    #[arg(long, value_name = "int", value_parser = integer, allow_hyphen_values = true)]
    pids_limit: Option<i64>,
    /// Restart policy to apply when a container exits
    #[arg(long, value_name = "string")]
    restart: Option<String>,
}

impl Verb for Update {
    const NAME: &'static str = "update";
    const ABOUT: &'static str = "Update configuration of one or more containers";
    const USAGE: &'static str = "[OPTIONS] CONTAINER [CONTAINER...]";
    const ALIASES: &'static [&'static str] = &["container update", "update"];
    const COUNT: Count = Count::AtLeast(1);

    fn run(self, context: &Context) -> Result<u8, Error> {
        let host = self.host()?;
        if host == HostConfig::default() {
            return Err(Error::Refused("you must provide one or more flags when using this command"));
        }
        let client = context.client()?;
        context.block_on(async {
            let (mut warnings, mut failures) = (Vec::new(), Vec::new());
            for name in &self.containers {
                match client.container_update(name, &host).await {
                    Ok(updated) => {
                        print::line(name);
                        warnings.extend(updated.warnings.unwrap_or_default());
                    }
                    Err(error) => failures.push(Error::from(error).to_string()),
                }
            }
            if !warnings.is_empty() {
                print::line(&warnings.join("\n"));
            }
            if failures.is_empty() { Ok(0) } else { Err(Error::Some(failures.join("\n"))) }
        })
    }
}

impl Update {
    fn host(&self) -> Result<HostConfig, Error> {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let number = |value: Option<i64>| value.unwrap_or(0);
        let restart_policy = self.restart.as_deref().map(restart_policy).transpose()?;
        Ok(HostConfig {
            blkio_weight: self.blkio_weight.unwrap_or(0),
            cpu_period: number(self.cpu_period),
            cpu_quota: number(self.cpu_quota),
            cpu_realtime_period: number(self.cpu_rt_period),
            cpu_realtime_runtime: number(self.cpu_rt_runtime),
            cpu_shares: number(self.cpu_shares),
            nano_cpus: number(self.cpus),
            cpuset_cpus: text(&self.cpuset_cpus),
            cpuset_mems: text(&self.cpuset_mems),
            memory: number(self.memory),
            memory_reservation: number(self.memory_reservation),
            memory_swap: number(self.memory_swap),
            pids_limit: self.pids_limit,
            restart_policy: restart_policy.unwrap_or_default(),
            ..HostConfig::default()
        })
    }
}
