//! What a container gets of the host.

use super::network::{Place, ports};
use super::resources::{resources, ulimits};
use super::{Error, invalid, isolation, names};
use crate::convert::mounts;
use sampan_api::body::{HostConfig, RestartPolicy};
use sampan_engine::container::{HostConfig as EngineHost, LogConfig};
use sampan_spec::bundle::Restart;

pub(super) fn host(host: HostConfig, place: Place, processors: usize) -> Result<EngineHost, Error> {
    let resources = resources(&host, processors)?;
    let restart = restart(&host.restart_policy)?;
    if host.auto_remove && restart != Restart::No {
        return invalid("can't create 'AutoRemove' container with restart policy".into());
    }
    let [rows, columns] = host.console_size.map(|size| u16::try_from(size).unwrap_or(0));
    isolation::check_runtime(&host.runtime)?;
    isolation::check_isolation(&host.isolation)?;
    Ok(EngineHost {
        resources,
        network: place.network,
        mac: place.mac,
        dns: names::dns(&host)?,
        links: names::links(&host)?,
        extra_hosts: names::extra_hosts(&host)?,
        restart,
        auto_remove: host.auto_remove,
        group_add: host.group_add.clone().unwrap_or_default(),
        privileged: host.privileged,
        security_opt: host.security_opt.clone().unwrap_or_default(),
        masked_paths: host.masked_paths.clone(),
        readonly_paths: host.readonly_paths.clone(),
        devices: isolation::devices(host.devices.clone()),
        device_rules: host.device_cgroup_rules.clone().unwrap_or_default(),
        sysctls: host.sysctls.clone().unwrap_or_default(),
        pid: isolation::pid_mode(&host.pid_mode)?,
        ipc: isolation::ipc_mode(&host.ipc_mode)?,
        shares_uts: isolation::shares_uts(&host.uts_mode)?,
        shares_cgroups: isolation::shares_cgroups(&host.cgroupns_mode)?,
        userns: isolation::userns(&host.userns_mode)?,
        init: host.init,
        shm_size: isolation::shm_size(&host)?,
        ulimits: ulimits(&host),
        oom_score_adj: i32::try_from(host.oom_score_adj).unwrap_or(i32::MAX),
        cgroup_parent: host.cgroup_parent,
        binds: mounts::binds(host.binds.unwrap_or_default())?,
        mounts: mounts::mounts(host.mounts.unwrap_or_default())?,
        tmpfs: host.tmpfs.unwrap_or_default(),
        volumes_from: mounts::volumes_from(host.volumes_from.unwrap_or_default()),
        volume_driver: host.volume_driver,
        ports: ports(host.port_bindings.unwrap_or_default())?,
        publish_all: host.publish_all_ports,
        log: LogConfig {
            driver: host.log_config.r#type,
            options: host.log_config.config.unwrap_or_default(),
        },
        cap_add: host.cap_add.unwrap_or_default(),
        cap_drop: host.cap_drop.unwrap_or_default(),
        read_only: host.readonly_rootfs,
        console_size: (rows, columns),
    })
}

pub(super) fn restart(policy: &RestartPolicy) -> Result<Restart, Error> {
    let count = policy.maximum_retry_count;
    let name = policy.name.as_str();
    match name {
        "always" | "unless-stopped" | "no" if count != 0 => {
            let mut text =
                "invalid restart policy: maximum retry count can only be used with 'on-failure'".to_owned();
            if count < 0 {
                text += " and cannot be negative";
            }
            invalid(text)
        }
        "on-failure" if count < 0 => {
            invalid("invalid restart policy: maximum retry count cannot be negative".into())
        }
        "" | "no" => Ok(Restart::No),
        "always" => Ok(Restart::Always),
        "unless-stopped" => Ok(Restart::UnlessStopped),
        "on-failure" => Ok(Restart::OnFailure { max_retries: u32::try_from(count).unwrap_or(u32::MAX) }),
        _ => invalid(format!(
            "invalid restart policy: unknown policy '{name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
        )),
    }
}
