//! Limits.

use super::{Error, invalid};
use sampan_api::body::HostConfig;
use sampan_engine::container::Resources;

const BILLION: i64 = 1_000_000_000;

pub(super) fn resources(host: &HostConfig, processors: usize) -> Result<Resources, Error> {
    if host.memory < 0 {
        return invalid("Minimum memory limit allowed is 6MB".into());
    }
    if host.memory == 0 && host.memory_swap > 0 {
        return invalid(
            "You should always set the Memory limit when using Memoryswap limit, see usage".into(),
        );
    }
    let most = i64::try_from(processors).unwrap_or(1).saturating_mul(BILLION);
    if host.nano_cpus < 0 || host.nano_cpus > most {
        return invalid(format!(
            "range of CPUs is from 0.01 to {processors}.00, as there are only {processors} CPUs available"
        ));
    }
    let some = |value: i64| u64::try_from(value).ok().filter(|value| *value > 0);
    let memory_swap = match (host.memory_swap, host.memory) {
        (0, 0) => None,
        // As much swap as memory, as with Docker.
        (0, memory) => Some(memory.saturating_mul(2)),
        (given, _) => Some(given),
    };
    Ok(Resources {
        memory: some(host.memory),
        memory_swap,
        nano_cpus: some(host.nano_cpus),
        pids: host.pids_limit.and_then(some),
    })
}
