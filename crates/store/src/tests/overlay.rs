//! Layers as the kernel's overlayfs shows them, and `lookup` beside it.

use super::{layer, load, reference};
use crate::testing::{Tar, docker_archive, tree_of};
use crate::{Store, images, lookup, rw, snapshots};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen,
};
use sampan_spec::bundle::RootFs;
use std::fs::{self, File};
use std::os::fd::{AsRawFd, OwnedFd};
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
        assert_eq!(tree_of(&mounted.path()), WANT);
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
fn an_image_without_layers_has_an_empty_root() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(&root.path().join("store")).unwrap();
    load(&store, &docker_archive(&[], &["x"])).unwrap();
    let image = images::resolve(&store, "x").unwrap();
    assert_eq!((image.chain.clone(), image.size), (None, 0));
    let container = root.path().join("c");
    fs::create_dir(&container).unwrap();
    rw::create(&container).unwrap();
    let plan = snapshots::rootfs(&store, None, &container, false).unwrap();
    assert_eq!(tree_of(&Mounted::new(&plan).path()), Vec::<String>::new());
    rw::remove(&container).unwrap();
    assert_eq!(fs::read_dir(&container).unwrap().count(), 0);
}
