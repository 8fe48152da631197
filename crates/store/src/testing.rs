//! Tars and archives for tests.

use sampan_image::sha256;
use std::io::Write;
use std::path::Path;
use tar::{Builder, EntryType, Header};

/// A tar that is put together entry by entry.
pub(crate) struct Tar(Builder<Vec<u8>>);

impl Default for Tar {
    fn default() -> Self {
        Self(Builder::new(Vec::new()))
    }
}

impl Tar {
    pub(crate) fn file(mut self, name: &str, content: &[u8]) -> Self {
        let mut header = header(EntryType::Regular, 0o644);
        header.set_size(content.len() as u64);
        self.0.append_data(&mut header, name, content).unwrap();
        self
    }

    /// A file whose name nobody looks at.
    pub(crate) fn raw_file(self, name: &str, content: &[u8]) -> Self {
        let mut header = header(EntryType::Regular, 0o644);
        header.set_size(content.len() as u64);
        self.raw(name, header, content)
    }

    pub(crate) fn dir(self, name: &str) -> Self {
        self.raw(name, header(EntryType::Directory, 0o755), b"")
    }

    pub(crate) fn link(self, kind: EntryType, name: &str, target: &str) -> Self {
        let mut header = header(kind, 0o777);
        let bytes = header.as_old_mut();
        bytes.linkname[..target.len()].copy_from_slice(target.as_bytes());
        self.raw(name, header, b"")
    }

    pub(crate) fn raw(mut self, name: &str, mut header: Header, content: &[u8]) -> Self {
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        self.0.append(&header, content).unwrap();
        self
    }

    pub(crate) fn pax(mut self, records: &[(&str, &[u8])]) -> Self {
        self.0.append_pax_extensions(records.iter().copied()).unwrap();
        self
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

pub(crate) fn header(kind: EntryType, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1_000_000_000);
    header.set_size(0);
    header
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// What `docker save` writes of an image with these layers, plain or compressed.
pub(crate) fn docker_archive(layers: &[Vec<u8>], names: &[&str]) -> Vec<u8> {
    let plain = |layer: &Vec<u8>| match layer.starts_with(&[0x1f, 0x8b]) {
        true => {
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&layer[..]), &mut bytes).unwrap();
            bytes
        }
        false => layer.clone(),
    };
    let diff_ids: Vec<String> = layers.iter().map(|layer| sha256(&plain(layer)).to_string()).collect();
    let platform = sampan_spec::Platform::host();
    let config = serde_json::json!({
        "os": platform.os, "architecture": platform.architecture,
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    let paths: Vec<String> = (0..layers.len()).map(|i| format!("{i}/layer.tar")).collect();
    let list = serde_json::json!([{ "Config": "config.json", "RepoTags": names, "Layers": paths }]);
    let mut tar = Tar::default().file("config.json", config.to_string().as_bytes());
    for (path, layer) in paths.iter().zip(layers) {
        tar = tar.file(path, layer);
    }
    tar.file("manifest.json", list.to_string().as_bytes()).bytes()
}

/// The paths below a folder, sorted.
pub(crate) fn tree_of(root: &Path) -> Vec<String> {
    let mut all = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.symlink_metadata().unwrap().is_dir() {
                folders.push(path.clone());
            }
            all.push(path.strip_prefix(root).unwrap().to_string_lossy().into_owned());
        }
    }
    all.sort();
    all
}
