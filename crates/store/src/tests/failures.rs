//! A disk that is full, a process that is killed: nothing half-done stays, and what was promised is there.

use super::{docker_archive, layer, load, nothing_left};
use crate::remove::InUse;
use crate::testing::Tar;
use crate::{Store, gc, images, import, remove, snapshots};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen,
};
use sampan_image::Content;
use std::io::{self, BufRead, BufReader};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A file system of so many bytes that is mounted nowhere.
fn small_disk(bytes: usize) -> (OwnedFd, PathBuf) {
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).unwrap();
    fsconfig_set_string(&context, "size", bytes.to_string()).unwrap();
    fsconfig_create(&context).unwrap();
    let mount = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty()).unwrap();
    let path = format!("/proc/self/fd/{}/store", mount.as_raw_fd()).into();
    (mount, path)
}

#[test]
fn a_full_disk_leaves_nothing() {
    let archive = docker_archive(&[layer("a", &[1; 50_000]), layer("b", &[2; 90_000])], &["x"]);
    let mut succeeded = 0;
    for pages in (4..120).step_by(3) {
        let (_mount, path) = small_disk(pages * 4096);
        let Ok(store) = Store::open(&path) else { continue };
        match load(&store, &archive) {
            Ok(loaded) => {
                succeeded += 1;
                remove::delete(&store, &loaded[0].id, &InUse::default()).unwrap();
            }
            Err(error) => assert_eq!(error.kind(), sampan_spec::ErrorKind::System, "{error}"),
        }
        nothing_left(&store);
    }
    assert!((3..37).contains(&succeeded), "{succeeded} of 39 disks were large enough");
}

#[test]
fn an_import_names_the_disk_and_not_the_tar() {
    // The same file again and again: what fills the disk is the tar that is kept.
    let tar = (0..50).fold(Tar::default(), |tar, _| tar.file("again", &[1; 10_000])).bytes();
    let (_mount, path) = small_disk(60 * 4096);
    let store = Store::open(&path).unwrap();
    let error = import::import(&store, tar.as_slice(), &super::hostile::request()).unwrap_err();
    let crate::Error::Write { source, .. } = &error else { panic!("{error}") };
    assert_eq!(source.kind(), io::ErrorKind::StorageFull);
    nothing_left(&store);
}

/// The environment variable that makes [`victim`] one.
const VICTIM: &str = "SAMPAN_TEST_STORE_VICTIM";

/// Not a test of its own: the process that [`a_killed_process_leaves_whole_objects`] starts and kills.
#[test]
fn victim() {
    let Ok(root) = std::env::var(VICTIM) else { return };
    let store = Store::open(Path::new(&root)).unwrap();
    println!("\nready");
    for i in 0_u8.. {
        let layers = [layer("a", b"base"), layer("b", &vec![i; 30_000]), layer("c", &[i])];
        let loaded = load(&store, &docker_archive(&layers, &["x", &format!("y:{i}")])).unwrap();
        if i % 2 == 1 {
            remove::delete(&store, &loaded[0].id, &InUse::default()).unwrap();
        }
    }
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start_victim(root: &Path) -> Killed {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "tests::failures::victim", "--nocapture"]);
    let child = command.env(VICTIM, root).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut victim = Killed(child);
    let output = BufReader::new(victim.0.stdout.take().unwrap());
    assert!(output.lines().map_while(Result::ok).any(|line| line == "ready"));
    victim
}

#[test]
fn a_killed_process_leaves_whole_objects() {
    let root = tempfile::tempdir().unwrap();
    for round in 0..12 {
        let victim = start_victim(root.path());
        // Not to wait for anything: to be somewhere else in its work each time.
        std::thread::sleep(Duration::from_millis(round * 7));
        drop(victim);
        let store = Store::open(root.path()).unwrap();
        // The one thing that may be found: a name whose image was being removed is gone before the image.
        assert_eq!(store.damaged(), [], "round {round}");
        gc::collect(&store, &InUse::default()).unwrap();
        let images = images::list(&store);
        for image in &images {
            for chain in sampan_image::chain_ids(image.config.diff_ids()) {
                snapshots::rebuild(&store, &chain, &mut io::sink()).unwrap();
            }
            for layer in &image.record.layers {
                assert!(store.open(&layer.blob.digest).unwrap().is_some());
            }
        }
        for image in images {
            remove::delete(&store, &image.record.id, &InUse::default()).unwrap();
        }
        nothing_left(&store);
    }
}
