//! `HostConfig` of inspect.

use super::super::mounts;
use super::super::network::mode_name;
use super::RUNTIME;
use sampan_api::body::{
    DeviceMapping, HostConfig, LogConfig, PortBinding, PortMap, RestartPolicy, ThrottleDevice, Ulimit,
    WeightDevice,
};
use sampan_engine::container::{
    Config, HostConfig as EngineHost, IpcMode, PidMode, Resources, ThrottleKind, masked_paths, readonly_paths,
};
use sampan_spec::bundle::Restart;

/// The size of `/dev/shm` in bytes.
const SHM_SIZE: u64 = 64 << 20;

pub(super) fn host(config: &Config) -> HostConfig {
    let host = &config.host;
    let (rows, columns) = host.console_size;
    let mounts: Vec<_> = host.mounts.iter().map(mounts::shown).collect();
    let base = HostConfig {
        binds: some(host.binds.iter().map(ToString::to_string).collect()),
        volumes_from: some(host.volumes_from.iter().map(ToString::to_string).collect()),
        volume_driver: host.volume_driver.clone(),
        mounts: some(mounts),
        tmpfs: (!host.tmpfs.is_empty()).then(|| host.tmpfs.clone()),
        log_config: LogConfig { r#type: host.log.driver.clone(), config: Some(host.log.options.clone()) },
        network_mode: mode_name(&host.network),
        dns: some(host.dns.servers.iter().map(ToString::to_string).collect()),
        dns_search: list(&host.dns.search),
        dns_options: list(&host.dns.options),
        extra_hosts: some(host.extra_hosts.iter().map(ToString::to_string).collect()),
        port_bindings: port_bindings(config),
        publish_all_ports: host.publish_all,
        restart_policy: restart(host.restart),
        auto_remove: host.auto_remove,
        console_size: [rows.into(), columns.into()],
        readonly_rootfs: host.read_only,
        shm_size: host.shm_size.unwrap_or(SHM_SIZE).cast_signed(),
        runtime: RUNTIME.into(),
        sysctls: Some(host.sysctls.clone()).filter(|all| !all.is_empty()),
        init: host.init,
        oom_score_adj: host.oom_score_adj.into(),
        ..HostConfig::default()
    };
    let base = security(base, host);
    let base = isolation(base, host);
    resources(base, &host.resources, host)
}

fn list(words: &[String]) -> Option<Vec<String>> {
    some(words.to_vec())
}

/// Docker's lists are `null` where there is nothing.
fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

fn security(base: HostConfig, host: &EngineHost) -> HostConfig {
    HostConfig {
        cap_add: list(&host.cap_add),
        cap_drop: list(&host.cap_drop),
        group_add: list(&host.group_add),
        privileged: host.privileged,
        security_opt: list(&host.security_opt),
        masked_paths: masked_paths(host),
        readonly_paths: readonly_paths(host),
        ..base
    }
}

fn isolation(base: HostConfig, host: &EngineHost) -> HostConfig {
    HostConfig {
        cgroupns_mode: if host.shares_cgroups { "host" } else { "private" }.into(),
        ipc_mode: match &host.ipc {
            IpcMode::Private => "private".into(),
            IpcMode::Shareable => "shareable".into(),
            IpcMode::None => "none".into(),
            IpcMode::Host => "host".into(),
            IpcMode::Container(peer) => format!("container:{}", peer.text()),
        },
        pid_mode: match &host.pid {
            PidMode::Private => String::new(),
            PidMode::Host => "host".into(),
            PidMode::Container(peer) => format!("container:{}", peer.text()),
        },
        uts_mode: if host.shares_uts { "host" } else { "" }.into(),
        userns_mode: host.userns.clone(),
        cgroup_parent: host.cgroup_parent.clone(),
        ..base
    }
}

fn resources(base: HostConfig, limits: &Resources, host: &EngineHost) -> HostConfig {
    let number = |value: Option<u64>| value.and_then(|value| i64::try_from(value).ok());
    let devices = host.devices.iter().map(|device| DeviceMapping {
        path_on_host: device.host.clone(),
        path_in_container: device.container.clone(),
        cgroup_permissions: device.access.clone(),
    });
    let ulimit = |limit: &sampan_engine::container::Ulimit| Ulimit {
        name: limit.name.clone(),
        hard: limit.hard,
        soft: limit.soft,
    };
    HostConfig {
        memory: number(limits.memory).unwrap_or(0),
        memory_swap: limits.memory_swap.unwrap_or(0),
        memory_reservation: number(limits.memory_reservation).unwrap_or(0),
        memory_swappiness: number(limits.memory_swappiness),
        oom_kill_disable: Some(limits.oom_kill_disable),
        nano_cpus: number(limits.nano_cpus).unwrap_or(0),
        cpu_shares: number(limits.cpu_shares).unwrap_or(0),
        cpu_period: number(limits.cpu_period).unwrap_or(0),
        cpu_quota: limits.cpu_quota.unwrap_or(0),
        cpu_realtime_period: number(limits.cpu_realtime_period).unwrap_or(0),
        cpu_realtime_runtime: limits.cpu_realtime_runtime.unwrap_or(0),
        cpuset_cpus: limits.cpuset_cpus.clone(),
        cpuset_mems: limits.cpuset_mems.clone(),
        pids_limit: number(limits.pids),
        devices: some(devices.collect()),
        device_cgroup_rules: list(&host.device_rules),
        ulimits: some(host.ulimits.iter().map(ulimit).collect()),
        ..disks(base, limits)
    }
}

fn disks(base: HostConfig, limits: &Resources) -> HostConfig {
    let of = |kind| {
        let all = limits.throttles.iter().filter(|throttle| throttle.kind == kind);
        let shown = all.map(|throttle| ThrottleDevice { path: throttle.path.clone(), rate: throttle.rate });
        some(shown.collect())
    };
    let weights = limits.blkio_weights.iter();
    let weights = weights.map(|disk| WeightDevice { path: disk.path.clone(), weight: disk.weight });
    HostConfig {
        blkio_weight: limits.blkio_weight.unwrap_or(0),
        blkio_weight_device: some(weights.collect()),
        blkio_device_read_bps: of(ThrottleKind::ReadBytes),
        blkio_device_write_bps: of(ThrottleKind::WriteBytes),
        blkio_device_read_iops: of(ThrottleKind::ReadOperations),
        blkio_device_write_iops: of(ThrottleKind::WriteOperations),
        ..base
    }
}

fn port_bindings(config: &Config) -> Option<PortMap> {
    let shown = |place: &sampan_engine::container::PortBinding| PortBinding {
        host_ip: place.address.map(|ip| ip.to_string()).unwrap_or_default(),
        host_port: match place.ports {
            None => String::new(),
            Some((first, last)) if first == last => first.to_string(),
            Some((first, last)) => format!("{first}-{last}"),
        },
    };
    let ports = &config.host.ports;
    let places =
        ports.iter().map(|(port, places)| (port.to_string(), Some(places.iter().map(shown).collect())));
    (!ports.is_empty()).then(|| places.collect())
}

fn restart(policy: Restart) -> RestartPolicy {
    let (name, count) = match policy {
        Restart::No => ("no", 0),
        Restart::Always => ("always", 0),
        Restart::UnlessStopped => ("unless-stopped", 0),
        Restart::OnFailure { max_retries } => ("on-failure", max_retries),
    };
    RestartPolicy { name: name.into(), maximum_retry_count: count.into() }
}
