//! Layers as the kernel's overlayfs shows them, and `lookup` beside it.

use super::{layer, load, reference};
use crate::testing::{Tar, docker_archive, header, tree_of};
use crate::{Store, images, lookup, rw, snapshots};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen,
};
use sampan_spec::bundle::RootFs;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use tar::EntryType;

/// A detached mount: it is in nobody's mount table, and goes with its descriptor.
struct Mounted(OwnedFd);

impl Mounted {
    fn new(root: &RootFs) -> Self {
        let RootFs::Overlay { lower, upper, work, .. } = root else { panic!("no overlay") };
        let files: Vec<File> =
            lower.iter().chain([upper, work]).map(|path| File::open(path).unwrap()).collect();
        let name = |file: &File| format!("/proc/self/fd/{}", file.as_raw_fd());
        let names: Vec<String> = files.iter().map(name).collect();
        let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).unwrap();
        let layers = names[..lower.len()].join(":");
        for (key, value) in
            [("lowerdir", &layers), ("upperdir", &names[lower.len()]), ("workdir", &names[lower.len() + 1])]
        {
            fsconfig_set_string(&context, key, value).unwrap();
        }
        fsconfig_create(&context).unwrap();
        Self(fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty()).unwrap())
    }

    fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}/", self.0.as_raw_fd()).into()
    }

    /// What a program whose root this is would read at `path`.
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
        let flags = OFlags::RDONLY | OFlags::NONBLOCK;
        let opened =
            openat2(&self.0, path.trim_start_matches('/'), flags, Mode::empty(), ResolveFlags::IN_ROOT);
        let file = File::from(opened.ok()?);
        file.metadata()
            .unwrap()
            .is_file()
            .then(|| fs::read(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap())
    }
}

fn base() -> Vec<u8> {
    Tar::default()
        .file("etc/passwd", b"base")
        .file("a/one", b"1")
        .file("a/two", b"2")
        .file("b/x", b"x")
        .file("b/y/z", b"z")
        .file("c/x", b"x")
        .file("file-then-folder", b"f")
        .file("folder-then-file/x", b"x")
        .file("gone", b"g")
        .link(EntryType::Symlink, "link", "/a/../a/one")
        .link(EntryType::Symlink, "up", "../../../../etc/passwd")
        .link(EntryType::Symlink, "loop", "loop")
        .link(EntryType::Symlink, "folder", "a")
        .bytes()
}

fn change() -> Vec<u8> {
    Tar::default()
        .file(".wh.gone", b"")
        .file("a/.wh.one", b"")
        .file("b/.wh..wh..opq", b"")
        .file("b/new", b"n")
        .file(".wh.c", b"")
        .dir("c/")
        .file("c/y", b"y")
        .file("file-then-folder/x", b"now below")
        .file("folder-then-file", b"now a file")
        .bytes()
}

const WANT: [&str; 18] = [
    "a",
    "a/two",
    "b",
    "b/new",
    "c",
    "c/y",
    "etc",
    "etc/passwd",
    "file-then-folder",
    "file-then-folder/x",
    "folder",
    "folder-then-file",
    "link",
    "loop",
    "top",
    "up",
    "written",
    "written/x",
];

/// What is in each container.
const SKELETON: [&str; 12] = [
    ".dockerenv",
    "dev",
    "dev/console",
    "dev/pts",
    "dev/shm",
    "etc",
    "etc/hostname",
    "etc/hosts",
    "etc/mtab",
    "etc/resolv.conf",
    "proc",
    "sys",
];

/// These, and what is in each container.
fn with_skeleton(paths: &[&str]) -> Vec<String> {
    let all: BTreeSet<&str> = paths.iter().chain(&SKELETON).copied().collect();
    all.into_iter().map(str::to_owned).collect()
}

#[test]
fn layers_merge_as_the_specification_says() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(&root.path().join("store")).unwrap();
    let layers = [base(), change(), layer("top", b"t")];
    let id = load(&store, &docker_archive(&layers, &["x"])).unwrap()[0].id.clone();
    let image = images::resolve(&store, "x").unwrap();
    assert_eq!((&image.record.id, &image.names[0]), (&id, &reference("x")));
    let container = root.path().join("c");
    fs::create_dir(&container).unwrap();
    rw::create(&container).unwrap();
    let plan = snapshots::rootfs(&store, image.chain.as_ref(), &container, false).unwrap();
    {
        let mounted = Mounted::new(&plan);
        fs::create_dir(mounted.path().join("written")).unwrap();
        fs::write(mounted.path().join("written/x"), "w").unwrap();
        fs::remove_file(mounted.path().join("a/two")).unwrap();
        fs::write(mounted.path().join("a/two"), "two").unwrap();
        assert_eq!(tree_of(&mounted.path()), with_skeleton(&WANT));
        let paths = [
            "a/one",
            "gone",
            "b/x",
            "b/y/z",
            "c/x",
            "folder/two",
            "folder/one",
            "link/x",
            "folder-then-file/x",
            "",
            "a/nothing",
            "../a/two",
        ];
        for path in WANT.iter().chain(&paths) {
            let found = lookup::read_file(&plan, &format!("/{path}"), 100).unwrap();
            assert_eq!(found, mounted.read(path), "{path}");
        }
    }
    assert_eq!(lookup::read_file(&plan, "up", 100).unwrap(), Some(b"base".to_vec()));
    assert!(lookup::read_file(&plan, "up", 3).is_err());
    assert_eq!(rw::size(&container).unwrap(), 4);
    rw::remove(&container).unwrap();
}

#[test]
fn an_image_without_layers_has_only_what_each_container_has() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(&root.path().join("store")).unwrap();
    load(&store, &docker_archive(&[], &["x"])).unwrap();
    let image = images::resolve(&store, "x").unwrap();
    assert_eq!((image.chain.clone(), image.size), (None, 0));
    let container = root.path().join("c");
    fs::create_dir(&container).unwrap();
    rw::create(&container).unwrap();
    let plan = snapshots::rootfs(&store, None, &container, false).unwrap();
    assert_eq!(tree_of(&Mounted::new(&plan).path()), with_skeleton(&[]));
    rw::remove(&container).unwrap();
    assert_eq!(fs::read_dir(&container).unwrap().count(), 0);
}

/// A container of an image with this one layer: the kinds of what is mounted over, and the mode of `/etc`.
fn places(layer: Vec<u8>) -> (bool, u32) {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(&root.path().join("store")).unwrap();
    load(&store, &docker_archive(&[layer], &["x"])).unwrap();
    let image = images::resolve(&store, "x").unwrap();
    let container = root.path().join("c");
    fs::create_dir(&container).unwrap();
    rw::create(&container).unwrap();
    let plan = snapshots::rootfs(&store, image.chain.as_ref(), &container, false).unwrap();
    let mounted = Mounted::new(&plan);
    let is_file = |name: &str| fs::symlink_metadata(mounted.path().join(name)).unwrap().is_file();
    let files = ["etc/hosts", "etc/hostname", "etc/resolv.conf", ".dockerenv"].into_iter().all(is_file);
    assert_eq!(fs::read_link(mounted.path().join("etc/mtab")).unwrap(), PathBuf::from("/proc/mounts"));
    (files, fs::metadata(mounted.path().join("etc")).unwrap().mode() & 0o7777)
}

#[test]
fn what_each_container_has_hides_what_the_image_has_there() {
    let link = |from: &str, to: &str| Tar::default().link(EntryType::Symlink, from, to);
    let etc = |mode| Tar::default().raw("etc/", header(EntryType::Directory, mode), b"");
    for (layer, mode) in [
        (link("etc/hosts", "hosts").link(EntryType::Symlink, "etc/mtab", "nowhere"), 0o755),
        (link("etc/hosts", "../../../../out").link(EntryType::Symlink, ".dockerenv", "/x"), 0o755),
        (etc(0o750).dir("etc/hosts/").dir("etc/resolv.conf/").dir("etc/mtab/"), 0o750),
        (link("etc", "etc"), 0o755),
        (link("etc", "usr").dir("usr/"), 0o755),
        (Tar::default().file("etc", b"a file"), 0o755),
        (Tar::default().dir("no-etc/"), 0o755),
    ] {
        assert_eq!(places(layer.bytes()), (true, mode));
    }
}
