//! The engine and its host in Docker's words (`GET /info`). What clients look for and Sampan has not is empty.

use super::inspect::{DRIVER, RUNTIME};
use super::registries;
use crate::request::Call;
use crate::routes::system::{VERSION, kernel, processors};
use sampan_api::body::{Info, Plugins, Swarm};
use sampan_engine::system::Limitable;
use sampan_engine::{container, event, volume};
use sampan_spec::Timestamp;
use serde_json::json;
use std::path::Path;

/// All of it.
pub(crate) async fn info(call: &Call) -> Info {
    let engine = sampan_engine::system::info(call.engine()).await;
    let host = host(Info::default());
    let limits = engine.limits;
    let (running, paused, stopped) = (engine.running as u64, engine.paused as u64, engine.stopped as u64);
    let status = engine.driver_status.into_iter();
    Info {
        containers: running + paused + stopped,
        containers_running: running,
        containers_paused: paused,
        containers_stopped: stopped,
        images: engine.images as u64,
        driver: DRIVER.into(),
        driver_status: status.map(|(name, value)| (name.to_owned(), value)).collect(),
        memory_limit: limits.memory,
        swap_limit: limits.swap,
        cpu_cfs_period: limits.cpu_quota,
        cpu_cfs_quota: limits.cpu_quota,
        cpu_shares: limits.cpu_shares,
        cpu_set: limits.cpuset,
        pids_limit: limits.pids,
        oom_kill_disable: limits.oom_kill,
        warnings: warnings(&limits, &host),
        ..daemon(call, host)
    }
}

/// What the daemon is, and was told.
fn daemon(call: &Call, info: Info) -> Info {
    let options = &call.daemon.options;
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    Info {
        id: call.daemon.id.clone(),
        plugins: Plugins {
            volume: words(&[volume::DRIVER]),
            network: words(&["bridge", "host", "null"]),
            authorization: None,
            log: words(&container::LOG_DRIVERS),
        },
        debug: options.level == crate::Level::Debug,
        n_fd: std::fs::read_dir("/proc/self/fd").map_or(0, |files| files.count() as u64),
        n_goroutines: tokio::runtime::Handle::current().metrics().num_alive_tasks() as u64,
        n_events_listener: event::listeners(call.engine()) as u64,
        system_time: Timestamp::now().to_string(),
        logging_driver: options.log.driver.clone(),
        cgroup_driver: "cgroupfs".into(),
        index_server_address: registries::INDEX.into(),
        registry_config: registries::config(&options.registries),
        docker_root_dir: options.data_root.display().to_string(),
        http_proxy: proxy(["HTTP_PROXY", "http_proxy"]),
        https_proxy: proxy(["HTTPS_PROXY", "https_proxy"]),
        no_proxy: variable(["NO_PROXY", "no_proxy"]),
        server_version: VERSION.into(),
        runtimes: [(RUNTIME.to_owned(), json!({"path": RUNTIME}))].into(),
        default_runtime: RUNTIME.into(),
        init_binary: RUNTIME.into(),
        swarm: Swarm { local_node_state: "inactive".into(), ..Swarm::default() },
        live_restore_enabled: true,
        security_options: words(&["name=seccomp,profile=builtin", "name=cgroupns"]),
        firewall_backend: json!({"Driver": "nftables"}),
        ..info
    }
}

/// What the host is.
fn host(info: Info) -> Info {
    let unified = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    let release = read("/etc/os-release");
    Info {
        ipv4_forwarding: read("/proc/sys/net/ipv4/ip_forward") == "1",
        cgroup_version: if unified { "2" } else { "1" }.into(),
        kernel_version: kernel(),
        operating_system: field(&release, "PRETTY_NAME").unwrap_or("Linux").to_owned(),
        os_version: field(&release, "VERSION_ID").unwrap_or_default().to_owned(),
        os_type: "linux".into(),
        architecture: std::env::consts::ARCH.into(),
        ncpu: processors() as u64,
        mem_total: memory(),
        name: read("/proc/sys/kernel/hostname"),
        ..info
    }
}

/// What users may expect and this host cannot do. The texts are Docker's.
fn warnings(limits: &Limitable, host: &Info) -> Option<Vec<String>> {
    let lacks = [
        (limits.memory, "No memory limit support"),
        (limits.swap, "No swap limit support"),
        (limits.oom_kill || host.cgroup_version == "2", "No oom kill disable support"),
        (limits.cpu_quota, "No cpu cfs quota support"),
        (limits.cpu_quota, "No cpu cfs period support"),
        (limits.cpu_shares, "No cpu shares support"),
        (limits.cpuset, "No cpuset support"),
        (host.ipv4_forwarding, "IPv4 forwarding is disabled"),
    ];
    let texts: Vec<_> =
        lacks.iter().filter(|(is_there, _)| !is_there).map(|(_, text)| format!("WARNING: {text}")).collect();
    (!texts.is_empty()).then_some(texts)
}

fn variable(names: [&str; 2]) -> String {
    let set = |name: &&str| std::env::var(name).ok().filter(|value| !value.is_empty());
    names.iter().find_map(set).unwrap_or_default()
}

fn proxy(names: [&str; 2]) -> String {
    masked(&variable(names))
}

/// An address without the user and the password in it.
fn masked(url: &str) -> String {
    let (scheme, rest) = url.find("://").map_or(("", url), |at| url.split_at(at + 3));
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}xxxxx:xxxxx@{host}{path}"),
        None => url.to_owned(),
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

/// In bytes.
fn memory() -> u64 {
    let line =
        read("/proc/meminfo").lines().find_map(|line| line.strip_prefix("MemTotal:").map(str::to_owned));
    let kibibytes = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}

/// A value of os-release(5).
fn field<'t>(release: &'t str, name: &str) -> Option<&'t str> {
    let line = release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
    Some(line.trim_matches(['"', '\'']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_told() {
        for (url, want) in [
            ("http://u:p@proxy:80", "http://xxxxx:xxxxx@proxy:80"),
            ("http://u:p@q@proxy/x@y", "http://xxxxx:xxxxx@proxy/x@y"),
            ("u@proxy:80", "xxxxx:xxxxx@proxy:80"),
            ("http://proxy/x@y", "http://proxy/x@y"),
            ("", ""),
        ] {
            assert_eq!(masked(url), want);
        }
    }

    #[test]
    fn what_is_missing_is_told() {
        let all = Limitable {
            memory: true,
            swap: true,
            oom_kill: false,
            pids: true,
            cpu_shares: true,
            cpu_quota: true,
            cpuset: true,
        };
        let host =
            |version: &str| Info { ipv4_forwarding: true, cgroup_version: version.into(), ..Info::default() };
        assert_eq!(warnings(&all, &host("2")), None);
        assert_eq!(warnings(&all, &host("1")), Some(vec!["WARNING: No oom kill disable support".into()]));
        let without = Limitable { swap: false, ..all };
        assert_eq!(warnings(&without, &host("2")), Some(vec!["WARNING: No swap limit support".into()]));
    }

    #[test]
    fn releases_are_read() {
        let release = "PRETTY_NAME=\"Some Linux 1\"\nVERSION_ID='12'\nVERSION=12 (x)\n";
        assert_eq!(field(release, "PRETTY_NAME"), Some("Some Linux 1"));
        assert_eq!(field(release, "VERSION_ID"), Some("12"));
        assert_eq!(field(release, "ID"), None);
    }
}
