//! Fields of a create request that this engine cannot honour: each is refused by its name, unless it has the value that
//! the engine keeps to anyway. Nothing is ignored.

use crate::error::Error;
use serde_json::Value;

/// Fields of the host configuration that `create` takes in. Any other must be empty.
const HONOURED: [&str; 68] = [
    "AutoRemove",
    "Binds",
    "BlkioDeviceReadBps",
    "BlkioDeviceReadIOps",
    "BlkioDeviceWriteBps",
    "BlkioDeviceWriteIOps",
    "BlkioWeight",
    "BlkioWeightDevice",
    "CapAdd",
    "CapDrop",
    "CgroupParent",
    "CgroupnsMode",
    "ConsoleSize",
    "CpuPeriod",
    "CpuQuota",
    "CpuRealtimePeriod",
    "CpuRealtimeRuntime",
    "CpuShares",
    "CpusetCpus",
    "CpusetMems",
    "DeviceCgroupRules",
    "Devices",
    "Dns",
    "DnsOptions",
    "DnsSearch",
    "ExtraHosts",
    "GroupAdd",
    "Init",
    "IpcMode",
    "Isolation",
    "Links",
    "LogConfig",
    "MaskedPaths",
    "Memory",
    "MemoryReservation",
    "Mounts",
    "MemorySwap",
    "MemorySwappiness",
    "NanoCpus",
    "NetworkMode",
    "OomKillDisable",
    "OomScoreAdj",
    "PidMode",
    "PidsLimit",
    "PortBindings",
    "PublishAllPorts",
    "Privileged",
    "ReadonlyPaths",
    "ReadonlyRootfs",
    "RestartPolicy",
    "Runtime",
    "SecurityOpt",
    "ShmSize",
    "Sysctls",
    "UTSMode",
    "Ulimits",
    "UsernsMode",
    "Tmpfs",
    "VolumeDriver",
    "VolumesFrom",
    // Where the client keeps the id.
    "ContainerIDFile",
    // For Windows, and ignored by Docker on Linux.
    "CpuCount",
    "CpuPercent",
    "IOMaximumIOps",
    "IOMaximumBandwidth",
    // Ignored by Docker, as the kernel has no such limits any more.
    "KernelMemory",
    "KernelMemoryTCP",
    // Kept by Docker for itself.
    "Cgroup",
];

/// Fields of the container itself that would be ignored otherwise.
const OF_CONTAINER: [&str; 1] = ["NetworkDisabled"];

/// Refuses what cannot be honoured. Takes the whole body, without its `null`s.
pub(crate) fn refuse(body: &Value) -> Result<(), Error> {
    let Some(body) = body.as_object() else { return Ok(()) };
    if let Some(field) =
        OF_CONTAINER.iter().find(|field| body.get(**field).is_some_and(|value| !is_empty(value)))
    {
        return Err(Error::unsupported(*field));
    }
    let Some(Value::Object(host)) = body.get("HostConfig") else { return Ok(()) };
    match host.iter().find(|(name, value)| !is_honoured(name, value)) {
        Some((name, _)) => Err(Error::unsupported(format!("HostConfig.{name}"))),
        None => Ok(()),
    }
}

fn is_honoured(name: &str, value: &Value) -> bool {
    HONOURED.contains(&name) || is_empty(value)
}

/// Go's zero values: a client writes them for what its user did not say.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sampan_api::body::{ContainerCreate, HostConfig};
    use serde_json::json;

    fn refused(body: Value) -> Option<String> {
        refuse(&body).err().map(|error| error.to_string())
    }

    #[test]
    fn nothing_is_ignored() {
        let text = |field: &str| Some(format!("{field} is not supported by this version of Sampan"));
        for (host, field) in [
            (json!({"Tmpfs": {"/x": ""}, "VolumesFrom": ["c"]}), ""),
            (json!({"DeviceRequests": [{"Count": -1}]}), "HostConfig.DeviceRequests"),
            (json!({"NotYetInvented": true}), "HostConfig.NotYetInvented"),
            (json!({"Init": false, "IpcMode": "private", "MemorySwappiness": -1, "ShmSize": 67_108_864}), ""),
        ] {
            let want = if field.is_empty() { None } else { text(field) };
            assert_eq!(refused(json!({ "HostConfig": host })), want, "{field}");
        }
        assert_eq!(refused(json!({"Volumes": {"/x": {}}})), None);
        assert_eq!(refused(json!({"Healthcheck": {"Test": ["CMD", "x"]}})), None);
    }

    #[test]
    fn what_a_client_writes_by_itself_is_accepted() {
        let body = ContainerCreate { host_config: HostConfig::default(), ..ContainerCreate::default() };
        let mut value = serde_json::to_value(body).unwrap();
        sampan_api::json::drop_nulls(&mut value);
        assert_eq!(refused(value), None);
    }

    #[test]
    fn every_field_is_one_of_dockers() {
        let all = HostConfig {
            mounts: Some(Vec::new()),
            tmpfs: Some([].into()),
            sysctls: Some([].into()),
            init: Some(false),
            ..HostConfig::default()
        };
        let known = serde_json::to_value(all).unwrap();
        let of_old = ["KernelMemory", "KernelMemoryTCP"];
        for name in HONOURED.iter().filter(|name| !of_old.contains(name)) {
            assert!(known.get(name).is_some(), "{name}");
        }
    }
}
