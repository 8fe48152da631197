//! Phases as Docker's overlapping truths, and the rest of an inspected container.

use super::super::sample::{self, exit};
use super::*;
use sampan_api::body::PortBinding;

fn truths(phase: Phase) -> (String, [bool; 4], i32, i32) {
    let shown = container(&sample::container("c", phase)).state;
    (shown.status, [shown.running, shown.paused, shown.restarting, shown.dead], shown.pid, shown.exit_code)
}

#[test]
fn one_phase_becomes_overlapping_truths() {
    for (phase, status, truths_of, pid, code) in [
        (Phase::Created, "created", [false, false, false, false], 0, 0),
        (Phase::Running { pid: 7 }, "running", [true, false, false, false], 7, 0),
        (Phase::Paused { pid: 7 }, "paused", [true, true, false, false], 7, 0),
        (Phase::Restarting, "restarting", [true, false, true, false], 0, 1),
        (Phase::Exited(exit(3)), "exited", [false, false, false, false], 0, 3),
        (Phase::Removing, "removing", [false, false, false, false], 0, 0),
        (Phase::Dead, "dead", [false, false, false, true], 0, 0),
    ] {
        assert_eq!(truths(phase), (status.to_owned(), truths_of, pid, code));
    }
}

#[test]
fn a_first_start_that_failed_leaves_a_created_container() {
    let mut snapshot = sample::container("c", Phase::Exited(exit(127)));
    snapshot.state.summary.started = None;
    snapshot.state.summary.error = "no such file".into();
    let shown = container(&snapshot).state;
    assert_eq!(
        (shown.status.as_str(), shown.exit_code, shown.error.as_str()),
        ("created", 127, "no such file")
    );
    assert_eq!((shown.started_at.as_str(), shown.finished_at.as_str()), (NO_TIME, NO_TIME));
}

#[test]
fn the_record_is_shown_in_dockers_words() {
    let shown = container(&sample::container("c", Phase::Running { pid: 7 }));
    assert_eq!((shown.name.as_str(), shown.path.as_str()), ("/c", "sh"));
    assert_eq!(shown.args, ["-c", "a b"]);
    assert_eq!(shown.config.hostname, shown.id[..12]);
    assert_eq!(shown.host_config.binds, Some(vec!["/a:/b:ro".to_owned()]));
    assert_eq!((shown.host_config.memory, shown.host_config.pids_limit), (5, Some(6)));
    assert_eq!(shown.host_config.restart_policy.maximum_retry_count, 2);
    assert!(!shown.mounts[0].rw);
    assert_eq!(shown.hosts_path, "/bundle/hosts");
}

#[test]
fn a_place_in_the_network_is_shown_while_it_runs() {
    let running = container(&sample::container("c", Phase::Running { pid: 7 })).network_settings;
    assert_eq!((running.ip_address.as_str(), running.ip_prefix_len), ("10.0.0.2", 24));
    assert_eq!(running.networks["bridge"].gateway, "10.0.0.1");
    let binding = PortBinding { host_ip: "127.0.0.1".into(), host_port: "8080".into() };
    assert_eq!(running.ports["80/tcp"], Some(vec![binding]));
    assert_eq!(running.ports["81/udp"], None);
    let ended = container(&sample::container("c", Phase::Exited(exit(0)))).network_settings;
    assert_eq!((ended.ip_address.as_str(), ended.ports.len(), ended.networks.len()), ("", 0, 1));
}

/// Every member of Docker's recorded answer that has nothing to do with what was asked for.
#[test]
fn the_shape_is_dockers() {
    let shown = serde_json::to_value(container(&sample::container("c", Phase::Running { pid: 7 }))).unwrap();
    let names =
        |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    let sorted = |text: String| {
        let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        words.sort();
        words.join(" ")
    };
    assert_eq!(
        sorted(names(&shown)),
        "AppArmorProfile Args Config Created Driver ExecIDs GraphDriver HostConfig HostnamePath HostsPath Id Image LogPath \
         MountLabel Mounts Name NetworkSettings Path Platform ProcessLabel ResolvConfPath RestartCount State"
    );
    assert_eq!(
        sorted(names(&shown["State"])),
        "Dead Error ExitCode FinishedAt OOMKilled Paused Pid Restarting Running StartedAt Status"
    );
    assert_eq!(
        sorted(names(&shown["NetworkSettings"]["Networks"]["bridge"])),
        "Aliases DNSNames DriverOpts EndpointID Gateway GlobalIPv6Address GlobalIPv6PrefixLen GwPriority IPAMConfig \
         IPAddress IPPrefixLen IPv6Gateway Links MacAddress NetworkID"
    );
}
