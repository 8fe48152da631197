//! What layers become on disk: against GNU tar, in overlayfs's terms, and for tars that mean harm.

use super::*;
use crate::testing::{Tar, gzip, header, tree_of};
use ::tar::EntryType;
use proptest::prelude::*;
use sampan_image::sha256;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::process::Command;

fn apply_to(bytes: &[u8]) -> (tempfile::TempDir, Result<Applied, ApplyError>) {
    let layer = tempfile::tempdir().unwrap();
    let applied = apply(bytes, layer.path(), 1 << 30);
    (layer, applied)
}

/// Applies a tar that is right: its folder of files.
fn applied(bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf, Applied) {
    let (layer, result) = apply_to(bytes);
    let result = result.unwrap();
    check_rebuilt(layer.path(), bytes, &result.diff_id);
    let fs = layer.path().join("fs");
    (layer, fs, result)
}

fn check_rebuilt(layer: &Path, bytes: &[u8], diff_id: &Digest) {
    assert_eq!(*diff_id, sha256(bytes));
    let mut rebuilt = Vec::new();
    record::rebuild(layer, diff_id, &mut rebuilt).unwrap();
    assert!(rebuilt == bytes, "the tar was not rebuilt");
}

fn xattr(path: &Path, key: &str) -> Option<Vec<u8>> {
    let mut value = [0; 256];
    let length = rustix::fs::lgetxattr(path, key, &mut value[..]).ok()?;
    Some(value[..length].to_vec())
}

fn is_whiteout(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|m| m.file_type().is_char_device() && m.rdev() == 0)
}

/// All that can be seen of a tree's entries.
fn describe(root: &Path) -> Vec<String> {
    let one = |path: &String| {
        let full = root.join(path);
        let m = full.symlink_metadata().unwrap();
        let content = if m.is_file() { sha256(&fs::read(&full).unwrap()).to_string() } else { String::new() };
        let target = fs::read_link(&full).unwrap_or_default();
        let links = if m.is_dir() { 0 } else { m.nlink() };
        let blocks = if m.is_file() && m.size() > 1 << 20 { m.blocks() } else { 0 };
        let attributes: Vec<_> = ["user.a", "security.capability"].iter().map(|k| xattr(&full, k)).collect();
        format!(
            "{path} {:o} {}:{} {} {}.{} {content} {target:?} {links} {} {blocks} {attributes:?}",
            m.mode(),
            m.uid(),
            m.gid(),
            if m.is_dir() { 0 } else { m.size() },
            m.mtime(),
            m.mtime_nsec(),
            m.rdev(),
        )
    };
    tree_of(root).iter().map(one).collect()
}

/// A tree with everything that a layer can hold.
const TREE: &str = r#"
    mkdir -p t/a/b t/sticky t/empty; cd t
    echo one > a/one; chmod 4755 a/one; ln a/one a/b/hard; ln a/one hard
    echo two > two; chown 1000:2000 two; chmod 2711 two
    ln -s ../../x a/link; ln -s /etc/passwd absolute; ln -s "$(printf 'x%.0s' $(seq 200))" long-target
    long=$(printf 'n%.0s' $(seq 120)); mkdir -p "$long/$long"; echo deep > "$long/$long/$long"
    chmod 1777 sticky; chmod 700 empty; chown 65534:65534 empty
    mkfifo -m 640 fifo; mknod char c 1 3; mknod block b 7 300; chmod 666 char
    : > nothing; printf 'bytes\0\377' > "$(printf 'w\303\244r \n\\')"
    truncate -s 5M sparse; printf x | dd of=sparse bs=1 seek=3000000 conv=notrunc status=none
    setfattr -n user.a -v 'v=1' two; setcap cap_net_raw+ep a/one 2>/dev/null || true
    touch -h -d '2001-02-03 04:05:06.789012345' a/link two a/b a; touch -d '1960-01-01' nothing
    dd if=/dev/urandom of=big bs=1k count=700 status=none
"#;

fn run(folder: &Path, script: &str) {
    let status = Command::new("bash").args(["-euc", script]).current_dir(folder).status().unwrap();
    assert!(status.success(), "{script}");
}

fn has(program: &str) -> bool {
    Command::new("sh").args(["-c", &format!("command -v {program} >/dev/null")]).status().unwrap().success()
}

#[test]
fn as_gnu_tar_unpacks() {
    let work = tempfile::tempdir().unwrap();
    let script = if has("setfattr") { TREE.to_owned() } else { TREE.replace("setfattr", ": setfattr") };
    run(work.path(), &script);
    for format in [
        "--format=gnu",
        "--format=pax --xattrs --xattrs-include='*'",
        "--format=gnu --sparse",
        "--format=pax --sparse",
    ] {
        run(
            work.path(),
            &format!(
                "tar --warning=no-timestamp {format} -C t -cf t.tar . && rm -rf want && mkdir want && \
                 tar --warning=no-timestamp --numeric-owner --same-owner --xattrs --xattrs-include='*' -C want -xpf t.tar"
            ),
        );
        let bytes = fs::read(work.path().join("t.tar")).unwrap();
        let (_layer, fs, applied) = applied(&bytes);
        let (got, want) = (describe(&fs), describe(&work.path().join("want")));
        for (got, want) in got.iter().zip(&want) {
            assert_eq!(got, want, "{format}");
        }
        assert_eq!(got.len(), want.len(), "{format}");
        assert_eq!(applied.size, crate::walk::size(&fs).unwrap(), "{format}");
    }
}

#[test]
fn extended_attributes_but_not_overlayfs_own() {
    let records: &[(&str, &[u8])] = &[
        ("SCHILY.xattr.user.a", b"1"),
        ("SCHILY.xattr.security.capability", b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        ("SCHILY.xattr.trusted.overlay.opaque", b"y"),
        ("SCHILY.xattr.trusted.overlay.redirect", b"/x"),
    ];
    let tar = Tar::default().pax(records).file("f", b"").pax(&records[2..]).dir("d/").bytes();
    let (_layer, fs, _) = applied(&tar);
    assert_eq!(xattr(&fs.join("f"), "user.a"), Some(b"1".to_vec()));
    assert_eq!(xattr(&fs.join("f"), "security.capability").map(|v| v.len()), Some(20));
    assert_eq!(xattr(&fs.join("d"), "trusted.overlay.opaque"), None);
    assert_eq!(xattr(&fs.join("f"), "trusted.overlay.redirect"), None);
}

#[test]
fn whiteouts_wherever_they_stand() {
    let tar = Tar::default()
        .file("gone/.wh.a", b"")
        .file(".wh.later", b"")
        .dir("later/")
        .file("later/x", b"1")
        .dir("before/")
        .file("before/x", b"1")
        .file(".wh.before", b"stray bytes")
        .file("stays", b"1")
        .file(".wh.stays", b"")
        .file("opaque/.wh..wh..opq", b"")
        .file(".wh..wh.plnk/1.2", b"")
        .file(".wh..wh.aufs", b"")
        .file(".wh.replaced", b"")
        .file("replaced", b"new")
        .bytes();
    let (_layer, fs, applied) = applied(&tar);
    assert!(is_whiteout(&fs.join("gone/a")));
    for (folder, opaque) in [("later", true), ("before", true), ("opaque", true), ("gone", false)] {
        let value = xattr(&fs.join(folder), "trusted.overlay.opaque");
        assert_eq!(value.is_some(), opaque, "{folder}");
    }
    assert_eq!(fs::read(fs.join("stays")).unwrap(), b"1");
    assert_eq!(fs::read(fs.join("replaced")).unwrap(), b"new");
    let names = tree_of(&fs);
    let want = ["before", "before/x", "gone", "gone/a", "later", "later/x", "opaque", "replaced", "stays"];
    assert_eq!(
        names.iter().filter(|n| !n.starts_with(".wh..wh.plnk")).collect::<Vec<_>>(),
        want.iter().collect::<Vec<_>>()
    );
    assert_eq!(applied.size, 6);
}

#[test]
fn later_entries_replace_earlier_ones() {
    let tar = Tar::default()
        .file("a", b"first")
        .link(EntryType::Link, "b", "a")
        .file("a", b"second")
        .dir("d/")
        .file("d/x", b"in the folder")
        .file("d/x", b"again")
        .file("d", b"now a file")
        .dir("d/")
        .file("d/x", b"a folder again")
        .link(EntryType::Symlink, "d/l", "x")
        .file("d/l", b"was a link")
        .link(EntryType::Link, "a", "a")
        .link(EntryType::Link, "d/x", "a")
        .dir("d/")
        .bytes();
    let (layer, fs, applied) = applied(&tar);
    assert_eq!(fs::read(fs.join("b")).unwrap(), b"first");
    assert_eq!(fs::read(fs.join("a")).unwrap(), b"second");
    assert_eq!(fs::read(fs.join("d/x")).unwrap(), b"second");
    assert_eq!(fs::read(fs.join("d/l")).unwrap(), b"was a link");
    assert_eq!(applied.size, 5 + 6 + 10);
    assert_eq!(fs::metadata(fs.join("d")).unwrap().mtime(), 1_000_000_000);
    assert_eq!(fs::read_dir(layer.path().join("kept")).unwrap().count(), 5);
}

#[test]
fn folders_that_no_entry_names() {
    let mut root = header(EntryType::Directory, 0o751);
    root.set_uid(5);
    let tar = Tar::default().raw("./", root, b"").file("x/y/z", b"1").raw_file("/abs/f", b"2").bytes();
    let (_layer, fs, _) = applied(&tar);
    let m = fs::metadata(&fs).unwrap();
    assert_eq!((m.permissions().mode() & 0o7777, m.uid(), m.mtime()), (0o751, 5, 1_000_000_000));
    assert_eq!(fs::metadata(fs.join("x/y")).unwrap().permissions().mode() & 0o7777, 0o755);
    assert_eq!(fs::read(fs.join("abs/f")).unwrap(), b"2");
    let (_layer, fs, _) = applied(&Tar::default().bytes());
    assert_eq!(fs::metadata(&fs).unwrap().permissions().mode() & 0o7777, 0o755);
}

/// Whatever a tar does, nothing beside its folder may change.
#[test]
fn hostile_tars_are_refused_by_name() {
    let symlink = |name: &str, target: &str| Tar::default().link(EntryType::Symlink, name, target);
    let hard = |name: &str, target: &str| Tar::default().file("f", b"").link(EntryType::Link, name, target);
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("victim"), "untouched").unwrap();
    let out = outside.path().to_str().unwrap().to_owned();
    for (tar, entry, reason) in [
        (Tar::default().raw_file("../f", b""), "../f", Refusal::Parent),
        (Tar::default().raw_file("a/../../f", b""), "a/../../f", Refusal::Parent),
        (Tar::default().raw_file("/../f", b""), "/../f", Refusal::Parent),
        (Tar::default().raw_file("./", b""), "./", Refusal::Root),
        (symlink("./", "x"), "./", Refusal::Root),
        (symlink("l", &out).raw_file("l/victim", b"x"), "l/victim", Refusal::ThroughLink),
        (symlink("l", ".").raw_file("l/x", b"x"), "l/x", Refusal::ThroughLink),
        (symlink("l", "m").link(EntryType::Symlink, "m", &out).dir("l/x/"), "l/x/", Refusal::ThroughLink),
        (symlink("l", &out).file("l/.wh.victim", b""), "l/.wh.victim", Refusal::ThroughLink),
        (symlink("l", &out).file("l/.wh..wh..opq", b""), "l/.wh..wh..opq", Refusal::ThroughLink),
        (symlink("l", &out).link(EntryType::Link, "x", "l/victim"), "x", Refusal::ThroughLink),
        (symlink("l", "/proc/self/root").raw_file("l/tmp/x", b""), "l/tmp/x", Refusal::ThroughLink),
        (hard("x", "../f"), "x", Refusal::LinkOut),
        (hard("x", &format!("{out}/victim")), "x", Refusal::LinkTarget),
        (hard("x", "nothing"), "x", Refusal::LinkTarget),
        (hard("x", "/"), "x", Refusal::LinkTarget),
        (hard("x", "f/y"), "x", Refusal::LinkTarget),
        (Tar::default().dir("d/").link(EntryType::Link, "x", "d"), "x", Refusal::LinkTarget),
        (Tar::default().file("d/f", b"").link(EntryType::Link, "d", "d/f"), "d", Refusal::LinkTarget),
        (Tar::default().file("f", b"").raw_file("f/g", b""), "f/g", Refusal::ThroughFile),
        (Tar::default().raw_file("d/.wh...", b""), "d/.wh...", Refusal::Whiteout),
        (Tar::default().raw_file(".wh.", b""), ".wh.", Refusal::Whiteout),
        (Tar::default().file(".wh.x", &[0; 70_000]), ".wh.x", Refusal::Content),
    ] {
        let (layer, result) = apply_to(&tar.bytes());
        match result {
            Err(ApplyError::Refused { entry: named, reason: got }) => {
                assert_eq!((named.as_str(), got), (entry, reason))
            }
            other => panic!("{entry}: {other:?}"),
        }
        let beside =
            fs::read_dir(layer.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        assert!(beside.into_iter().all(|name| ["fs", "framing", "kept"].contains(&name.as_str())));
    }
    assert_eq!(fs::read(outside.path().join("victim")).unwrap(), b"untouched");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
}

/// Links may point anywhere: only the container will ever follow them, inside its root.
#[test]
fn links_that_point_out_are_kept_and_not_followed() {
    let tar = Tar::default()
        .link(EntryType::Symlink, "up", "../../../../etc/passwd")
        .link(EntryType::Symlink, "abs", "/etc/passwd")
        .link(EntryType::Link, "hard", "/up")
        .file("abs", b"a file now")
        .bytes();
    let (_layer, fs, _) = applied(&tar);
    assert_eq!(fs::read_link(fs.join("hard")).unwrap(), Path::new("../../../../etc/passwd"));
    assert_eq!(fs::read(fs.join("abs")).unwrap(), b"a file now");
}

#[test]
fn bombs_and_damage() {
    let big = Tar::default().file("zeros", &vec![0; 4 << 20]).bytes();
    let layer = tempfile::tempdir().unwrap();
    let error = apply(&gzip(&big)[..], layer.path(), 1 << 20).unwrap_err();
    assert!(matches!(&error, ApplyError::TooLarge { entry, limit } if entry == "zeros" && *limit == 1 << 20));
    assert!(error.is_foreign());
    let small = gzip(&big);
    assert!(apply_to(&small[..small.len() / 2]).1.unwrap_err().is_foreign());
    assert!(apply_to(b"\x1f\x8b not gzip at all").1.unwrap_err().is_foreign());
    assert!(apply_to(b"BZh").1.unwrap_err().is_foreign());
}

#[test]
fn a_changed_file_is_not_rebuilt() {
    let tar = Tar::default().file("a", b"1").bytes();
    let (layer, fs, applied) = applied(&tar);
    fs::write(fs.join("a"), "2").unwrap();
    assert!(record::rebuild(layer.path(), &applied.diff_id, &mut io::sink()).is_err());
}

/// One entry out of few names, so that entries meet.
fn entry() -> impl Strategy<Value = (u8, String, String, Vec<u8>)> {
    let name = proptest::sample::select(vec![
        "a",
        "b",
        "a/b",
        "a/b/c",
        "b/.wh.a",
        ".wh.b",
        "a/.wh..wh..opq",
        "./",
        "b/a/",
    ]);
    let target = proptest::sample::select(vec!["a", "b", "a/b", "a/b/c"]);
    (
        0_u8..5,
        name.prop_map(Into::into),
        target.prop_map(Into::into),
        proptest::collection::vec(any::<u8>(), 0..1200),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn any_tar_is_refused_or_rebuilt(entries in proptest::collection::vec(entry(), 1..12), trailing in 0_usize..2000) {
        let mut tar = Tar::default();
        for (kind, name, target, content) in entries {
            tar = match kind {
                0 | 1 => tar.raw_file(&name, &content),
                2 => tar.dir(&name),
                3 => tar.link(EntryType::Symlink, &name, &target),
                _ => tar.link(EntryType::Link, &name, &target),
            };
        }
        let mut bytes = tar.bytes();
        bytes.extend(vec![7; trailing]);
        let (layer, result) = apply_to(&bytes);
        match result {
            Ok(applied) => {
                check_rebuilt(layer.path(), &bytes, &applied.diff_id);
                prop_assert_eq!(applied.size, crate::walk::size(&layer.path().join("fs")).unwrap());
            }
            Err(ApplyError::Refused { .. }) => {}
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}
