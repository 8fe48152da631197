//! `cp` in both directions, by both command lines, of containers that run and that do not.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use sampan_testkit::{Cli, Daemon, Output, Session, eventually, programs, root_file_system};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

const BOTH: [Cli; 2] = [Cli::Sampan, Cli::Docker];

/// A daemon with a container `c1`, and a folder of files to copy.
struct Desk {
    daemon: Daemon,
    folder: PathBuf,
}

impl Desk {
    fn new(runs: bool) -> Self {
        let daemon = Daemon::start(programs!());
        daemon.import_busybox();
        let volume = daemon.scratch().join("volume");
        fs::create_dir(&volume).unwrap();
        let volume = format!("{}:/volume", volume.display());
        let make = "mkdir -p /a/b /a/e; echo 1 >/a/f; ln /a/f /a/b/hard; ln -s ../f /a/b/sym; ln -s /a /la; ln -s /nope /dang; mkfifo /a/p; chown 5:6 /a/f; chmod 4755 /a/f";
        let rest = if runs { "; touch /ready; sleep 1000" } else { "" };
        daemon.sampan(&[
            "run",
            "-d",
            "--name",
            "c1",
            "-v",
            &volume,
            "bb",
            "sh",
            "-c",
            &format!("{make}{rest}"),
        ]);
        if runs {
            eventually("it is ready", || {
                daemon.run(Cli::Sampan, &["exec", "c1", "test", "-e", "/ready"]).code == 0
            });
        } else {
            daemon.sampan(&["wait", "c1"]);
        }
        let folder = daemon.scratch().join("desk");
        Self { daemon, folder }
    }

    /// Makes the files anew.
    fn tidy(&self) {
        drop(fs::remove_dir_all(&self.folder));
        fs::create_dir_all(self.folder.join("d/sub")).unwrap();
        fs::write(self.folder.join("d/f"), "hi").unwrap();
        fs::write(self.folder.join("d/sub/g"), "two").unwrap();
        fs::write(self.folder.join("one"), "file").unwrap();
        symlink("one", self.folder.join("ln")).unwrap();
        std::os::unix::fs::chown(self.folder.join("d/f"), Some(7), Some(8)).unwrap();
        fs::set_permissions(self.folder.join("d/sub"), fs::Permissions::from_mode(0o751)).unwrap();
    }

    /// `cp` with these arguments, in the folder.
    fn copy(&self, cli: Cli, arguments: &str) -> Output {
        self.copy_with(cli, arguments, b"")
    }

    fn copy_with(&self, cli: Cli, arguments: &str, input: &[u8]) -> Output {
        let words: Vec<&str> = std::iter::once("cp").chain(arguments.split(' ')).collect();
        let mut command = self.daemon.client(cli, &words);
        command.current_dir(&self.folder);
        Output::of(command, input)
    }

    /// What a shell says about local files.
    fn local(&self, script: &str) -> String {
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(&self.folder);
        Output::of(command, b"").text()
    }
}

/// What is left when what differs from run to run is taken out: a client's own log lines, and the program's name.
fn plain(output: &Output) -> (i32, String, String) {
    let lines = output.stderr.lines().filter(|line| !line.starts_with("time="));
    (output.code, output.text(), lines.collect::<Vec<_>>().join("\n").replace("docker", "sampan"))
}

#[test]
fn copies_out_are_equal() {
    for runs in [true, false] {
        let desk = Desk::new(runs);
        let outcome = |cli| {
            desk.tidy();
            let lines = [
                "c1:/a out",
                "c1:/a/. out2",
                "c1:/a out",
                "c1:/a/f f1",
                "c1:/a/f nodir/",
                "c1:/a one",
                "c1:/la la",
                "-L c1:/la laL",
                "c1:/la/ la2",
                "c1:/dang dang",
                "c1:/tmp/nope .",
                "c1:/a/f one",
                "c1:/a/f missing/x",
                "c1:/la .",
                "-L c1:/a/b/sym symL",
                "c1:etc/passwd .",
                "c1:/a/b/../f up",
                "nobody:/x .",
                "c1:/a c1:/b",
                "one two",
                "c1: .",
                "c1:/a/f/ x",
                "c1:/etc/hostname .",
                "-q c1:/a/f quiet",
            ];
            let all: Vec<_> = lines.iter().map(|line| (*line, plain(&desk.copy(cli, line)))).collect();
            (
                all,
                desk.local(
                    "rm -f hostname; find . ! -name hostname -printf '%p %y %m %U:%G %s %l\\n' | sort",
                ),
            )
        };
        let (ours, dockers) = (outcome(Cli::Sampan), outcome(Cli::Docker));
        for (our, dockers) in ours.0.iter().zip(&dockers.0) {
            assert_eq!(our, dockers);
        }
        assert_eq!(ours.1, dockers.1);
        assert!(ours.1.contains("./out/a/f f 4755 0:0 2"), "{}", ours.1);
        desk.daemon.sampan(&["rm", "-f", "c1"]);
        desk.daemon.nothing_is_left();
    }
}

#[test]
fn copies_in_are_equal() {
    let made = |cli: Cli| {
        let desk = Desk::new(true);
        desk.tidy();
        let lines = [
            "one c1:/tmp/",
            "one c1:/tmp/renamed",
            "d c1:/tmp/",
            "d c1:/tmp/newd",
            "d/. c1:/tmp/dot",
            "one c1:/nope/x",
            "one c1:/nope2/",
            "nofile c1:/tmp/",
            "d c1:/tmp/renamed",
            "ln c1:/tmp/",
            "-L ln c1:/tmp/lnL",
            "-a d c1:/tmp/arch",
            "- c1:/tmp/renamed",
            "- c1:/tmp/missing",
            "one c1:/la/",
            "one c1:/la",
            "one c1:/dang",
            "one nobody:/x",
            "d c1:/volume",
            "one c1:/tmp/d",
            "d/sub/.. c1:/tmp/parent",
        ];
        let all: Vec<_> = lines
            .iter()
            .map(|line| {
                let (code, out, err) = plain(&desk.copy(cli, line));
                (*line, code, out, err.replace(&*desk.folder.to_string_lossy(), "DESK"))
            })
            .collect();
        let list = "find /tmp /a /nope /volume ! -path '*/.*' -exec ls -lnd {} + | awk '{print $1,$3,$4,$5,$9,$10,$11}' | sort";
        let list = desk.daemon.sampan(&["exec", "c1", "sh", "-c", &list.replace(",$5", "")]);
        desk.daemon.sampan(&["rm", "-f", "c1"]);
        desk.daemon.nothing_is_left();
        (all, list)
    };
    let (ours, dockers) = (made(Cli::Sampan), made(Cli::Docker));
    for (our, dockers) in ours.0.iter().zip(&dockers.0) {
        assert_eq!(our, dockers);
    }
    assert_eq!(ours.1, dockers.1);
    for line in [
        "-rw-r--r-- 7 8 /tmp/d/f",
        "drwxr-x--x 0 0 /tmp/newd/sub",
        "lrwxrwxrwx 0 0 /tmp/ln -> one",
        "-rw-r--r-- 0 0 /volume/d/sub/g",
    ] {
        assert!(ours.1.lines().any(|own| own.trim_end() == line), "{line}\n{}", ours.1);
    }
}

#[test]
fn archives_go_through_standard_streams() {
    let desk = Desk::new(true);
    desk.tidy();
    for cli in BOTH {
        let tar = desk.copy(cli, "c1:/a -");
        assert_eq!(tar.code, 0);
        let back = desk.copy_with(cli, "- c1:/volume", &tar.stdout);
        assert_eq!(back.code, 0, "{back:?}");
        assert_eq!(desk.daemon.sampan(&["exec", "c1", "cat", "/volume/a/b/hard"]), "1");
        desk.daemon.sampan(&["exec", "c1", "rm", "-r", "/volume/a"]);
    }
    let whole = desk.copy_with(Cli::Docker, "- c1:/volume", &root_file_system());
    assert_eq!(whole.code, 0, "{whole:?}");
    assert!(desk.daemon.sampan(&["exec", "c1", "ls", "/volume"]).contains("etc"));
    desk.daemon.sampan(&["rm", "-f", "c1"]);
    desk.daemon.nothing_is_left();
}

#[test]
fn what_is_copied_into_one_that_does_not_run_is_there_when_it_does() {
    let daemon = Daemon::start(programs!());
    daemon.import_busybox();
    let file = daemon.scratch().join("file");
    fs::write(&file, "put").unwrap();
    for (name, options) in [("kept", &[][..]), ("passing", &["--rm"])] {
        daemon.sampan(&[&["create", "--name", name], options, &["bb", "cat", "/new"]].concat());
        daemon.sampan(&["cp", file.to_str().unwrap(), &format!("{name}:/new")]);
        let back = daemon.scratch().join(name);
        daemon.sampan(&["cp", &format!("{name}:/new"), back.to_str().unwrap()]);
        assert_eq!(fs::read_to_string(back).unwrap(), "put");
        assert_eq!(daemon.sampan(&["start", "-a", name]), "put");
    }
    assert_eq!(daemon.sampan(&["diff", "kept"]), "A /new");
    daemon.sampan(&["create", "--name", "closed", "--read-only", "bb", "true"]);
    let refused = daemon.run(Cli::Docker, &["cp", file.to_str().unwrap(), "closed:/new"]);
    assert!(
        refused.code == 1 && refused.stderr.contains("container rootfs is marked read-only"),
        "{refused:?}"
    );
    daemon.sampan(&["rm", "kept", "closed"]);
    daemon.nothing_is_left();
}

/// A pipe's reader that takes its time.
fn slow_copy(daemon: &Daemon, name: &str) -> Session {
    let mut command = daemon.client(Cli::Sampan, &["cp", &format!("{name}:/big"), "-"]);
    let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
    let program = command.get_program().to_string_lossy().into_owned();
    command = Command::new("sh");
    command.args([
        "-c",
        "\"$@\" | { head -c 1000 >/dev/null; echo begun; read x; cat >/dev/null; }",
        "sh",
        &program,
    ]);
    Session::start({
        command.args(words);
        command
    })
}

#[test]
fn a_start_waits_for_the_end_of_a_copy() {
    let daemon = Daemon::start(programs!());
    daemon.import_busybox();
    daemon.sampan(&["run", "--name", "c1", "bb", "sh", "-c", "head -c 30000000 /dev/zero >/big"]);
    let mut copy = slow_copy(&daemon, "c1");
    copy.wait_for_text("begun");
    let start = Session::start(daemon.client(Cli::Sampan, &["start", "c1"]));
    // Another copy shares the files meanwhile.
    daemon.sampan(&["cp", "c1:/etc/passwd", daemon.scratch().join("passwd").to_str().unwrap()]);
    assert_eq!(daemon.sampan(&["ps", "-q"]), "");
    copy.write(b"go\n");
    assert_eq!(copy.finish().code, 0);
    assert_eq!(start.finish().ok(), "c1");
    daemon.sampan(&["wait", "c1"]);
    daemon.sampan(&["rm", "c1"]);
    daemon.nothing_is_left();
}

#[test]
fn hostile_links_stay_in_the_container() {
    let daemon = Daemon::start(programs!());
    daemon.import_busybox();
    let secret = daemon.scratch().join("secret");
    fs::write(&secret, "safe").unwrap();
    let script = format!(
        "ln -s {0} /abs; ln -s ../../../../../../../..{0} /rel; ln -s /proc/1/root /magic; mkdir /x; ln -s /../../.. /x/up; touch /ready; sleep 1000",
        secret.display()
    );
    daemon.sampan(&["run", "-d", "--name", "c1", "bb", "sh", "-c", &script]);
    eventually("it is ready", || daemon.run(Cli::Sampan, &["exec", "c1", "test", "-e", "/ready"]).code == 0);
    let out = |path: &str| {
        let to = daemon.scratch().join("out");
        drop(fs::remove_dir_all(&to));
        fs::create_dir(&to).unwrap();
        let output = daemon.run(Cli::Docker, &["cp", "-L", &format!("c1:{path}"), to.to_str().unwrap()]);
        (output.code, Path::new(&to).join("abs").exists() || Path::new(&to).join("rel").exists())
    };
    assert_eq!(out("/abs"), (1, false));
    assert_eq!(out("/rel"), (1, false));
    let from = daemon.scratch().join("from");
    fs::write(&from, "evil").unwrap();
    for path in ["/abs", "/rel", "/x/up/put"] {
        daemon.run(Cli::Sampan, &["cp", from.to_str().unwrap(), &format!("c1:{path}")]);
        assert_eq!(fs::read_to_string(&secret).unwrap(), "safe", "{path}");
    }
    assert!(!Path::new("/put").exists());
    assert_eq!(daemon.sampan(&["exec", "c1", "cat", "/put"]), "evil");
    daemon.sampan(&["rm", "-f", "c1"]);
    daemon.nothing_is_left();
}
