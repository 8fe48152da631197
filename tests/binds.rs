//! Volumes from the host: nothing that the host unmounts stays pinned, and shared mounts travel in both directions.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_change, unmount,
};
use sampan_testkit::{Daemon, eventually, programs};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A mount of the test's own on the host. Detached with this value, if the test has not done so.
struct Mounted(PathBuf);

impl Mounted {
    fn tmpfs(at: PathBuf) -> Self {
        fs::create_dir_all(&at).unwrap();
        mount("tmpfs", &at, "tmpfs", MountFlags::empty(), None).unwrap();
        Self(at)
    }

    /// A folder as a mount of its own whose mounts are shared with its copies.
    fn shared(at: PathBuf) -> Self {
        fs::create_dir_all(&at).unwrap();
        mount_bind(&at, &at).unwrap();
        mount_change(&at, MountPropagationFlags::SHARED).unwrap();
        Self(at)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = unmount(&self.0, UnmountFlags::DETACH);
    }
}

/// The processes that have the file system with this device number in their table of mounts.
fn holders(device: u64) -> Vec<String> {
    let number = format!(" {}:{} ", rustix::fs::major(device), rustix::fs::minor(device));
    let entries = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path().join("mountinfo"));
    let holds = |table: &PathBuf| fs::read_to_string(table).is_ok_and(|text| text.contains(&number));
    entries.filter(holds).map(|table| table.display().to_string()).collect()
}

fn mounts_inside(daemon: &Daemon, name: &str) -> String {
    daemon.sampan(&["exec", name, "cat", "/proc/mounts"])
}

#[test]
fn what_the_host_unmounts_is_free() {
    let daemon = Daemon::start(programs!());
    daemon.import_busybox();
    let disk = Mounted::tmpfs(daemon.scratch().join("disk"));
    let device = fs::metadata(&disk.0).unwrap().dev();
    daemon.sampan(&["run", "-d", "--name", "c1", "bb", "sleep", "1000"]);
    assert!(!mounts_inside(&daemon, "c1").contains("disk"));
    unmount(&disk.0, UnmountFlags::empty()).unwrap();
    assert_eq!(holders(device), Vec::<String>::new());
    daemon.sampan(&["rm", "-f", "c1"]);
    daemon.nothing_is_left();
}

#[test]
fn a_bind_is_the_hosts_folder_and_read_only_if_asked() {
    let daemon = Daemon::start(programs!());
    daemon.import_busybox();
    let folder = daemon.scratch().join("volume");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("file"), "from the host").unwrap();
    let (writable, protected) = (format!("{}:/v", folder.display()), format!("{}:/v:ro", folder.display()));
    assert_eq!(daemon.sampan(&["run", "--rm", "-v", &protected, "bb", "cat", "/v/file"]), "from the host");
    daemon.sampan(&["run", "--rm", "-v", &writable, "bb", "sh", "-c", "echo from inside >/v/file"]);
    assert_eq!(fs::read_to_string(folder.join("file")).unwrap(), "from inside\n");
    let refused =
        daemon.run(sampan_testkit::Cli::Sampan, &["run", "--rm", "-v", &protected, "bb", "touch", "/v/file"]);
    assert!(refused.code == 1 && refused.stderr.contains("Read-only file system"), "{refused:?}");
    daemon.nothing_is_left();
}

#[test]
fn shared_mounts_travel_in_both_directions() {
    let daemon = Daemon::start(programs!());
    daemon.import_busybox();
    let shared = Mounted::shared(daemon.scratch().join("shared"));
    let bind = format!("{}:/shared:rshared", shared.0.display());
    daemon.sampan(&["run", "-d", "--name", "c1", "-v", &bind, "bb", "sleep", "1000"]);

    let outer = Mounted::tmpfs(shared.0.join("outer"));
    assert!(mounts_inside(&daemon, "c1").contains(" /shared/outer "));
    unmount(&outer.0, UnmountFlags::empty()).unwrap();
    assert!(!mounts_inside(&daemon, "c1").contains(" /shared/outer "));

    fs::create_dir(shared.0.join("inner")).unwrap();
    in_mounts_of(&daemon, "c1", &["/bin/busybox", "mount", "-t", "tmpfs", "inner", "/shared/inner"]);
    assert!(is_mounted(&shared.0.join("inner")));
    in_mounts_of(&daemon, "c1", &["/bin/busybox", "umount", "/shared/inner"]);
    assert!(!is_mounted(&shared.0.join("inner")));

    daemon.sampan(&["rm", "-f", "c1"]);
    drop(shared);
    eventually("the folder is free", || fs::remove_dir_all(daemon.scratch().join("shared")).is_ok());
    daemon.nothing_is_left();
}

/// Runs a program of the container's in its mount name space, with the host's privileges.
fn in_mounts_of(daemon: &Daemon, name: &str, command: &[&str]) {
    let state: serde_json::Value = serde_json::from_str(&daemon.sampan(&["inspect", name])).unwrap();
    let pid = state[0]["State"]["Pid"].to_string();
    let done = Command::new("nsenter").args(["-t", &pid, "-m", "--"]).args(command).output().unwrap();
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}

fn is_mounted(path: &Path) -> bool {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    table.lines().any(|line| line.split(' ').nth(4) == path.to_str())
}
