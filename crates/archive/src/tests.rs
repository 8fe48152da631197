//! Trees that come back as they went, and tars that would do harm.

use crate::{Error, Owner, Unpacking, find, pack, unpack};
use proptest::prelude::*;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

fn packed(root: &Path, path: &str) -> Vec<u8> {
    let root = File::open(root).unwrap();
    let found = find(root.as_fd(), path).unwrap();
    let mut tar = Vec::new();
    pack(&found, &found.name, &mut tar).unwrap();
    tar
}

fn how(root: &File) -> Unpacking<'_> {
    Unpacking {
        root: root.as_fd(),
        folder: "",
        is_whole: false,
        keep_kinds: true,
        owner: Owner::OfTar,
        rename: None,
    }
}

/// A line for each thing below a folder.
fn listed(root: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder)).unwrap() {
            let path = folder.join(entry.unwrap().file_name());
            let status = fs::symlink_metadata(root.join(&path)).unwrap();
            let content = match status.file_type() {
                kind if kind.is_file() => fs::read_to_string(root.join(&path)).unwrap(),
                kind if kind.is_symlink() => fs::read_link(root.join(&path)).unwrap().display().to_string(),
                _ => String::new(),
            };
            let size = content.len();
            let shown: String = content.chars().take(20).collect();
            lines.push(format!(
                "{} {:o} {}:{} {} {size} {shown}",
                path.display(),
                status.mode(),
                status.uid(),
                status.gid(),
                status.mtime()
            ));
            if status.is_dir() {
                folders.push(path);
            }
        }
    }
    lines.sort();
    lines
}

#[test]
fn a_tree_comes_back_as_it_went() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let at = |path: &str| from.path().join(path);
    let long = format!("tree/{}/{}", "long".repeat(30), "name".repeat(50));
    fs::create_dir_all(at(&long).parent().unwrap()).unwrap();
    fs::write(at(&long), "x".repeat(300_000)).unwrap();
    fs::write(at("tree/empty"), "").unwrap();
    fs::write(at("tree/ü"), "utf-8").unwrap();
    fs::hard_link(at("tree/ü"), at("tree/z")).unwrap();
    symlink("l".repeat(150), at("tree/link")).unwrap();
    rustix::fs::mknodat(
        File::open(from.path()).unwrap(),
        "tree/pipe",
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o640),
        0,
    )
    .unwrap();
    std::os::unix::fs::chown(at("tree/ü"), Some(3_000_000), Some(7)).unwrap();
    fs::set_permissions(at("tree/ü"), fs::Permissions::from_mode(0o4711)).unwrap();
    let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
    File::open(at("tree")).unwrap().set_modified(old).unwrap();
    let tar = packed(from.path(), "/tree");
    // Another reader understands it.
    let names = tar::Archive::new(&tar[..]).entries().unwrap().count();
    assert_eq!(names, listed(&at("")).len());
    let root = File::open(to.path()).unwrap();
    unpack(&tar[..], &how(&root)).unwrap();
    assert_eq!(listed(to.path()), listed(from.path()));
    let (a, b) =
        (fs::metadata(to.path().join("tree/ü")).unwrap(), fs::metadata(to.path().join("tree/z")).unwrap());
    assert_eq!(a.ino(), b.ino());
    // Once more over itself.
    unpack(&tar[..], &how(&root)).unwrap();
    assert_eq!(listed(to.path()), listed(from.path()));
}

#[test]
fn names_are_changed_on_the_way() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::create_dir(from.path().join("d")).unwrap();
    fs::write(from.path().join("d/f"), "1").unwrap();
    fs::hard_link(from.path().join("d/f"), from.path().join("d/g")).unwrap();
    let root = File::open(to.path()).unwrap();
    for (path, old, new) in [("/d", "d", "renamed"), ("/d/.", ".", "inner"), ("/d/f", "f", "file")] {
        let rename = Some((old.as_bytes().to_vec(), new.as_bytes().to_vec()));
        unpack(&packed(from.path(), path)[..], &Unpacking { rename, ..how(&root) }).unwrap();
    }
    let names: Vec<_> =
        listed(to.path()).iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(names, ["file", "inner", "inner/f", "inner/g", "renamed", "renamed/f", "renamed/g"]);
}

/// A tar of one entry, or several.
fn tar_of(entries: &[(&str, tar::EntryType, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, kind, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        let data = if matches!(kind, tar::EntryType::Regular) { content.as_bytes() } else { &[] };
        if data.is_empty() {
            header.as_old_mut().linkname[..content.len()].copy_from_slice(content.as_bytes());
        }
        header.set_size(data.len() as u64);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_cksum();
        builder.append(&header, data).unwrap();
    }
    builder.into_inner().unwrap()
}

#[test]
fn nothing_gets_out() {
    use tar::EntryType::{Directory, Link, Regular, Symlink};
    let outer = tempfile::tempdir().unwrap();
    let outside = outer.path().join("outside");
    fs::write(&outside, "safe").unwrap();
    let absolute = outer.path().display().to_string();
    for (case, tar) in [
        ("parent", tar_of(&[("../outside", Regular, "evil")])),
        ("parent within", tar_of(&[("a/../../outside", Regular, "evil")])),
        ("link up", tar_of(&[("l", Symlink, ".."), ("l/outside", Regular, "evil")])),
        ("absolute link", tar_of(&[("l", Symlink, &absolute), ("l/outside", Regular, "evil")])),
        (
            "links through links",
            tar_of(&[("d", Directory, ""), ("d/l", Symlink, "../.."), ("d/l/outside", Regular, "evil")]),
        ),
        ("hard link", tar_of(&[("h", Link, "../outside"), ("h", Regular, "evil")])),
        ("hard link through a link", tar_of(&[("l", Symlink, ".."), ("h", Link, "l/outside")])),
    ] {
        for is_whole in [false, true] {
            let inner = outer.path().join("inner");
            fs::create_dir(&inner).unwrap();
            let root = File::open(&inner).unwrap();
            // In a container, a link that leads up ends at the root: it is contained, not refused.
            let result = unpack(&tar[..], &Unpacking { is_whole, ..how(&root) });
            assert!(is_whole || result.is_err(), "{case}");
            assert_eq!(fs::read_to_string(&outside).unwrap(), "safe", "{case}");
            let outside_has = fs::read_dir(outer.path()).unwrap().count();
            assert_eq!(outside_has, 2, "{case}");
            fs::remove_dir_all(&inner).unwrap();
        }
    }
}

#[test]
fn links_of_a_container_lead_to_its_own_files() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("real/data")).unwrap();
    symlink("/real", root.path().join("link")).unwrap();
    let file = File::open(root.path()).unwrap();
    let tar = tar_of(&[("data/f", tar::EntryType::Regular, "1")]);
    unpack(&tar[..], &Unpacking { folder: "/link", is_whole: true, ..how(&file) }).unwrap();
    assert_eq!(fs::read_to_string(root.path().join("real/data/f")).unwrap(), "1");
}

#[test]
fn folders_and_files_replace_each_other_only_if_wanted() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("d/in")).unwrap();
    fs::write(root.path().join("f"), "1").unwrap();
    let file = File::open(root.path()).unwrap();
    let over_folder = tar_of(&[("d", tar::EntryType::Regular, "2")]);
    let over_file = tar_of(&[("f", tar::EntryType::Directory, "")]);
    assert!(matches!(unpack(&over_folder[..], &how(&file)), Err(Error::OverFolder { .. })));
    assert!(matches!(unpack(&over_file[..], &how(&file)), Err(Error::OverFile { .. })));
    let free = Unpacking { keep_kinds: false, ..how(&file) };
    unpack(&over_folder[..], &free).unwrap();
    unpack(&over_file[..], &free).unwrap();
    assert!(root.path().join("d").is_file() && root.path().join("f").is_dir());
}

#[test]
fn a_broken_tar_is_told() {
    let root = tempfile::tempdir().unwrap();
    let file = File::open(root.path()).unwrap();
    let tar = tar_of(&[("f", tar::EntryType::Regular, &"1".repeat(5000))]);
    assert!(matches!(unpack(&tar[..2000], &how(&file)), Err(Error::Tar(_))));
    assert!(matches!(unpack(&b"no tar at all".repeat(100)[..], &how(&file)), Err(Error::Tar(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_name_stays_inside(name in "[a./]{1,12}", link in "[a./]{1,8}") {
        let outer = tempfile::tempdir().unwrap();
        let inner = outer.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let root = File::open(&inner).unwrap();
        let tar = tar_of(&[("a", tar::EntryType::Symlink, &link), (&name, tar::EntryType::Regular, "x")]);
        for is_whole in [false, true] {
            // Refused or not, nothing appears beside the folder.
            let _ = unpack(&tar[..], &Unpacking { is_whole, keep_kinds: false, ..how(&root) });
            prop_assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 1);
        }
    }
}
