//! The daemon and its host.

use crate::answer::{Outcome, json, text};
use crate::convert::inspect::{DRIVER, RUNTIME};
use crate::error::Error;
use crate::request::Call;
use http::StatusCode;
use sampan_api::ApiVersion;
use sampan_api::body::{Component, Info, Plugins, Swarm, Version};
use sampan_spec::{Platform, Timestamp};
use serde_json::{Value, json as value};
use std::path::Path;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// `GET /_ping`.
pub(crate) fn ping() -> Outcome {
    let mut outcome = text(StatusCode::OK, "OK");
    if let Outcome::Answer(response) = &mut outcome {
        let headers = response.headers_mut();
        headers
            .insert("cache-control", http::HeaderValue::from_static("no-cache, no-store, must-revalidate"));
        headers.insert("pragma", http::HeaderValue::from_static("no-cache"));
        headers.insert("swarm", http::HeaderValue::from_static("inactive"));
    }
    outcome
}

/// `GET /version`.
pub(crate) fn version() -> Outcome {
    let host = Platform::host();
    let kernel = kernel();
    let details = [
        ("ApiVersion", ApiVersion::MAX.to_string()),
        ("Arch", host.architecture.clone()),
        // Clients look for these, and Sampan's builds do not know them.
        ("BuildTime", String::new()),
        ("Experimental", "false".into()),
        ("GitCommit", String::new()),
        ("GoVersion", String::new()),
        ("KernelVersion", kernel.clone()),
        ("MinAPIVersion", ApiVersion::MIN.to_string()),
        ("Os", host.os.clone()),
    ];
    let engine = Component {
        name: "Engine".into(),
        version: VERSION.into(),
        details: details.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
    };
    let runtime = Component { name: RUNTIME.into(), version: VERSION.into(), ..Component::default() };
    json(
        StatusCode::OK,
        &Version {
            platform: sampan_api::body::Platform { name: "Sampan".into() },
            components: vec![engine, runtime],
            version: VERSION.into(),
            api_version: ApiVersion::MAX.to_string(),
            min_api_version: ApiVersion::MIN.to_string(),
            os: host.os,
            arch: host.architecture,
            kernel_version: kernel,
            ..Version::default()
        },
    )
}

/// `GET /info`.
pub(crate) async fn info(call: &Call) -> Result<Outcome, Error> {
    let counts = sampan_engine::system::info(call.engine()).await;
    let (running, paused, stopped) = (counts.running as u64, counts.paused as u64, counts.stopped as u64);
    let unified = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let info = Info {
        id: call.daemon.id.clone(),
        containers: running + paused + stopped,
        containers_running: running,
        containers_paused: paused,
        containers_stopped: stopped,
        images: counts.images as u64,
        driver: DRIVER.into(),
        plugins: Plugins {
            volume: vec![sampan_engine::volume::DRIVER.into()],
            network: words(&["bridge", "host", "null"]),
            authorization: None,
            log: words(&sampan_engine::container::LOG_DRIVERS),
        },
        memory_limit: true,
        swap_limit: true,
        cpu_cfs_period: true,
        cpu_cfs_quota: true,
        pids_limit: true,
        ipv4_forwarding: read("/proc/sys/net/ipv4/ip_forward") == "1",
        n_fd: std::fs::read_dir("/proc/self/fd").map_or(0, |files| files.count() as u64),
        system_time: Timestamp::now().to_string(),
        logging_driver: call.daemon.options.log.driver.clone(),
        cgroup_driver: "cgroupfs".into(),
        cgroup_version: if unified { "2" } else { "1" }.into(),
        kernel_version: kernel(),
        operating_system: operating_system(),
        os_type: "linux".into(),
        architecture: std::env::consts::ARCH.into(),
        index_server_address: "https://index.docker.io/v1/".into(),
        registry_config: value!({"IndexConfigs": {}, "InsecureRegistryCIDRs": [], "Mirrors": null}),
        ncpu: processors() as u64,
        mem_total: memory(),
        docker_root_dir: call.daemon.options.data_root.display().to_string(),
        name: read("/proc/sys/kernel/hostname"),
        server_version: VERSION.into(),
        runtimes: [(RUNTIME.to_owned(), value!({"path": RUNTIME}))].into(),
        default_runtime: RUNTIME.into(),
        swarm: Swarm { local_node_state: "inactive".into(), ..Swarm::default() },
        live_restore_enabled: true,
        security_options: words(&["name=seccomp,profile=builtin"]),
        firewall_backend: value!({"Driver": "nftables"}),
        debug: call.daemon.options.level == crate::Level::Debug,
        ..Info::default()
    };
    json_info(&info)
}

/// Containers and images do not need a containerd: the field is there only where one is.
fn json_info(info: &Info) -> Result<Outcome, Error> {
    let mut document = serde_json::to_value(info).map_err(|error| Error::Json(error.to_string()))?;
    if let Value::Object(members) = &mut document {
        members.remove("Containerd");
    }
    Ok(json(StatusCode::OK, &document))
}

/// `GET /plugins`. There is no way to install one.
pub(crate) fn plugins() -> Outcome {
    json(StatusCode::OK, &[(); 0])
}

/// How many processors this program may use.
pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn kernel() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

/// In bytes.
fn memory() -> u64 {
    let line =
        read("/proc/meminfo").lines().find_map(|line| line.strip_prefix("MemTotal:").map(str::to_owned));
    let kibibytes = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}

/// The distribution's name (os-release(5)).
fn operating_system() -> String {
    let text = read("/etc/os-release");
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.unwrap_or("Linux").trim_matches(['"', '\'']).to_owned()
}
