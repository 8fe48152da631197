//! A damaged record is one object's loss, and its owner's to look at.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use sampan_testkit::{Daemon, programs};
use std::fs;

#[test]
fn what_belongs_to_a_damaged_record_stays_over_restarts() {
    let mut daemon = Daemon::start(programs!());
    daemon.import_busybox();
    let ids = ["c1", "c2"].map(|name| daemon.sampan(&["create", "--name", name, "bb", "sleep", "1000"]));
    daemon.terminate();
    let home = daemon.data_root().join("containers").join(&ids[0]);
    fs::write(home.join("container.json"), "{").unwrap();
    for _restart in 0..2 {
        daemon.start_again();
        assert_eq!(daemon.sampan(&["ps", "-a", "--format", "{{.Names}}"]), "c2");
        assert!(home.join("container.json.damaged").is_file() && home.join("rw").is_dir());
        daemon.terminate();
    }
    fs::remove_dir_all(home).unwrap();
    daemon.start_again();
    daemon.sampan(&["start", "c2"]);
    daemon.sampan(&["rm", "-f", "c2"]);
    daemon.nothing_is_left();
}
