//! `sampan daemon --clean-up`, which `sampan system uninstall` runs: what a daemon made on its host goes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use sampan_testkit::{Daemon, programs};

/// As dockerd leaves it.
const DOCKERD: &str = "iptables -P FORWARD DROP; iptables -N DOCKER-USER; iptables -A DOCKER-USER -j RETURN; \
                       iptables -A FORWARD -j DOCKER-USER";

/// The folders of the daemon's control groups, in all hierarchies.
fn cgroups(daemon: &Daemon) -> Vec<String> {
    let name = format!("sampan-{}", daemon.bridge());
    let hierarchies = std::fs::read_dir("/sys/fs/cgroup").unwrap().flatten().map(|entry| entry.path());
    let folders = hierarchies.chain(["/sys/fs/cgroup".into()]).map(|hierarchy| hierarchy.join(&name));
    folders.filter(|folder| folder.is_dir()).map(|folder| folder.display().to_string()).collect()
}

#[test]
fn what_a_daemon_made_on_its_host_goes() {
    let mut daemon = Daemon::start(programs!());
    daemon.import_busybox();
    let network = |words: &[&str]| daemon.network().output(words);
    let rules = || network(&["sh", "-c", "nft list ruleset; iptables -S"]);
    network(&["sh", "-ec", DOCKERD]);
    sampan_testkit::eventually("our rule is there", || rules().contains("--mark 0x8000000/0x8000000"));
    daemon.sampan(&["run", "-d", "--name", "c1", "-p", "18080:80", "bb", "sleep", "1000"]);
    let refused = daemon.clean_up();
    assert!(refused.code != 0 && refused.stderr.contains("in use by another daemon"), "{refused:?}");
    daemon.terminate();
    let refused = daemon.clean_up();
    assert!(refused.code != 0 && refused.stderr.contains("containers still run"), "{refused:?}");
    daemon.start_again();
    assert_eq!(daemon.sampan(&["exec", "c1", "echo", "well"]), "well");
    daemon.sampan(&["rm", "-f", "c1"]);
    daemon.nothing_is_left();
    daemon.terminate();
    assert!(
        !cgroups(&daemon).is_empty() && daemon.network().output(&["ip", "link"]).contains(daemon.bridge())
    );
    for _twice in 0..2 {
        daemon.clean_up().ok();
        let rules = daemon.network().output(&["sh", "-c", "nft list ruleset; iptables -S"]);
        assert!(
            rules.contains("DOCKER-USER") && !rules.contains("sampan") && !rules.contains("0x8000000"),
            "{rules}"
        );
        let links = daemon.network().output(&["ip", "-oneline", "link", "show"]);
        assert!(!links.contains(daemon.bridge()), "{links}");
        assert_eq!(cgroups(&daemon), Vec::<String>::new());
    }
    daemon.start_again();
    daemon.sampan(&["run", "--rm", "bb", "true"]);
}
