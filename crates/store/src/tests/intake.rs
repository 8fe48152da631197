//! Images that come layer by layer: goes on where it ended, shares what it can, and leaves nothing of what is refused.

use super::{layer, load, nothing_left, reference, tree_of};
use crate::remove::InUse;
use crate::testing::{Tar, docker_archive, gzip};
use crate::{Error, Intake, Store, gc, images, ingest, intake, remove, snapshots};
use sampan_image::{Content, ImageConfig, Manifest, media, sha256};
use sampan_spec::Digest;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

/// The documents of an image with these layers, which may be compressed.
fn documents(layers: &[Vec<u8>], plain: &[Vec<u8>]) -> (Manifest, ImageConfig) {
    let diff_ids: Vec<Digest> = plain.iter().map(|layer| sha256(layer)).collect();
    let config = serde_json::json!({
        "os": "linux", "architecture": "amd64", "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    let config = config.to_string().into_bytes();
    let descriptor = |kind: &str, bytes: &[u8]| serde_json::json!({ "mediaType": kind, "digest": sha256(bytes), "size": bytes.len() });
    let blobs: Vec<_> = layers.iter().map(|layer| descriptor(media::OCI_LAYER_GZIP, layer)).collect();
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": media::OCI_MANIFEST,
        "config": descriptor(media::OCI_CONFIG, &config), "layers": blobs,
    });
    let manifest = Manifest::parse(manifest.to_string().into_bytes()).unwrap();
    (manifest, ImageConfig::parse(config).unwrap())
}

fn begin(store: &Arc<Store>, layers: &[Vec<u8>], plain: &[Vec<u8>]) -> Intake {
    let (manifest, config) = documents(layers, plain);
    intake::begin(store, manifest, config, 1 << 20).unwrap()
}

/// Gives bytes, counts them, and fails where they end.
struct Broken<'a>(&'a [u8], &'a AtomicUsize);

impl Read for Broken<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(buffer)?;
        self.1.fetch_add(count, Ordering::Relaxed);
        if count == 0 && !buffer.is_empty() { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(count) }
    }
}

/// Unpacks the layer of this number from what is there of it and the rest of `bytes`.
fn unpack(intake: &Intake, number: usize, bytes: &[u8]) -> Result<(), Error> {
    let layer = &intake.layers()[number];
    let ingest = intake::open(intake, layer).unwrap();
    let rest = &bytes[ingest.offset() as usize..];
    intake::unpack(intake, layer, ingest, rest, &|_| ())
}

fn ingested(root: &Path) -> usize {
    std::fs::read_dir(root.join("ingest")).unwrap().count()
}

#[test]
fn layers_come_in_any_order() {
    let root = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(root.path()).unwrap());
    let plain = [layer("a", b"one"), layer("b", b"two"), layer("c", b"three")];
    let blobs = [gzip(&plain[0]), plain[1].clone(), zstd::encode_all(&plain[2][..], 1).unwrap()];
    let intake = begin(&store, &blobs, &plain);
    for number in [2, 0, 1] {
        unpack(&intake, number, &blobs[number]).unwrap();
        assert!(intake::is_there(&intake, &intake.layers()[number]));
        // Nothing takes away what belongs to no image yet.
        assert_eq!(gc::collect(&store, &InUse::default()).unwrap(), gc::Collected::default());
    }
    let former = load(&store, &docker_archive(&[layer("z", b"")], &["x:1"])).unwrap()[0].id.clone();
    assert_eq!(
        intake::commit(&intake, vec![reference("x:1")]).unwrap(),
        [(reference("x:1"), former.clone())]
    );
    let id = intake.id().clone();
    drop(intake);
    drop(store);
    let store = Store::open(root.path()).unwrap();
    assert_eq!(store.damaged(), []);
    let image = images::resolve(&store, "x:1").unwrap();
    assert_eq!(image.record.id, id);
    assert!(sampan_image::validate(&store, &image.record.manifest.as_ref().unwrap().digest).is_ok());
    let mut rebuilt = Vec::new();
    snapshots::rebuild(&store, image.chain.as_ref().unwrap(), &mut rebuilt).unwrap();
    assert_eq!(rebuilt, plain[2]);
    assert_eq!(ingested(root.path()), 0);
    for id in [id, former] {
        remove::delete(&store, &id, &InUse::default()).unwrap();
    }
    nothing_left(&store);
}

#[test]
fn a_blob_goes_on_where_it_ended() {
    let root = tempfile::tempdir().unwrap();
    let plain = [layer("a", &[7; 100_000])];
    let (half, taken) = (50_000, AtomicUsize::new(0));
    {
        let store = Arc::new(Store::open(root.path()).unwrap());
        let intake = begin(&store, &plain, &plain);
        let layer = &intake.layers()[0];
        let ingest = intake::open(&intake, layer).unwrap();
        assert!(matches!(intake::open(&intake, layer), Err(Error::Fetching { .. })));
        let broken = Broken(&plain[0][..half], &taken);
        let error = intake::unpack(&intake, layer, ingest, broken, &|_| ()).unwrap_err();
        assert!(matches!(error, Error::Interrupted { .. }), "{error}");
        intake::abandon(&intake, &InUse::default()).unwrap();
    }
    let store = Arc::new(Store::open(root.path()).unwrap());
    let intake = begin(&store, &plain, &plain);
    let layer = &intake.layers()[0];
    let ingest = intake::open(&intake, layer).unwrap();
    assert_eq!((ingest.offset(), taken.into_inner()), (half as u64, half));
    let told = AtomicUsize::new(0);
    let report = |done: u64| told.store(done as usize, Ordering::Relaxed);
    intake::unpack(&intake, layer, ingest, &plain[0][half..], &report).unwrap();
    assert_eq!(told.into_inner(), plain[0].len());
    intake::commit(&intake, vec![reference("x")]).unwrap();
    assert!(Content::open(&*store, &sha256(&plain[0])).unwrap().is_some());
}

#[test]
fn a_whole_blob_needs_nobody() {
    let root = tempfile::tempdir().unwrap();
    let plain = [layer("a", b"1"), layer("b", b"2")];
    {
        let store = Arc::new(Store::open(root.path()).unwrap());
        let intake = begin(&store, &plain, &plain);
        unpack(&intake, 0, &plain[0]).unwrap();
        intake::abandon(&intake, &InUse::default()).unwrap();
        assert!(!intake::is_there(&intake, &intake.layers()[0]));
    }
    let store = Arc::new(Store::open(root.path()).unwrap());
    let (one, two) = (begin(&store, &plain, &plain), begin(&store, &plain[..1], &plain[..1]));
    let layer = &one.layers()[0];
    let ingest = intake::open(&one, layer).unwrap();
    assert_eq!(ingest.offset(), layer.blob.size);
    intake::unpack(&one, layer, ingest, io::empty(), &|_| ()).unwrap();
    assert!(intake::is_there(&two, layer));
    // What one shares with another stays when one gives up.
    intake::abandon(&one, &InUse::default()).unwrap();
    assert!(intake::is_there(&two, layer));
    intake::commit(&two, vec![reference("x")]).unwrap();
    drop((one, two));
    assert_eq!(gc::collect(&store, &InUse::default()).unwrap(), gc::Collected::default());
    let id = images::resolve(&store, "x").unwrap().record.id.clone();
    remove::delete(&store, &id, &InUse::default()).unwrap();
    ingest::expire(&store, SystemTime::now() + Duration::from_secs(60)).unwrap();
    nothing_left(&store);
}

#[test]
fn what_is_refused_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(root.path()).unwrap());
    let good = layer("a", b"1");
    let evil = Tar::default().raw_file("../b", b"2").bytes();
    let bomb = gzip(&layer("a", &[0; 2 << 20]));
    let check = |blobs: &[Vec<u8>], plain: &[Vec<u8>], came: &[u8], want: &str| {
        let intake =
            begin(&store, &[&[good.clone()][..], blobs].concat(), &[&[good.clone()][..], plain].concat());
        unpack(&intake, 0, &good).unwrap();
        let error = unpack(&intake, 1, came).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
        intake::abandon(&intake, &InUse::default()).unwrap();
        drop(intake);
        ingest::expire(&store, SystemTime::UNIX_EPOCH).unwrap();
        let whole = root.path().join("ingest").join(sha256(&good).hex());
        assert_eq!(tree_of(&root.path().join("ingest")), [sha256(&good).hex()], "{want}");
        std::fs::remove_file(whole).unwrap();
        nothing_left(&store);
    };
    let second = [layer("b", b"2")];
    check(std::slice::from_ref(&evil), std::slice::from_ref(&evil), &evil, "\"../b\"");
    check(std::slice::from_ref(&bomb), &second, &bomb, "larger than");
    check(&second, std::slice::from_ref(&good), &second[0], "has digest");
    let wrong = format!("filesystem layer verification failed for digest {}", sha256(&second[0]));
    check(&second, &second, &layer("b", b"3"), &wrong);
    check(&second, &second, &evil, &wrong);
    check(&second, &second, &second[0][..700], &wrong);
    check(&second, &second, b"no tar at all", &wrong);
    let (manifest, config) = documents(&second, &[good.clone(), good]);
    assert!(matches!(intake::begin(&store, manifest, config, 1), Err(Error::LayerCount { .. })));
}
