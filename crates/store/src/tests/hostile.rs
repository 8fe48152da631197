//! Archives that were changed on their way, or never meant well: refused whole, or there whole.

use super::{docker_archive, layer, load, nothing_left};
use crate::remove::InUse;
use crate::testing::{Tar, gzip};
use crate::{Store, import, remove};
use proptest::prelude::*;
use sampan_spec::{Platform, Timestamp};
use tar::EntryType;

pub(super) fn request() -> import::Request {
    import::Request {
        name: Some(super::reference("imported")),
        changes: Vec::new(),
        message: String::new(),
        platform: Platform::host(),
        created: Timestamp::now(),
        max_layer: 1 << 20,
    }
}

/// Whatever a verb made of foreign bytes, it made whole images: they can be removed, and then nothing is left.
fn is_whole(store: &Store, made: Result<Vec<sampan_spec::Digest>, crate::Error>) {
    for id in made.unwrap_or_default() {
        // An archive may name an image twice.
        let _ = remove::delete(store, &id, &InUse::default());
    }
    nothing_left(store);
}

fn load_ids(store: &Store, archive: &[u8]) -> Result<Vec<sampan_spec::Digest>, crate::Error> {
    Ok(load(store, archive)?.into_iter().map(|loaded| loaded.id).collect())
}

fn import_id(store: &Store, tar: &[u8]) -> Result<Vec<sampan_spec::Digest>, crate::Error> {
    Ok(vec![import::import(store, tar, &request())?.id])
}

#[test]
fn what_means_harm_is_refused_by_name_and_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(root.path()).unwrap();
    let through = Tar::default().link(EntryType::Symlink, "l", "/tmp").raw_file("l/x", b"x").bytes();
    let chained = Tar::default()
        .link(EntryType::Symlink, "a", "b")
        .link(EntryType::Symlink, "b", "../../..")
        .raw_file("a/x", b"x")
        .bytes();
    let hard = Tar::default().link(EntryType::Link, "h", "../../images").bytes();
    let bomb = gzip(&layer("zeros", &vec![0; 2 << 20]));
    for (tar, named) in [
        (Tar::default().raw_file("../up", b"x").bytes(), "\"../up\""),
        (through, "\"l/x\""),
        (chained, "\"a/x\""),
        (hard, "\"h\""),
        (bomb, "\"zeros\""),
    ] {
        let error = import_id(&store, &tar).unwrap_err();
        assert!(error.to_string().contains(named), "{named}: {error}");
        assert_eq!(error.kind(), sampan_spec::ErrorKind::InvalidParameter, "{error}");
        nothing_left(&store);
        if named != "\"zeros\"" {
            let error = load_ids(&store, &docker_archive(&[layer("good", b"1"), tar], &["x"])).unwrap_err();
            assert!(error.to_string().contains(named), "{named}: {error}");
            nothing_left(&store);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn any_change_of_an_archive_leaves_whole_images_or_nothing(
        changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..6),
        cut in any::<usize>(),
    ) {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path()).unwrap();
        let plain = Tar::default().dir("d/").file("d/a", b"1").link(EntryType::Symlink, "l", "d/a").bytes();
        let mut archive = docker_archive(&[plain.clone(), gzip(&layer("b", b"2"))], &["x:1", "y"]);
        let mut tar = plain;
        for (offset, byte) in changes {
            for bytes in [&mut archive, &mut tar] {
                let length = bytes.len();
                bytes[offset % length] = byte;
            }
        }
        is_whole(&store, load_ids(&store, &archive));
        is_whole(&store, import_id(&store, &tar));
        archive.truncate(cut % archive.len());
        tar.truncate(cut % tar.len());
        is_whole(&store, load_ids(&store, &archive));
        is_whole(&store, import_id(&store, &tar));
    }
}
