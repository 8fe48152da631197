//! Images made on the spot: busybox as a root file system, and the archives that engines load.

use sha2::{Digest, Sha256};
use std::fs;
use std::path::PathBuf;
use tar::{Builder, EntryType, Header};

const APPLETS: &[&str] = &[
    "cat",
    "cut",
    "dd",
    "df",
    "echo",
    "env",
    "false",
    "grep",
    "head",
    "hostname",
    "httpd",
    "id",
    "ip",
    "kill",
    "ls",
    "mkdir",
    "mount",
    "nc",
    "ping",
    "printf",
    "ps",
    "pwd",
    "rm",
    "seq",
    "sh",
    "sha256sum",
    "sleep",
    "sort",
    "stat",
    "stty",
    "sync",
    "tail",
    "tee",
    "test",
    "touch",
    "tr",
    "true",
    "umount",
    "wc",
    "wget",
    "yes",
];
const FOLDERS: &[&str] = &["bin", "dev", "etc", "proc", "root", "sys", "tmp"];
const FILES: &[(&str, &str)] = &[
    ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nsailor:x:1000:1000::/:/bin/sh\n"),
    ("etc/group", "root:x:0:\nsailor:x:1000:\ncrew:x:1001:sailor\n"),
];

/// A tar file with a busybox root file system, users `root` and `sailor` (1000, also in `crew`, 1001).
pub fn root_file_system() -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for folder in FOLDERS {
        let mode = if *folder == "tmp" { 0o1777 } else { 0o755 };
        append(&mut tar, folder, EntryType::Directory, mode, &[]);
    }
    append(&mut tar, "bin/busybox", EntryType::Regular, 0o755, &fs::read(busybox()).unwrap());
    for applet in APPLETS {
        let mut header = header(EntryType::Symlink, 0o777, 0);
        tar.append_link(&mut header, format!("bin/{applet}"), "busybox").unwrap();
    }
    for (path, text) in FILES {
        append(&mut tar, path, EntryType::Regular, 0o644, text.as_bytes());
    }
    tar.into_inner().unwrap()
}

/// A tar file with one file, whose name nobody looks at.
pub fn tar_of(name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = header(EntryType::Regular, 0o644, content.len());
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_cksum();
    let mut tar = Builder::new(Vec::new());
    tar.append(&header, content).unwrap();
    tar.into_inner().unwrap()
}

/// A tar file as `docker save` makes it, of one image with one layer and this command.
pub fn docker_archive(name: &str, layer: &[u8], command: &[&str]) -> Vec<u8> {
    let config = serde_json::json!({
        "architecture": "amd64",
        "os": "linux",
        "created": "2020-01-01T00:00:00Z",
        "config": { "Cmd": command, "Env": ["PATH=/bin"], "Labels": { "made-by": "a test" } },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", hex(layer))] },
        "history": [{ "created": "2020-01-01T00:00:00Z", "created_by": "a test" }],
    });
    let config = config.to_string().into_bytes();
    let config_name = format!("{}.json", hex(&config));
    let layer_name = format!("{}/layer.tar", hex(layer));
    let manifest = serde_json::json!([{ "Config": config_name, "RepoTags": [name], "Layers": [layer_name] }]);
    let mut tar = Builder::new(Vec::new());
    append(&mut tar, &config_name, EntryType::Regular, 0o644, &config);
    append(&mut tar, &layer_name, EntryType::Regular, 0o644, layer);
    append(&mut tar, "manifest.json", EntryType::Regular, 0o644, manifest.to_string().as_bytes());
    tar.into_inner().unwrap()
}

fn busybox() -> PathBuf {
    let places = ["/bin/busybox", "/usr/bin/busybox"].map(PathBuf::from);
    places.into_iter().find(|path| path.exists()).expect("busybox: cargo xtask setup installs it")
}

fn append(tar: &mut Builder<Vec<u8>>, path: &str, kind: EntryType, mode: u32, content: &[u8]) {
    tar.append_data(&mut header(kind, mode, content.len()), path, content).unwrap();
}

fn header(kind: EntryType, mode: u32, size: usize) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size as u64);
    header.set_mtime(1_577_836_800);
    header
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_hold_what_they_should() {
        let layer = root_file_system();
        let names = |archive: &[u8]| {
            let mut archive = tar::Archive::new(archive);
            let entries = archive.entries().unwrap();
            entries.map(|e| e.unwrap().path().unwrap().display().to_string()).collect::<Vec<_>>()
        };
        assert!(names(&layer).contains(&"bin/sh".to_owned()));
        assert!(names(&docker_archive("a:1", &layer, &["true"])).contains(&"manifest.json".to_owned()));
    }
}
