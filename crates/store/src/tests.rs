//! The store from outside: images come, are found, named, listed and go, and nothing stays half-done.

mod failures;
mod hostile;
mod intake;
mod overlay;

use crate::load::Options;
use crate::remove::InUse;
use crate::testing::{Tar, docker_archive, gzip, tree_of};
use crate::{Error, Store, builtin, gc, images, import, load, names, remove, snapshots};
use sampan_image::sha256;
use sampan_spec::bundle::RootFs;
use sampan_spec::{Digest, Platform, Reference, Timestamp};
use std::fs;
use std::path::Path;
use std::sync::Arc;

fn options() -> Options {
    Options { platform: Platform::host(), max_layer: 1 << 30 }
}

fn load(store: &Store, archive: &[u8]) -> Result<Vec<load::Loaded>, Error> {
    load::load(store, archive, &options(), &|_| ())
}

fn layer(name: &str, content: &[u8]) -> Vec<u8> {
    Tar::default().file(name, content).bytes()
}

fn reference(text: &str) -> Reference {
    text.parse().unwrap()
}

#[test]
fn an_image_that_comes_again_otherwise_compressed() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(root.path()).unwrap();
    let plain = layer("a", b"1");
    let first = load(&store, &docker_archive(&[gzip(&plain)], &["x"])).unwrap();
    let second = load(&store, &docker_archive(std::slice::from_ref(&plain), &["y"])).unwrap();
    assert_eq!(first[0].id, second[0].id);
    let image = images::resolve(&store, "y").unwrap();
    assert_eq!(image.record.layers[0].blob.digest, sha256(&gzip(&plain)));
    assert_eq!(gc::collect(&store, &InUse::default()).unwrap(), gc::Collected::default());
}

/// All files below the data root that images and containers have, without the folders.
fn files(root: &Path) -> Vec<String> {
    let of_all = |path: &String| path == "format" || path.starts_with("skeletons/");
    tree_of(root).into_iter().filter(|path| !root.join(path).is_dir() && !of_all(path)).collect()
}

fn nothing_left(store: &Store) {
    assert_eq!(files(store.data_root()), Vec::<String>::new());
    assert_eq!(fs::read_dir(store.data_root().join("tmp")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(store.data_root().join("snapshots/overlay")).unwrap().count(), 0);
}

#[test]
fn an_image_is_loaded_found_and_still_there_after_a_restart() {
    let root = tempfile::tempdir().unwrap();
    let layers = [layer("a", b"one"), gzip(&layer("b", b"three"))];
    let archive = docker_archive(&layers, &["x:1", "y"]);
    let id = {
        let store = Store::open(root.path()).unwrap();
        let loaded = load(&store, &archive).unwrap();
        assert_eq!(loaded[0].names, [reference("x:1"), reference("y")]);
        assert_eq!(load(&store, &archive).unwrap()[0].id, loaded[0].id);
        loaded[0].id.clone()
    };
    let store = Store::open(root.path()).unwrap();
    assert_eq!(store.damaged(), []);
    let image = &images::list(&store)[0];
    assert_eq!((image.size, image.names.len()), (8, 2));
    let history = images::history(&store, &id).unwrap();
    assert!(history.is_empty());
    for typed in ["x:1", "y", "y:latest", "docker.io/library/y", id.as_str(), id.hex(), &id.hex()[..3]] {
        assert_eq!(images::resolve(&store, typed).unwrap().record.id, id, "{typed}");
    }
    for typed in ["x", "z", &"0".repeat(64), "sha256:1234", "UPPER", ""] {
        assert!(images::resolve(&store, typed).is_err(), "{typed}");
    }
    let container = root.path().join("container");
    let RootFs::Overlay { lower, .. } =
        snapshots::rootfs(&store, image.chain.as_ref(), &container, false).unwrap()
    else {
        panic!("no overlay")
    };
    assert!(lower[0].join(".dockerenv").exists());
    assert_eq!(fs::read(lower[1].join("b")).unwrap(), b"three");
    assert_eq!(fs::read(lower[2].join("a")).unwrap(), b"one");
}

#[test]
fn a_layer_shared_by_images_goes_with_the_last() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(root.path()).unwrap();
    let base = layer("a", b"base");
    load(&store, &docker_archive(&[base.clone(), layer("b", b"1")], &["x:1"])).unwrap();
    load(&store, &docker_archive(&[base.clone(), layer("c", b"2")], &["x:2", "z:2"])).unwrap();
    let first = remove::remove(&store, "x:1", false, &InUse::default()).unwrap();
    assert_eq!((first.untagged, first.deleted.len()), (vec![reference("x:1")], 2));
    let id = images::resolve(&store, "z:2").unwrap().record.id.clone();
    let several = remove::remove(&store, id.hex(), false, &InUse::default());
    assert!(matches!(several, Err(Error::SeveralNames { .. })));
    let untagged = remove::remove(&store, "x:2", false, &InUse::default()).unwrap();
    assert_eq!((untagged.untagged.len(), untagged.deleted.len()), (1, 0));
    let last = remove::remove(&store, id.short(), false, &InUse::default()).unwrap();
    assert_eq!(last.untagged, [reference("z:2")]);
    assert_eq!((last.deleted.len(), last.deleted.last()), (3, Some(&sha256(&base))));
    nothing_left(&store);
}

#[test]
fn names_move_and_untagged_images_stay() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(root.path()).unwrap();
    let one = load(&store, &docker_archive(&[layer("a", b"1")], &["x"])).unwrap()[0].id.clone();
    let two = load(&store, &docker_archive(&[layer("a", b"2")], &["x"])).unwrap();
    assert_eq!(two[0].replaced, [(reference("x"), one.clone())]);
    assert!(images::get(&store, &one).unwrap().names.is_empty());
    assert_eq!(names::tag(&store, &one, &reference("x")).unwrap(), Some(two[0].id.clone()));
    assert_eq!(names::tag(&store, &one, &reference("x")).unwrap(), None);
    assert!(matches!(names::tag(&store, &sha256(b""), &reference("q")), Err(Error::NoSuchImage { .. })));
    remove::remove(&store, &two[0].id.to_string(), false, &InUse::default()).unwrap();
    remove::delete(&store, &one, &InUse::default()).unwrap();
    nothing_left(&store);
}

#[test]
fn what_a_container_or_lease_needs_is_not_collected() {
    let root = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(root.path()).unwrap());
    let id =
        load(&store, &docker_archive(&[layer("a", b"1"), layer("b", b"2")], &["x"])).unwrap()[0].id.clone();
    let chain = images::get(&store, &id).unwrap().chain.unwrap();
    let lease = crate::lease(&store, &id).unwrap();
    assert!(matches!(remove::remove(&store, "x", true, &InUse::default()), Err(Error::Leased { .. })));
    assert_eq!(images::get(&store, &id).unwrap().names.len(), 1);
    drop(lease);
    let in_use = InUse { chains: [chain.clone()].into() };
    assert_eq!(remove::remove(&store, "x", true, &in_use).unwrap().deleted, [id]);
    assert_eq!(gc::collect(&store, &in_use).unwrap(), gc::Collected::default());
    let container = root.path().join("c");
    assert!(snapshots::rootfs(&store, Some(&chain), &container, false).is_ok());
    assert_eq!(gc::collect(&store, &InUse::default()).unwrap().layers.len(), 2);
    assert!(matches!(
        snapshots::rootfs(&store, Some(&chain), &container, false),
        Err(Error::NoSnapshot { .. })
    ));
    nothing_left(&store);
}

#[test]
fn two_loads_of_one_image_at_once() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(root.path()).unwrap();
    let archive = docker_archive(&[layer("a", &[1; 100_000]), layer("b", b"2"), layer("c", b"3")], &["x"]);
    let ids: Vec<Digest> = std::thread::scope(|scope| {
        let loads: Vec<_> =
            (0..4).map(|_| scope.spawn(|| load(&store, &archive).unwrap()[0].id.clone())).collect();
        loads.into_iter().map(|load| load.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]));
    assert_eq!(fs::read_dir(root.path().join("tmp")).unwrap().count(), 0);
    remove::delete(&store, &ids[0], &InUse::default()).unwrap();
    nothing_left(&store);
}

#[test]
fn what_cannot_be_loaded_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(root.path()).unwrap();
    let good = docker_archive(&[layer("a", b"1"), layer("b", b"2")], &["x"]);
    let evil = docker_archive(&[layer("a", b"1"), Tar::default().raw_file("../b", b"2").bytes()], &["x"]);
    let error = load(&store, &evil).unwrap_err();
    assert!(error.to_string().contains("\"../b\""), "{error}");
    nothing_left(&store);
    for cut in (1..good.len() - 1024).step_by(701) {
        assert!(load(&store, &good[..cut]).is_err(), "{cut}");
    }
    // Any byte of a layer's content: another digest.
    let at = good.windows(3).position(|w| w == b"b\0\0").unwrap() + 512;
    let mut changed = good.clone();
    changed[at] ^= 1;
    assert!(load(&store, &changed).is_err());
    let bomb = docker_archive(&[gzip(&layer("a", &[0; 100_000]))], &["x"]);
    for (archive, max_layer) in [(&good, 100), (&bomb, 50_000)] {
        let small = Options { max_layer, ..options() };
        let error = load::load(&store, &archive[..], &small, &|_| ()).unwrap_err();
        assert!(error.to_string().contains("larger than"), "{error}");
    }
    nothing_left(&store);
}

#[test]
fn an_imported_image_is_as_dockers() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(root.path()).unwrap();
    let tar = layer("a", b"1");
    let request = import::Request {
        name: Some(reference("i:1")),
        changes: vec!["CMD [\"/a\"]".into(), "ENV A=1".into()],
        message: String::new(),
        platform: Platform { os: "linux".into(), architecture: "amd64".into(), variant: None },
        created: Timestamp::UNIX_EPOCH,
        max_layer: 1 << 20,
    };
    let imported = import::import(&store, &gzip(&tar)[..], &request).unwrap();
    let image = images::get(&store, &imported.id).unwrap();
    let text = std::str::from_utf8(image.config.bytes()).unwrap();
    let want = format!(
        concat!(
            r#"{{"created":"1970-01-01T00:00:00Z","comment":"Imported from -","architecture":"amd64","os":"linux","#,
            r#""config":{{"Env":["A=1"],"Cmd":["/a"]}},"rootfs":{{"type":"layers","diff_ids":["{}"]}},"#,
            r#""history":[{{"created":"1970-01-01T00:00:00Z","comment":"Imported from -"}}]}}"#
        ),
        sha256(&tar)
    );
    assert_eq!(text, want);
    assert_eq!(image.record.layers[0].blob.digest, sha256(&gzip(&tar)));
    let mut rebuilt = Vec::new();
    snapshots::rebuild(&store, image.chain.as_ref().unwrap(), &mut rebuilt).unwrap();
    assert_eq!(rebuilt, tar);
    let bad = import::Request { changes: vec!["RUN x".into()], ..request };
    assert!(matches!(import::import(&store, &tar[..], &bad), Err(Error::Changes(_))));
}

#[test]
fn the_builtin_image_is_made_once() {
    let root = tempfile::tempdir().unwrap();
    let id = {
        let store = Store::open(root.path()).unwrap();
        let id = builtin::ensure(&store, b"program").unwrap();
        assert_eq!(builtin::ensure(&store, b"program").unwrap(), id);
        id
    };
    let other = tempfile::tempdir().unwrap();
    assert_eq!(builtin::ensure(&Store::open(other.path()).unwrap(), b"program").unwrap(), id);
    let store = Store::open(root.path()).unwrap();
    let image = images::resolve(&store, "hello").unwrap();
    assert_eq!((&image.record.id, image.config.run().cmd.as_slice()), (&id, &["/hello".to_owned()][..]));
    // A new program takes the name over, a user's image keeps it.
    let newer = builtin::ensure(&store, b"newer").unwrap();
    assert_eq!(images::resolve(&store, "hello").unwrap().record.id, newer);
    let own = load(&store, &docker_archive(&[layer("a", b"1")], &["hello"])).unwrap()[0].id.clone();
    builtin::ensure(&store, b"newer").unwrap();
    assert_eq!(images::resolve(&store, "hello").unwrap().record.id, own);
}

#[test]
fn damage_stays_with_one_object() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(root.path()).unwrap();
    let ids: Vec<Digest> = (0..3)
        .map(|i| {
            load(&store, &docker_archive(&[layer("a", &[i])], &[&format!("x:{i}")])).unwrap()[0].id.clone()
        })
        .collect();
    let chain = images::get(&store, &ids[2]).unwrap().chain.unwrap();
    drop(store);
    fs::write(root.path().join(format!("images/{}.json", ids[0].hex())), "{").unwrap();
    fs::write(root.path().join(format!("snapshots/overlay/{}/layer.json", chain.hex())), "{").unwrap();
    fs::write(root.path().join("tmp/half"), "done").unwrap();
    let store = Store::open(root.path()).unwrap();
    assert_eq!(images::list(&store).iter().map(|i| &i.record.id).collect::<Vec<_>>(), [&ids[1]]);
    // Two images, one layer, and the names of the two images.
    assert_eq!(store.damaged().len(), 5);
    assert!(!root.path().join("tmp/half").exists());
    assert_eq!(Store::open(root.path()).unwrap().damaged(), []);
}

#[test]
fn a_newer_layout_is_refused() {
    let root = tempfile::tempdir().unwrap();
    drop(Store::open(root.path()).unwrap());
    fs::write(root.path().join("format"), "2\n").unwrap();
    assert!(matches!(Store::open(root.path()), Err(Error::NewerLayout { found: 2, .. })));
    fs::write(root.path().join("format"), "x\n").unwrap();
    assert!(matches!(Store::open(root.path()), Err(Error::Layout { .. })));
}
