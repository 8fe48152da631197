//! One script of all verbs, with our command line and with Docker's: what they print is equal, and is what it should be.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod script;

use sampan_testkit::{Cli, Daemon, docker_archive, programs, root_file_system};
use script::{Act, act, equal_with_both, exits, fed, same};
use std::fs;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

fn runs() -> Vec<Act> {
    vec![
        act("run --rm bb echo hello", 0, "hello"),
        act("run --rm bb sh -c 'echo out; echo err >&2; exit 3'", 3, "out"),
        act("run --rm bb nope", 127, ""),
        act("run --rm bb /nope", 127, ""),
        act("run --rm bb /etc", 126, ""),
        act("run --rm bb ''", 127, ""),
        act("run --rm --cap-add ALL bb true", 0, ""),
        act("run --rm bb /etc/passwd", 126, ""),
        act("run --rm -w /nope/nope bb pwd", 0, "/nope/nope"),
        act(
            "run --rm bb sh -c 'kill -9 $$; echo process 1 hears no signal from inside'",
            0,
            "process 1 hears no signal from inside",
        ),
        fed("run --rm -i bb cat", b"in and out", "in and out"),
        fed("run --rm bb cat", b"nobody reads this", ""),
        act("run --rm -e A=1 -e B=2 bb sh -c 'echo $A$B'", 0, "12"),
        act(
            "run --rm -w /tmp -u sailor bb sh -c 'pwd; id'",
            0,
            "/tmp\nuid=1000(sailor) gid=1000(sailor) groups=1000(sailor),1001(crew)",
        ),
        act("run --rm -u 7:8 bb id -G", 0, "8"),
        act("run --rm -u nobody-like-this bb true", 125, ""),
        act("run --rm --name UP:bad bb true", 125, ""),
        act("run --rm --network none bb sh -c 'ls /sys/class/net'", 0, "lo"),
        act(
            "run --rm bb sh -c 'echo $$; hostname | wc -c; ls /dev | grep -v core'",
            0,
            "1\n13\nfd\nfull\nmqueue\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero",
        ),
        act(
            "run --rm -m 64m --pids-limit 20 --cpus 0.5 bb sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null || cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max'",
            0,
            "67108864\n20\n50000",
        ),
        act(
            "run --rm bb grep -E 'Seccomp:|NoNewPrivs|CapEff' /proc/1/status",
            0,
            "CapEff:\t00000000a80425fb\nNoNewPrivs:\t0\nSeccomp:\t2",
        ),
        act("run --rm bb sh -c 'wc -c </proc/timer_list'", 0, "0"),
        act("run --rm bb sh -c 'echo x >/proc/sysrq-trigger'", 1, ""),
        act("run --rm loaded:1", 0, "from the archive"),
    ]
}

fn lives() -> Vec<Act> {
    vec![
        same("create --name c1 -e A=1 bb sh -c 'echo $A; echo err >&2; exit 4'"),
        same("ps -a"),
        same("inspect c1"),
        act("start -a c1", 4, "1"),
        act("logs c1", 0, "1"),
        same("logs -t c1"),
        act("logs --tail 0 c1", 0, ""),
        act("logs --since 2000-01-01T00:00:00Z --until 2001-01-01T00:00:00Z c1", 0, ""),
        same("inspect c1"),
        same("ps -a"),
        same("ps -aq --format raw"),
        same("ps -aq --format {{.Names}}"),
        act("wait c1", 0, "4"),
        act("start c1", 0, "c1"),
        act("wait c1", 0, "4"),
        act("rm c1", 0, "c1"),
        same(
            "run -d --name c2 -p 127.0.0.1:18080:80 -v /tmp:/host-tmp bb sh -c 'trap \"exit 6\" TERM; echo up; while :; do sleep 0.1; done'",
        ),
        same("ps"),
        same("inspect c2"),
        act("exec c2 echo hi", 0, "hi"),
        fed("exec -i c2 cat", b"through", "through"),
        act("exec -e X=1 -w /tmp -u 1000 c2 sh -c 'echo $X; pwd; id -u; exit 5'", 5, "1\n/tmp\n1000"),
        act(
            "exec c2 nope",
            127,
            "OCI runtime exec failed: exec failed: unable to start container process: exec: \"nope\": executable file not found in $PATH",
        ),
        act(
            "exec c2 /etc/passwd",
            126,
            "OCI runtime exec failed: exec failed: unable to start container process: exec: \"/etc/passwd\": permission denied",
        ),
        act(
            "exec -w /nope c2 pwd",
            127,
            "OCI runtime exec failed: exec failed: unable to start container process: chdir to cwd (\"/nope\") set in config.json failed: no such file or directory",
        ),
        act(
            "exec -w /etc/passwd c2 pwd",
            127,
            "OCI runtime exec failed: exec failed: unable to start container process: chdir to cwd (\"/etc/passwd\") set in config.json failed: not a directory: Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type",
        ),
        act("exec -w rel c2 pwd", 128, "OCI runtime exec failed: exec failed: Cwd must be an absolute path"),
        act("exec -d c2 true", 0, ""),
        act("rm c2", 1, ""),
        act("run -d --name c2 bb true", 125, ""),
        act("stop c2", 0, "c2"),
        act("wait c2", 0, "6"),
        act("stop c2", 0, "c2"),
        act("kill c2", 1, ""),
        act("exec c2 true", 1, ""),
        act("logs --tail 1 c2", 0, "up"),
        act("start c2", 0, "c2"),
        act("kill -s KILL c2", 0, "c2"),
        act("wait c2", 0, "137"),
        act("rm -f c2", 0, "c2"),
        same("create -i --name c3 bb cat"),
        fed("start -a -i c3", b"attached", "attached"),
        act("wait c3", 0, "0"),
        act("logs c3", 0, "attached"),
        act("rm c3", 0, "c3"),
    ]
}

/// What cannot be started says so, and stays said.
fn failures() -> Vec<Act> {
    vec![
        act("run --name f1 bb nope", 127, ""),
        act(
            "inspect -f '{{.State.Error}}|{{.State.ExitCode}}' f1",
            0,
            "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: \"nope\": executable file not found in $PATH|127",
        ),
        act("wait f1", 0, "127"),
        act("rm f1", 0, "f1"),
        exits("create --name f2 -v /etc/passwd:/bin bb true", 0),
        act("start f2", 1, ""),
        act("inspect -f '{{.State.ExitCode}}' f2", 0, "127"),
        act("rm f2", 0, "f2"),
        act("run --rm -v /etc:/bin/busybox bb true", 125, ""),
        act("run --rm -w /etc/passwd bb pwd", 125, ""),
        act("run --rm -w /etc/passwd/x bb pwd", 125, ""),
    ]
}

fn refusals() -> Vec<Act> {
    let mut acts: Vec<Act> = ["start", "stop", "kill", "wait", "rm", "logs", "inspect", "attach"]
        .iter()
        .map(|verb| act(&format!("{verb} nobody"), 1, if *verb == "inspect" { "[]" } else { "" }))
        .collect();
    acts.extend([
        act("exec nobody true", 1, ""),
        act("rmi nothing", 1, ""),
        act("run --rm -m 1m bb true", 125, ""),
        act("run --rm -w relative bb true", 125, ""),
        act("run --rm -v /tmp:relative bb true", 125, ""),
        act("rm -f nobody", 0, ""),
        same("kill -s 99 nobody"),
        same("stop -s NOPE nobody"),
        same("rmi nope"),
        act("run --rm -v /tmp:/ bb true", 125, ""),
        act("run --rm -v /tmp:/x:ro,rw bb true", 125, ""),
        act("run --rm -u 99999999999 bb true", 125, ""),
        act("run --rm --cap-add NOPE bb true", 125, ""),
        act("run --rm --log-driver nope bb true", 125, ""),
        act("ps --filter publish=80 --filter expose=80 --filter health=none -q", 0, ""),
        act("ps --filter '' -q", 0, ""),
        act("inspect ''", 1, "[]"),
        act("inspect no/body:1", 1, "[]"),
        same("start ''"),
        same("images"),
        same("images --format raw"),
        act("images --format {{", 1, ""),
        act("ps --format {{", 1, ""),
        act("inspect --format {{ bb", 64, ""),
        same("ps -a"),
    ]);
    acts
}

#[test]
fn run_is_equal() {
    equal_with_both(runs);
}

#[test]
fn a_containers_life_is_equal() {
    equal_with_both(lives);
}

#[test]
fn failures_are_equal() {
    equal_with_both(failures);
}

#[test]
fn refusals_are_equal() {
    equal_with_both(refusals);
}

#[test]
fn a_reader_that_goes_ends_a_client_in_silence() {
    let daemon = Daemon::start(programs!());
    daemon.import_busybox();
    daemon.sampan(&["run", "-d", "--name", "many", "bb", "sh", "-c", "seq 1 200000; sleep 1000"]);
    let forever = "while :; do echo y; done";
    for cli in [Cli::Sampan, Cli::Docker] {
        for words in [&["logs", "-f", "many"][..], &["exec", "many", "sh", "-c", forever]] {
            let mut command = daemon.client(cli, words);
            let mut client = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            client.stdout.take().unwrap().read_exact(&mut [0; 4]).unwrap();
            let ended = client.wait_with_output().unwrap();
            let code = ended.status.code().or_else(|| ended.status.signal().map(|signal| 128 + signal));
            assert_eq!((code, &*ended.stderr), (Some(141), &b""[..]), "{cli:?} {words:?}");
        }
    }
}

#[cfg(feature = "peers")]
#[test]
fn docker_does_the_same() {
    script::docker_does(runs().into_iter().chain(lives()).chain(failures()).chain(refusals()));
}

#[test]
fn images_come_and_go() {
    for cli in [Cli::Sampan, Cli::Docker] {
        let daemon = Daemon::start(programs!());
        let archive = docker_archive("loaded:1", &root_file_system(), &["true"]);
        let file = daemon.scratch().join("archive.tar");
        fs::write(&file, archive).unwrap();
        assert_eq!(daemon.run(cli, &["load", "-i", file.to_str().unwrap()]).ok(), "Loaded image: loaded:1");
        let id = daemon.run_with(cli, &["import", "-", "bb:2"], &root_file_system()).ok();
        assert!(id.starts_with("sha256:") && id.len() == 71, "{id}");
        let listed = daemon.run(cli, &["images"]).ok();
        for name in ["loaded", "bb", "hello"] {
            assert!(listed.lines().any(|line| line.starts_with(name)), "{listed}");
        }
        daemon.run(cli, &["create", "--name", "user", "loaded:1"]).ok();
        let refused = daemon.run(cli, &["rmi", "loaded:1"]);
        assert!(refused.code == 1 && refused.stderr.contains("conflict"), "{refused:?}");
        daemon.run(cli, &["rm", "user"]).ok();
        let removed = daemon.run(cli, &["rmi", "loaded:1"]).ok();
        assert!(removed.contains("Untagged: loaded:1") && removed.contains("Deleted: sha256:"), "{removed}");
        daemon.run(cli, &["rmi", "bb:2"]).ok();
        assert!(!daemon.run(cli, &["images"]).ok().contains("bb"));
    }
}
