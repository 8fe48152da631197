//! Limits.

use super::{Error, invalid};
use sampan_api::body::{HostConfig, ThrottleDevice};
use sampan_engine::container::{DiskWeight, Resources, Throttle, ThrottleKind, Ulimit};

const BILLION: i64 = 1_000_000_000;

pub(super) fn resources(host: &HostConfig, processors: usize) -> Result<Resources, Error> {
    let most = i64::try_from(processors).unwrap_or(1).saturating_mul(BILLION);
    if host.nano_cpus < 0 || host.nano_cpus > most {
        return invalid(format!(
            "range of CPUs is from 0.01 to {processors}.00, as there are only {processors} CPUs available"
        ));
    }
    let some = |value: i64| u64::try_from(value).ok().filter(|value| *value > 0);
    Ok(Resources {
        memory_swap: memory_swap(host)?,
        memory: some(host.memory),
        memory_reservation: not_negative(
            host.memory_reservation,
            "Minimum memory reservation allowed is 6MB",
        )?,
        memory_swappiness: swappiness(host.memory_swappiness)?,
        oom_kill_disable: host.oom_kill_disable.unwrap_or(false),
        nano_cpus: some(host.nano_cpus),
        cpu_shares: not_negative(
            host.cpu_shares,
            &format!("invalid CPU shares ({}): value must be a positive integer", host.cpu_shares),
        )?,
        cpu_period: not_negative(host.cpu_period, PERIOD)?,
        cpu_quota: Some(host.cpu_quota).filter(|quota| *quota != 0),
        cpu_realtime_period: not_negative(host.cpu_realtime_period, "invalid CPU real-time period")?,
        cpu_realtime_runtime: Some(host.cpu_realtime_runtime).filter(|runtime| *runtime != 0),
        cpuset_cpus: host.cpuset_cpus.clone(),
        cpuset_mems: host.cpuset_mems.clone(),
        pids: host.pids_limit.and_then(some),
        blkio_weight: Some(host.blkio_weight).filter(|weight| *weight != 0),
        blkio_weights: host
            .blkio_weight_device
            .iter()
            .flatten()
            .map(|device| DiskWeight { path: device.path.clone(), weight: device.weight })
            .collect(),
        throttles: throttles(host),
    })
}

const PERIOD: &str = "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)";

fn memory_swap(host: &HostConfig) -> Result<Option<i64>, Error> {
    if host.memory < 0 {
        return invalid("Minimum memory limit allowed is 6MB".into());
    }
    if host.memory == 0 && host.memory_swap > 0 {
        return invalid(
            "You should always set the Memory limit when using Memoryswap limit, see usage".into(),
        );
    }
    Ok(match (host.memory_swap, host.memory) {
        (0, 0) => None,
        // As much swap as memory, as with Docker.
        (0, memory) => Some(memory.saturating_mul(2)),
        (given, _) => Some(given),
    })
}

fn not_negative(value: i64, text: &str) -> Result<Option<u64>, Error> {
    match u64::try_from(value) {
        Ok(value) => Ok(Some(value).filter(|value| *value != 0)),
        Err(_) => invalid(text.to_owned()),
    }
}

fn swappiness(value: Option<i64>) -> Result<Option<u64>, Error> {
    match value {
        None | Some(-1) => Ok(None),
        Some(value @ 0..=100) => Ok(Some(value.cast_unsigned())),
        Some(value) => invalid(format!("Invalid value: {value}, valid memory swappiness range is 0-100")),
    }
}

fn throttles(host: &HostConfig) -> Vec<Throttle> {
    let lists: [(ThrottleKind, &Option<Vec<ThrottleDevice>>); 4] = [
        (ThrottleKind::ReadBytes, &host.blkio_device_read_bps),
        (ThrottleKind::WriteBytes, &host.blkio_device_write_bps),
        (ThrottleKind::ReadOperations, &host.blkio_device_read_iops),
        (ThrottleKind::WriteOperations, &host.blkio_device_write_iops),
    ];
    let all = lists.iter().flat_map(|(kind, list)| list.iter().flatten().map(|device| (*kind, device)));
    all.map(|(kind, device)| Throttle { kind, path: device.path.clone(), rate: device.rate }).collect()
}

pub(super) fn ulimits(host: &HostConfig) -> Vec<Ulimit> {
    let all = host.ulimits.iter().flatten();
    all.map(|limit| Ulimit { name: limit.name.clone(), soft: limit.soft, hard: limit.hard }).collect()
}
