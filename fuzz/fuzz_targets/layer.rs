//! A layer's tar is unpacked into its own folder and nowhere else, and what fails leaves nothing.
//!
//! It is unpacked by a thread whose root is a folder of its own: a mistake does not reach the host.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rustix::thread::UnshareFlags;
use sampan_fuzz::{folder, with_checksums};
use sampan_spec::{Platform, Timestamp};
use sampan_store::Store;
use sampan_store::import::{Request, import};
use std::fs;
use std::path::Path;
use std::thread;

const STORE: &str = "/store";
const OUTSIDE: &str = "/outside";
const LIMIT: u64 = 1 << 20;

fuzz_target!(|input: &[u8]| {
    let tar = with_checksums(input);
    let root = folder();
    let unpacked = thread::scope(|scope| scope.spawn(|| unpack(root.path(), &tar)).join());
    assert!(unpacked.is_ok());
});

fn unpack(root: &Path, tar: &[u8]) {
    #[expect(deprecated, reason = "the thread has no descriptors that this could take from others")]
    rustix::thread::unshare(UnshareFlags::FS).expect("unshare");
    rustix::process::chroot(root).expect("the fuzzer runs as root");
    std::env::set_current_dir("/").expect("chdir");
    fs::write(OUTSIDE, "outside").expect("write");
    let store = Store::open(Path::new(STORE)).expect("a new store");
    let imported = import(&store, tar, &request());
    assert!(names("/") == ["outside", "store"], "written outside: {:?}", names("/"));
    assert_eq!(fs::read(OUTSIDE).expect("read"), b"outside");
    assert!(names("/store/tmp").is_empty(), "half-done: {:?}", names("/store/tmp"));
    assert_eq!(sampan_store::images::list(&store).len(), usize::from(imported.is_ok()));
}

fn request() -> Request {
    Request {
        name: None,
        changes: Vec::new(),
        message: String::new(),
        platform: Platform { os: "linux".into(), architecture: "amd64".into(), variant: None },
        created: Timestamp::UNIX_EPOCH,
        max_layer: LIMIT,
    }
}

fn names(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
