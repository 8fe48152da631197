//! Images as registries hold them, and how to upload one to a real registry.

use sha2::{Digest, Sha256};
use std::io::{Read, Write};
use std::net::TcpStream;

pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A layer as it is transferred, and the tar that it stands for.
#[derive(Clone, Debug)]
pub struct LayerBlob {
    /// Plain or compressed.
    pub blob: Vec<u8>,
    /// The digest of the plain tar.
    pub diff_id: String,
}

/// An image of some layers.
#[derive(Clone, Debug)]
pub struct Image {
    layers: Vec<LayerBlob>,
    config: Vec<u8>,
}

impl LayerBlob {
    /// A tar as it is.
    pub fn plain(tar: &[u8]) -> Self {
        Self { blob: tar.to_vec(), diff_id: digest(tar) }
    }

    /// A tar, compressed by gzip(1).
    pub fn gzip(tar: &[u8]) -> Self {
        let mut command = std::process::Command::new("gzip");
        command.args(["-1", "-n", "-c"]);
        Self { blob: crate::Output::of(command, tar).stdout, diff_id: digest(tar) }
    }

    /// The digest of the blob.
    pub fn digest(&self) -> String {
        digest(&self.blob)
    }
}

impl Image {
    /// For Linux on amd64, running `command`.
    pub fn new(layers: Vec<LayerBlob>, command: &[&str]) -> Self {
        let diff_ids: Vec<&String> = layers.iter().map(|layer| &layer.diff_id).collect();
        let config = serde_json::json!({
            "architecture": "amd64",
            "os": "linux",
            "config": { "Cmd": command, "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"] },
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
            "history": layers.iter().map(|_| serde_json::json!({ "created_by": "a test" })).collect::<Vec<_>>(),
        });
        Self { layers, config: config.to_string().into_bytes() }
    }

    /// The image's id.
    pub fn id(&self) -> String {
        digest(&self.config)
    }

    /// Its layers and its configuration.
    pub fn blobs(&self) -> impl Iterator<Item = &[u8]> {
        self.layers.iter().map(|layer| layer.blob.as_slice()).chain([self.config.as_slice()])
    }

    /// Its manifest.
    pub fn manifest(&self) -> Vec<u8> {
        manifest_of(&self.config, &self.layers)
    }
}

/// The manifest of these layers and this configuration.
pub fn manifest_of(config: &[u8], layers: &[LayerBlob]) -> Vec<u8> {
    let descriptor = |kind: &str, bytes: &[u8]| serde_json::json!({ "mediaType": kind, "digest": digest(bytes), "size": bytes.len() });
    let layers =
        layers.iter().map(|layer| descriptor("application/vnd.oci.image.layer.v1.tar+gzip", &layer.blob));
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": layers.collect::<Vec<_>>(),
    });
    manifest.to_string().into_bytes()
}

pub(super) fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// Uploads an image to a registry that listens at `host`, over plain HTTP.
pub fn push(host: &str, name: &str, tag: &str, image: &Image) {
    for blob in image.blobs() {
        let (_, begun) = request(host, "POST", &format!("/v2/{name}/blobs/uploads/"), "", b"");
        let location =
            begun.lines().find_map(|line| line.strip_prefix("Location: ")).expect("a place to upload to");
        let path = location.trim().strip_prefix(&format!("http://{host}")).unwrap_or(location.trim());
        let target = format!("{path}&digest={}", digest(blob));
        let (status, answer) = request(host, "PUT", &target, "application/octet-stream", blob);
        assert_eq!(status, 201, "{answer}");
    }
    let target = format!("/v2/{name}/manifests/{tag}");
    let (status, answer) = request(host, "PUT", &target, MANIFEST, &image.manifest());
    assert_eq!(status, 201, "{answer}");
}

/// The status and all of the answer.
fn request(host: &str, method: &str, path: &str, kind: &str, body: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(host).unwrap();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: \
         {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("an answer");
    (status, answer)
}
