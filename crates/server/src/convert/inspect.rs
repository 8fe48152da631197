//! A container as `inspect` shows it: the record in Docker's words, and its phase as overlapping truths.

mod host;

use super::network::settings;
use super::{health, mounts};
use sampan_api::body::{ContainerConfig, ContainerInspect, ContainerState, Empty, GraphDriver, NO_TIME};
use sampan_engine::container::{Config, Phase, Snapshot, State};
use sampan_spec::Timestamp;

/// The storage driver's name, which is Docker's for the same thing.
pub(crate) const DRIVER: &str = "overlay2";
/// The runtime's name.
pub(crate) const RUNTIME: &str = "sampan-runtime";

/// The body of `GET /containers/{name}/json`.
pub(crate) fn container(snapshot: &Snapshot) -> ContainerInspect {
    let record = &snapshot.container;
    let mut command = record.config.command().into_iter();
    let file = |name: &str| snapshot.bundle.join(name).display().to_string();
    ContainerInspect {
        id: record.id.to_string(),
        created: record.created.to_string(),
        path: command.next().unwrap_or_default(),
        args: command.collect(),
        state: state(&snapshot.state),
        image: record.image.to_string(),
        resolv_conf_path: file("resolv.conf"),
        hostname_path: file("hostname"),
        hosts_path: file("hosts"),
        log_path: log_path(snapshot),
        name: format!("/{}", record.name),
        restart_count: snapshot.state.summary.restarts,
        driver: DRIVER.into(),
        platform: "linux".into(),
        exec_ids: exec_ids(&snapshot.state),
        host_config: host::host(&record.config),
        graph_driver: GraphDriver {
            data: Some([("ID".to_owned(), record.id.to_string())].into()),
            name: DRIVER.into(),
        },
        mounts: mounts::points(snapshot),
        config: config(&record.config, &record.hostname()),
        network_settings: settings(snapshot),
        ..ContainerInspect::default()
    }
}

/// Docker tells that of this driver alone.
fn log_path(snapshot: &Snapshot) -> String {
    let log = &snapshot.container.config.host.log;
    if log.driver == "json-file" { snapshot.log.display().to_string() } else { String::new() }
}

/// Docker's word for a phase. A container whose first start failed is still `created`.
pub(crate) fn status(state: &State) -> &'static str {
    match state.phase {
        Phase::Exited(_) if state.summary.started.is_none() => Phase::Created.name(),
        phase => phase.name(),
    }
}

/// Docker's overlapping truths, from the one phase.
fn state(state: &State) -> ContainerState {
    let summary = &state.summary;
    let time = |time: Option<Timestamp>| time.map_or_else(|| NO_TIME.to_owned(), |time| time.to_string());
    let exit = summary.exit.filter(|_| !matches!(state.phase, Phase::Running { .. } | Phase::Paused { .. }));
    ContainerState {
        status: status(state).to_owned(),
        running: state.phase.is_active(),
        paused: matches!(state.phase, Phase::Paused { .. }),
        restarting: matches!(state.phase, Phase::Restarting),
        oom_killed: summary.oom,
        dead: matches!(state.phase, Phase::Dead),
        pid: state.phase.pid().unwrap_or(0),
        exit_code: exit.map_or(0, |exit| exit.code),
        error: summary.error.clone(),
        started_at: time(summary.started),
        finished_at: time(summary.finished.filter(|_| summary.started.is_some())),
        health: summary.health.as_ref().map(health::health),
    }
}

fn exec_ids(state: &State) -> Option<Vec<String>> {
    let running = state.summary.execs.iter().filter(|(_, exec)| exec.ended.is_none());
    let ids: Vec<String> = running.map(|(id, _)| id.to_string()).collect();
    (!ids.is_empty()).then_some(ids)
}

fn config(config: &Config, hostname: &str) -> ContainerConfig {
    let set = |names: Vec<String>| {
        (!names.is_empty()).then(|| names.into_iter().map(|name| (name, Empty {})).collect())
    };
    ContainerConfig {
        hostname: hostname.to_owned(),
        domainname: config.domainname.clone(),
        user: config.user.clone(),
        attach_stdin: config.attach.stdin,
        attach_stdout: config.attach.stdout,
        attach_stderr: config.attach.stderr,
        exposed_ports: set(config.exposed_ports.iter().map(ToString::to_string).collect()),
        tty: config.tty,
        open_stdin: config.open_stdin,
        stdin_once: config.stdin_once,
        env: Some(config.env.clone()),
        cmd: config.cmd.clone(),
        healthcheck: config.health.as_ref().map(health::shown),
        image: config.image.clone(),
        volumes: set(config.volumes.iter().cloned().collect()),
        working_dir: config.working_dir.clone(),
        entrypoint: config.entrypoint.clone(),
        mac_address: config.host.mac.map(|mac| mac.to_string()).unwrap_or_default(),
        labels: Some(config.labels.clone()),
        stop_signal: config.stop_signal.clone(),
        stop_timeout: config.stop_timeout,
        shell: config.shell.clone(),
        ..ContainerConfig::default()
    }
}

#[cfg(test)]
mod tests;
