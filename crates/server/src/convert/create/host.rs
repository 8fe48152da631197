//! What a container gets of the host.

use super::network::ports;
use super::resources::resources;
use super::{Error, invalid};
use crate::convert::mounts;
use sampan_api::body::{HostConfig, RestartPolicy};
use sampan_engine::container::{HostConfig as EngineHost, LogConfig, NetworkMode};
use sampan_spec::bundle::Restart;

pub(super) fn host(host: HostConfig, network: NetworkMode, processors: usize) -> Result<EngineHost, Error> {
    let resources = resources(&host, processors)?;
    let restart = restart(&host.restart_policy)?;
    if host.auto_remove && restart != Restart::No {
        return invalid("can't create 'AutoRemove' container with restart policy".into());
    }
    let driver =
        if host.log_config.r#type.is_empty() { LogConfig::default().driver } else { host.log_config.r#type };
    let [rows, columns] = host.console_size.map(|size| u16::try_from(size).unwrap_or(0));
    Ok(EngineHost {
        binds: mounts::binds(host.binds.unwrap_or_default())?,
        mounts: mounts::mounts(host.mounts.unwrap_or_default())?,
        tmpfs: host.tmpfs.unwrap_or_default(),
        volumes_from: mounts::volumes_from(host.volumes_from.unwrap_or_default()),
        volume_driver: host.volume_driver,
        resources,
        network,
        ports: ports(host.port_bindings.unwrap_or_default())?,
        auto_remove: host.auto_remove,
        restart,
        log: LogConfig { driver, options: host.log_config.config.unwrap_or_default() },
        cap_add: host.cap_add.unwrap_or_default(),
        cap_drop: host.cap_drop.unwrap_or_default(),
        read_only: host.readonly_rootfs,
        console_size: (rows, columns),
    })
}

fn restart(policy: &RestartPolicy) -> Result<Restart, Error> {
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
