//! Archives of every shape, put together by hand.

use super::*;
use crate::{media, sha256};
use proptest::prelude::*;
use std::collections::HashMap;
use std::io::Write;

#[derive(Default)]
struct Memory {
    content: HashMap<Digest, Vec<u8>>,
    current: Vec<u8>,
}

impl Content for Memory {
    fn open(&self, digest: &Digest) -> io::Result<Option<Box<dyn Read + Send + '_>>> {
        Ok(self.content.get(digest).map(|bytes| Box::new(&bytes[..]) as Box<dyn Read + Send>))
    }
}

impl Spool for Memory {
    fn begin(&mut self) -> io::Result<()> {
        self.current.clear();
        Ok(())
    }
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.current.extend_from_slice(bytes);
        Ok(())
    }
    fn finish(&mut self) -> io::Result<(Digest, u64)> {
        let bytes = std::mem::take(&mut self.current);
        let (digest, size) = (sha256(&bytes), bytes.len() as u64);
        self.content.insert(digest.clone(), bytes);
        Ok((digest, size))
    }
}

#[derive(Default)]
struct Archive(Vec<(String, Vec<u8>)>, Vec<(String, String)>);

impl Archive {
    fn file(&mut self, name: &str, bytes: impl Into<Vec<u8>>) -> &mut Self {
        self.0.push((name.to_owned(), bytes.into()));
        self
    }

    /// Adds a blob; its descriptor comes back, with `more` in it.
    fn blob(&mut self, media_type: &str, bytes: impl Into<Vec<u8>>, more: &str) -> String {
        let bytes = bytes.into();
        let digest = sha256(&bytes);
        let size = bytes.len();
        self.file(&format!("blobs/sha256/{}", digest.hex()), bytes);
        format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size}{more}}}"#)
    }

    fn image(&mut self, layer: &[u8], more: &str) -> String {
        let config = self.blob(media::OCI_CONFIG, config(&[layer]), "");
        let layer = self.blob(media::OCI_LAYER, layer, "");
        let manifest = format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{layer}]}}"#);
        self.blob(media::OCI_MANIFEST, manifest, more)
    }

    fn bytes(&self) -> Vec<u8> {
        let mut builder = ::tar::Builder::new(Vec::new());
        for (name, bytes) in &self.0 {
            let mut header = ::tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            builder.append_data(&mut header, name, &bytes[..]).unwrap();
        }
        for (name, target) in &self.1 {
            let mut header = ::tar::Header::new_gnu();
            header.set_entry_type(::tar::EntryType::Symlink);
            header.set_size(0);
            builder.append_link(&mut header, name, target).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn read(&self) -> Result<Vec<ArchivedImage>, Error> {
        read_bytes(&self.bytes())
    }
}

fn read_bytes(bytes: &[u8]) -> Result<Vec<ArchivedImage>, Error> {
    let platform = Platform { os: "linux".into(), architecture: "amd64".into(), variant: None };
    read(bytes, &mut Memory::default(), &platform, 16 << 20, &|_| ())
}

fn config(layers: &[&[u8]]) -> String {
    let ids: Vec<_> = layers.iter().map(|l| format!("\"{}\"", sha256(l))).collect();
    let ids = ids.join(",");
    format!(r#"{{"os":"linux","architecture":"amd64","rootfs":{{"type":"layers","diff_ids":[{ids}]}}}}"#)
}

fn index(manifests: &[String]) -> String {
    format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, manifests.join(","))
}

fn docker(config_name: &str) -> Archive {
    let mut archive = Archive::default();
    archive.file("a/layer.tar", "one").file(config_name, config(&[b"one", b"one"]));
    archive.1.push(("b/layer.tar".into(), "../a/layer.tar".into()));
    let list = format!(
        r#"[{{"Config":"{config_name}","RepoTags":["x:1","y"],"Layers":["a/layer.tar","b/layer.tar"]}}]"#
    );
    archive.file("manifest.json", list);
    archive
}

#[test]
fn an_archive_of_docker_save() {
    let name = format!("{}.json", sha256(config(&[b"one", b"one"]).as_bytes()).hex());
    let images = docker(&name).read().unwrap();
    let familiar: Vec<_> = images[0].names.iter().map(Reference::familiar).collect();
    assert_eq!(familiar, ["x:1", "y:latest"]);
    assert_eq!(images[0].layers[1].digest, sha256(b"one"));
    assert!(matches!(docker(&format!("{}.json", "0".repeat(64))).read(), Err(Error::Digest { .. })));
    assert_eq!(docker("config.json").read().unwrap().len(), 1);
}

#[test]
fn compressed_archives() {
    let plain = docker("c.json").bytes();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&plain).unwrap();
    assert_eq!(read_bytes(&gzip.finish().unwrap()).unwrap().len(), 1);
    assert_eq!(read_bytes(&zstd::encode_all(&plain[..], 1).unwrap()).unwrap().len(), 1);
    assert!(matches!(read_bytes(b"BZh91AY"), Err(Error::Compression { .. })));
}

#[test]
fn an_oci_layout_with_nested_indexes_and_platforms() {
    let mut archive = Archive::default();
    let amd64 = archive.image(b"amd64", r#","platform":{"os":"linux","architecture":"amd64"}"#);
    let arm64 = archive.image(b"arm64", r#","platform":{"os":"linux","architecture":"arm64"}"#);
    let nested = index(&[arm64.clone(), amd64]);
    let named = r#","annotations":{"io.containerd.image.name":"docker.io/library/n:1"}"#;
    let nested = archive.blob(media::OCI_INDEX, nested, named);
    let plain = archive.image(b"plain", r#","annotations":{"org.opencontainers.image.ref.name":"latest"}"#);
    archive.file("index.json", index(&[nested, plain, arm64]));
    let images = archive.read().unwrap();
    assert_eq!(images.len(), 2);
    assert_eq!(images[0].layers[0].digest, sha256(b"amd64"));
    assert_eq!(images[0].names[0].familiar(), "n:1");
    assert_eq!(images[1].layers[0].digest, sha256(b"plain"));
    assert!(images[1].names.is_empty() && images[1].manifest.is_some());
}

#[test]
fn what_an_archive_may_not_be() {
    let mut other = Archive::default();
    let arm = other.image(b"x", r#","platform":{"os":"linux","architecture":"arm64"}"#);
    other.file("index.json", index(&[arm]));
    assert!(matches!(other.read(), Err(Error::Platform { .. })));

    let mut damaged = Archive::default();
    let image = damaged.image(b"x", "");
    damaged.file("index.json", index(&[image]));
    damaged.0[1].1 = b"y".to_vec();
    assert!(matches!(damaged.read(), Err(Error::Digest { .. })));

    let mut sizes = Archive::default();
    let image = sizes.image(b"x", "").replace("\"size\":", "\"size\":1");
    sizes.file("index.json", index(&[image]));
    assert!(matches!(sizes.read(), Err(Error::Size { .. })));

    let mut deep = Archive::default();
    let mut at = deep.image(b"x", "");
    for _ in 0..6 {
        at = deep.blob(media::OCI_INDEX, index(&[at]), "");
    }
    deep.file("index.json", index(&[at]));
    assert!(matches!(deep.read(), Err(Error::Depth { .. })));

    let mut count = docker("c.json");
    count.0[1].1 = config(&[b"one"]).into_bytes();
    assert!(matches!(count.read(), Err(Error::LayerCount { expected: 1, actual: 2 })));

    let mut missing = docker("c.json");
    missing.0.remove(0);
    assert!(matches!(missing.read(), Err(Error::Missing { .. })));

    let mut large = docker("c.json");
    large.0[2].1 = vec![b' '; 5 << 20];
    assert!(matches!(large.read(), Err(Error::Content(ContentError::TooLarge { .. }))));

    let mut bomb = docker("c.json");
    bomb.0[0].1 = vec![0; 17 << 20];
    assert!(matches!(bomb.read(), Err(Error::TooLarge { .. })));

    assert!(matches!(Archive::default().read(), Err(Error::NoImage)));
    assert!(matches!(read_bytes(b"no tar at all"), Err(Error::Tar(_))));
    let mut climbing = docker("c.json");
    climbing.1.push(("x".into(), "../../y".into()));
    assert!(matches!(climbing.read(), Err(Error::Name { .. })));
}

/// What another writer may put anywhere.
fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let values = r#"[null, true, -1, 0.5, 18446744073709551615, "", "x", "../../x", "sha256:00", "9999-99-99", [], [null], {}, {"a": {}},
        "sha256:0000000000000000000000000000000000000000000000000000000000000000"]"#;
    proptest::sample::select(serde_json::from_str::<Vec<_>>(values).unwrap())
}

/// Replaces the value number `at` of a document; gives how many there are.
fn nodes(document: &mut serde_json::Value, at: &mut usize, by: &serde_json::Value) -> usize {
    if *at == 0 {
        document.clone_from(by);
    }
    *at = at.wrapping_sub(1);
    let below: usize = match document {
        serde_json::Value::Array(items) => items.iter_mut().map(|item| nodes(item, at, by)).sum(),
        serde_json::Value::Object(map) => map.values_mut().map(|item| nodes(item, at, by)).sum(),
        _ => 0,
    };
    below + 1
}

proptest! {
    #[test]
    fn any_document_is_read_or_refused(text in "[\\[\\]{}:,\"a-z0-9]{0,60}", bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for document in [text.into_bytes(), bytes] {
            let _ = Manifest::parse(document.clone());
            let _ = crate::Index::parse(document.clone());
            let _ = ImageConfig::parse(document);
        }
    }

    #[test]
    fn any_change_of_an_archive_is_read_or_refused(
        changes in proptest::collection::vec((0_usize..8192, any::<u8>()), 1..8),
        cut in 0_usize..8192,
    ) {
        let mut nested = Archive::default();
        let image = nested.image(b"layer", "");
        let list = index(&[image]);
        nested.file("index.json", list);
        for mut bytes in [docker("c.json").bytes(), nested.bytes()] {
            for (offset, byte) in &changes {
                let length = bytes.len();
                bytes[offset % length] = *byte;
            }
            let _ = read_bytes(&bytes);
            bytes.truncate(cut);
            let _ = read_bytes(&bytes);
        }
    }

    #[test]
    fn any_change_of_a_document_is_read_or_refused(place in any::<usize>(), value in json_value()) {
        let mut archive = Archive::default();
        let image = archive.image(b"layer", r#","platform":{"os":"linux","architecture":"amd64"}"#);
        archive.file("index.json", index(&[image]));
        let config = r#"{"created":"2024-01-01T00:00:00Z","os":"linux","architecture":"amd64","config":{"User":"a","Env":["A=1"],"Cmd":["x"],
            "ExposedPorts":{"80/tcp":{}},"Volumes":{"/v":{}},"Healthcheck":{"Test":["CMD","x"],"Interval":5},"Labels":{"a":"b"}},
            "rootfs":{"type":"layers","diff_ids":["sha256:0000000000000000000000000000000000000000000000000000000000000000"]},
            "history":[{"created_by":"x","empty_layer":true}]}"#;
        let manifest = String::from_utf8(archive.0[2].1.clone()).unwrap();
        let index = String::from_utf8(archive.0[3].1.clone()).unwrap();
        for document in [config, &manifest, &index] {
            let mut changed: serde_json::Value = serde_json::from_str(document).unwrap();
            let mut none = usize::MAX;
            let count = nodes(&mut changed, &mut none, &serde_json::Value::Null);
            nodes(&mut changed, &mut (place % count), &value);
            let bytes = changed.to_string().into_bytes();
            // What is taken is kept byte for byte: its digest is its name.
            if let Ok(taken) = ImageConfig::parse(bytes.clone()) {
                prop_assert_eq!(taken.bytes(), &bytes[..]);
                prop_assert_eq!(taken.id(), &sha256(&bytes));
            }
            if let Ok(taken) = Manifest::parse(bytes.clone()) {
                prop_assert_eq!(taken.digest(), &sha256(&bytes));
            }
            let _ = crate::Index::parse(bytes);
        }
    }
}
