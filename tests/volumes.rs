//! Volumes and mounts: what a container finds in them, who shares them, and what stays when a container or the daemon goes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use sampan_testkit::{Cli, Daemon, Output, Session, programs, root_file_system};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A daemon with an image `vol` that has something in its volume `/data`, links that lead out of its root, and a file
/// where a volume could be mounted.
fn daemon() -> Daemon {
    let daemon = Daemon::start(programs!());
    daemon.import_busybox();
    let root = daemon.scratch().join("image");
    fs::create_dir_all(&root).unwrap();
    tar(&["-x", "-f", "-", "-C", path(&root)], &root_file_system());
    let data = root.join("data");
    fs::create_dir_all(data.join("sub")).unwrap();
    fs::write(data.join("file"), "of the image").unwrap();
    fs::hard_link(data.join("file"), data.join("again")).unwrap();
    symlink("/etc/passwd", data.join("absolute")).unwrap();
    symlink("../../../../etc", data.join("above")).unwrap();
    symlink("/data", root.join("link")).unwrap();
    symlink("../../../..", root.join("out")).unwrap();
    std::os::unix::fs::chown(&data, Some(5), Some(6)).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o1770)).unwrap();
    let archive = tar(&["-c", "-C", path(&root), "."], &[]).stdout;
    daemon.run_with(Cli::Sampan, &["import", "-c", "VOLUME /data", "-", "vol"], &archive).ok();
    daemon
}

fn tar(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new("tar");
    command.args(arguments);
    let output = Output::of(command, input);
    assert_eq!(output.code, 0, "{}", output.stderr);
    output
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The content of a volume, on the host.
fn content(daemon: &Daemon, name: &str) -> PathBuf {
    daemon.data_root().join("volumes").join(name).join("_data")
}

/// The names of all volumes.
fn volumes(daemon: &Daemon) -> Vec<String> {
    daemon.sampan(&["volume", "ls", "-q"]).lines().map(str::to_owned).collect()
}

/// The host's mounts below the volumes' folder.
fn mounts(daemon: &Daemon) -> usize {
    let table = fs::read_to_string(format!("/proc/{}/mountinfo", daemon.pid())).unwrap();
    table.lines().filter(|line| line.contains(path(&daemon.data_root().join("volumes")))).count()
}

/// Ids as one word: they differ from run to run.
fn without_ids(text: &str) -> String {
    let is_id = |word: &str| word.len() >= 12 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let word = |word: &str| match word.trim_matches(|c: char| !c.is_ascii_alphanumeric()) {
        bare if is_id(bare) => word.replace(bare, "ID"),
        _ => word.to_owned(),
    };
    let line = |line: &str| line.split(' ').map(word).collect::<Vec<_>>().join(" ");
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

const SCRIPT: &[&str] = &[
    "volume create one",
    "volume create one",
    "volume create --label a=b --label c two",
    "volume create -o type=tmpfs -o device=tmpfs -o o=size=1m three",
    "volume create a",
    "volume create ../x",
    "volume create a/b",
    "volume create -d nope x1",
    "volume create -o foo=bar x2",
    "volume create -o type=tmpfs x3",
    "volume ls",
    "volume ls -q --filter label=a --filter name=t",
    "volume ls --filter bogus=x",
    "volume ls --filter dangling=maybe",
    "volume ls --format json --filter name=three",
    "volume inspect --format {{.Name}}:{{.Options}} three",
    "volume inspect nope",
    "volume rm nope",
    "volume rm -f nope",
    // One -v only: Docker's command line sends several in any order.
    "create --name c1 -v one:/a:ro --mount type=volume,src=two,dst=/b --tmpfs /t:size=1m --mount type=tmpfs,dst=/m,tmpfs-mode=700 vol true",
    "inspect --format {{json_.HostConfig.Binds}}{{json_.HostConfig.Mounts}}{{json_.HostConfig.Tmpfs}} c1",
    "create --name c2 --volumes-from c1:ro bb true",
    "inspect --format {{range_.Mounts}}{{.Destination}}={{.RW}},{{end}} c2",
    "volume rm one",
    "volume ls -q --filter dangling=true",
    "ps -a --filter volume=one --format {{.Names}}",
    "rm -v c1",
    "volume rm one",
    "rm -v c2",
    "run --rm -v one:/data vol stat -c %a:%u:%g /data",
    "run --rm -v one:/data:ro vol touch /data/x",
    "run --rm -v /tmp:x vol true",
    "run --rm -v /tmp:/x:bogus vol true",
    "run --rm -v /tmp:/x -v one:/x vol true",
    "run --rm --mount type=bind,src=/nonexistent/x,dst=/x vol true",
    "run --rm --mount type=bind,dst=/x,foo=bar vol true",
    "run --rm --mount type=volume,src=one,dst=/x,volume-subpath=none vol true",
    "run --rm --mount type=volume,src=one,dst=/x,volume-subpath=above vol true",
    "run --rm -v one:/bin/busybox vol true",
    "run --rm --tmpfs /x:bogus vol true",
    "run --rm --tmpfs /data vol stat -c %a /data",
    "run --rm -v /tmp:/proc vol true",
    "run --rm --volumes-from nobody vol true",
    "volume prune -f",
    "volume prune -f --filter bogus=1",
    "volume prune -af",
    "volume ls",
];

#[test]
fn both_command_lines_are_equal() {
    let daemon = daemon();
    let run = |cli: Cli, line: &str| {
        let words: Vec<String> = line
            .split(' ')
            .map(|word| word.replace("}}_", "}} ").replace("json_", "json ").replace("range_", "range "))
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let output = daemon.run(cli, &words);
        let text = format!("{}\n{}\n{}", output.code, output.text(), output.stderr);
        without_ids(&text.replace("docker", "sampan"))
    };
    let ours: Vec<String> = SCRIPT.iter().map(|line| run(Cli::Sampan, line)).collect();
    for (line, ours) in SCRIPT.iter().zip(ours) {
        assert_eq!(ours, run(Cli::Docker, line), "{line}");
    }
    daemon.nothing_is_left();
    assert_eq!(volumes(&daemon), [""; 0]);
}

#[test]
fn a_new_volume_has_what_the_image_has_there() {
    let daemon = daemon();
    let look = "stat -c '%n %a %u:%g %h %F' /data /data/*; cat /data/file";
    let of_image = daemon.sampan(&["run", "--rm", "--entrypoint", "sh", "vol", "-c", look]);
    assert!(of_image.contains("/data 1770 5:6") && of_image.contains("of the image"), "{of_image}");
    // By its own name, by a link to it, and not at all.
    for (bind, filled) in
        [("a1:/data", true), ("a2:/link", true), ("a3:/data:nocopy", false), ("a4:/none", false)]
    {
        daemon.sampan(&["run", "--rm", "-v", bind, "vol", "true"]);
        let volume = content(&daemon, &bind[..2]);
        assert_eq!(volume.join("file").exists(), filled, "{bind}");
        if filled {
            let metadata = fs::metadata(&volume).unwrap();
            assert_eq!((metadata.mode() & 0o7777, metadata.uid(), metadata.gid()), (0o1770, 5, 6));
            let [file, again] = ["file", "again"].map(|name| fs::metadata(volume.join(name)).unwrap().ino());
            assert_eq!(file, again);
            assert_eq!(fs::read_link(volume.join("absolute")).unwrap(), Path::new("/etc/passwd"));
        }
    }
    // What is in it already stays as it is.
    fs::write(content(&daemon, "a1").join("file"), "changed").unwrap();
    assert_eq!(daemon.sampan(&["run", "--rm", "-v", "a1:/data", "vol", "cat", "/data/file"]), "changed");
    daemon.nothing_is_left();
}

#[test]
fn links_of_an_image_lead_nowhere_outside() {
    let daemon = daemon();
    let before = fs::read_dir("/etc").unwrap().count();
    // A volume at a link that leads out of the root is filled from inside the root, and mounted there.
    let seen = daemon.sampan(&["run", "--rm", "-v", "b1:/out/etc", "vol", "ls", "/etc/passwd", "/etc/group"]);
    assert_eq!(seen, "/etc/group\n/etc/passwd");
    assert_eq!(fs::read_to_string(content(&daemon, "b1").join("passwd")).unwrap().lines().count(), 2);
    daemon.sampan(&["run", "--rm", "-v", "b2:/data/above/new", "vol", "touch", "/etc/new/x"]);
    assert!(content(&daemon, "b2").join("x").exists());
    assert_eq!(fs::read_dir("/etc").unwrap().count(), before);
    // A part of a volume is not reached through a link that a container made.
    daemon.sampan(&[
        "run",
        "--rm",
        "-v",
        "b3:/v",
        "bb",
        "sh",
        "-c",
        "mkdir /v/in; ln -s in /v/near; ln -s /etc /v/far",
    ]);
    for (part, code) in [("in", 0), ("near", 0), ("far", 125), ("missing", 127)] {
        let mount = format!("type=volume,src=b3,dst=/x,volume-subpath={part}");
        let output = daemon.run(Cli::Sampan, &["run", "--rm", "--mount", &mount, "bb", "ls", "/x"]);
        assert_eq!((output.code, output.text().as_str()), (code, ""), "{part}: {output:?}");
    }
    daemon.nothing_is_left();
}

#[test]
fn containers_that_start_at_once_find_a_new_volume_filled_once() {
    let daemon = daemon();
    for round in 0..3 {
        let bind = format!("c{round}:/data");
        let words = ["run", "--rm", "-v", &bind, "vol", "sh", "-c", "cat /data/file; echo x >>/data/lines"];
        let all: Vec<Session> = (0..6).map(|_| Session::start(daemon.client(Cli::Sampan, &words))).collect();
        for session in all {
            assert_eq!(session.finish().ok(), "of the image");
        }
        let lines = fs::read_to_string(content(&daemon, &format!("c{round}")).join("lines")).unwrap();
        assert_eq!(lines.lines().count(), 6);
    }
    daemon.nothing_is_left();
}

#[test]
fn volumes_without_a_name_go_with_their_container() {
    let daemon = daemon();
    daemon.sampan(&["run", "--rm", "-v", "/more", "vol", "true"]);
    assert_eq!(volumes(&daemon), [""; 0]);
    daemon.sampan(&["create", "--name", "d1", "-v", "/more", "-v", "named:/n", "vol", "true"]);
    assert_eq!(volumes(&daemon).len(), 3);
    // Another container has them, too: the first one's end is not theirs.
    daemon.sampan(&["create", "--name", "d2", "--volumes-from", "d1", "bb", "ls", "/data/file"]);
    daemon.sampan(&["rm", "-v", "d1"]);
    assert_eq!(volumes(&daemon).len(), 3);
    assert_eq!(daemon.sampan(&["start", "-a", "d2"]), "/data/file");
    daemon.sampan(&["rm", "-v", "d2"]);
    assert_eq!(volumes(&daemon), ["named"]);
    // Without -v they stay, and a prune takes them.
    daemon.sampan(&["create", "--name", "d3", "vol", "true"]);
    daemon.sampan(&["rm", "d3"]);
    assert_eq!(volumes(&daemon).len(), 2);
    assert!(daemon.sampan(&["volume", "prune", "-f"]).starts_with("Deleted Volumes:"));
    assert_eq!(volumes(&daemon), ["named"]);
    daemon.nothing_is_left();
}

#[test]
fn a_killed_daemon_loses_no_volume_and_leaves_no_mount() {
    let mut daemon = daemon();
    daemon.sampan(&["volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "memory"]);
    let run = [
        "run",
        "-d",
        "--name",
        "e1",
        "-v",
        "memory:/m",
        "-v",
        "kept:/data",
        "-v",
        "/more",
        "vol",
        "sleep",
        "1000",
    ];
    daemon.sampan(&run);
    daemon.sampan(&["exec", "e1", "sh", "-c", "echo shared >/m/x; echo kept >/data/x"]);
    assert_eq!(mounts(&daemon), 1);
    daemon.kill9();
    daemon.start_again();
    assert_eq!(daemon.sampan(&["run", "--rm", "-v", "memory:/m", "bb", "cat", "/m/x"]), "shared");
    assert_eq!(mounts(&daemon), 1);
    let used = daemon.run(Cli::Sampan, &["volume", "rm", "kept"]);
    assert!(used.code == 1 && used.stderr.contains("volume is in use - ["), "{used:?}");
    daemon.kill9();
    daemon.start_again();
    daemon.sampan(&["rm", "-f", "-v", "e1"]);
    assert_eq!(mounts(&daemon), 0);
    assert_eq!(volumes(&daemon), ["kept", "memory"]);
    assert_eq!(daemon.sampan(&["run", "--rm", "-v", "kept:/data", "bb", "cat", "/data/x"]), "kept");
    assert_eq!(daemon.sampan(&["run", "--rm", "-v", "memory:/m", "bb", "ls", "/m"]), "");
    daemon.nothing_is_left();
}

#[test]
fn a_device_that_a_volume_binds_is_never_deleted() {
    let daemon = daemon();
    let device = daemon.scratch().join("device");
    fs::create_dir(&device).unwrap();
    fs::write(device.join("precious"), "").unwrap();
    let option = format!("device={}", device.display());
    daemon.sampan(&["volume", "create", "-o", "type=none", "-o", "o=bind", "-o", &option, "bound"]);
    daemon.sampan(&["run", "-d", "--name", "f1", "-v", "bound:/b", "bb", "sleep", "1000"]);
    assert_eq!(daemon.sampan(&["exec", "f1", "ls", "/b"]), "precious");
    daemon.sampan(&["rm", "-f", "-v", "f1"]);
    daemon.sampan(&["volume", "rm", "bound"]);
    assert!(device.join("precious").exists());
    assert_eq!(volumes(&daemon), [""; 0]);
    daemon.nothing_is_left();
}

#[test]
fn a_read_only_root_has_writable_mounts() {
    let daemon = daemon();
    let missing = daemon.scratch().join("missing/folder");
    let bind = format!("{}:/b", missing.display());
    let words =
        ["run", "--rm", "--read-only", "-v", "g1:/data", "-v", &bind, "--tmpfs", "/t", "vol", "sh", "-c"];
    let script = "touch /x; touch /data/x /b/x /t/x && grep -c ' /t ' /proc/mounts";
    let output = daemon.run(Cli::Sampan, &[&words[..], &[script]].concat());
    assert_eq!((output.code, output.text().as_str()), (0, "1"), "{output:?}");
    assert!(missing.join("x").exists() && content(&daemon, "g1").join("x").exists());
    // A mount at a place below another, given first.
    let [outer, inner] = ["outer", "inner"].map(|name| daemon.scratch().join(name));
    fs::create_dir(&outer).unwrap();
    let binds = [format!("{}:/o/i", inner.display()), format!("{}:/o", outer.display())];
    daemon.sampan(&["run", "--rm", "-v", &binds[0], "-v", &binds[1], "bb", "touch", "/o/i/x"]);
    assert!(inner.join("x").exists());
    daemon.nothing_is_left();
}
