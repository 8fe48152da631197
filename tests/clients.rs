//! Other people's clients, each used as its users do.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use sampan_testkit::{Cli, Daemon, Output, Session, eventually, programs, root_file_system, tools, within};
use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// An interpreter takes its time on a busy machine.
const LIMIT: Duration = Duration::from_secs(180);

#[test]
fn docker_py() {
    let daemon = Daemon::start(programs!());
    let root = daemon.scratch().join("root.tar");
    fs::write(&root, root_file_system()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/docker_py.py");
    let mut command = Command::new(tools!().join("python/bin/python"));
    command.arg(script).arg(&root).env("DOCKER_HOST", daemon.host());
    let output = Session::start(command).finish_within(LIMIT);
    assert_eq!(output.code, 0, "{output:?}");
    daemon.nothing_is_left();
}

/// A project of docker-compose 1, which knows the Engine API alone.
struct Project<'d> {
    daemon: &'d Daemon,
    folder: PathBuf,
}

impl<'d> Project<'d> {
    fn new(daemon: &'d Daemon) -> Self {
        let folder = daemon.scratch().join("shop");
        fs::create_dir_all(folder.join("page")).unwrap();
        fs::write(folder.join("page/index"), "a page of the host's\n").unwrap();
        fs::write(folder.join("docker-compose.yml"), include_str!("clients/shop.yml")).unwrap();
        Self { daemon, folder }
    }

    /// It says that it speaks 1.44: as to Docker since 25, without that it fails to create a container again.
    #[track_caller]
    fn compose(&self, line: &str) -> Output {
        let mut command = Command::new("docker-compose");
        command.args(["--no-ansi"]).args(line.split(' ')).current_dir(&self.folder);
        command.env("DOCKER_HOST", self.daemon.host()).env("DOCKER_CONFIG", self.daemon.scratch());
        command.env("COMPOSE_API_VERSION", "1.44");
        let output = Session::start(command).finish_within(LIMIT);
        assert_eq!(output.code, 0, "{line}: {output:?}");
        output
    }

    /// The names of containers that run.
    fn running(&self) -> Vec<String> {
        let listed = self.daemon.sampan(&["ps", "--format", "{{.Names}}"]);
        let mut names: Vec<String> = listed.lines().map(str::to_owned).collect();
        names.sort();
        names
    }
}

/// What the shop answers on its published port.
fn greeting(daemon: &Daemon) -> String {
    let read = || {
        let mut answer = String::new();
        TcpStream::connect("127.0.0.1:18080")?.read_to_string(&mut answer).map(|_| answer)
    };
    daemon.network().inside(|| read().unwrap_or_else(|error: std::io::Error| error.to_string()))
}

#[test]
fn docker_compose() {
    let daemon = Daemon::start(programs!());
    daemon.import_busybox();
    let project = Project::new(&daemon);
    let run = project.compose("run --rm --no-deps web echo once");
    assert_eq!(run.text(), "once");
    project.compose("up -d");
    assert_eq!(project.running(), ["shop_stock_1", "shop_web_1"]);
    let greets = || greeting(&daemon) == "hello from the shop\n";
    assert!(within(LIMIT, greets), "{}", greeting(&daemon));
    let listed = project.compose("ps").text();
    assert!(listed.contains("127.0.0.1:18080->80/tcp") && listed.contains("->91/udp"), "{listed}");
    eventually("the log is there", || project.compose("logs").text().contains("stock is ready"));
    assert_eq!(
        project.compose("exec -T web cat /stock/ready /page/index").text(),
        "stock is ready\na page of the host's"
    );
    assert_eq!(project.compose("port web 80").text(), "127.0.0.1:18080");
    assert!(project.compose("top web").text().contains("nc -ll"));

    project.compose("stop -t 5 web");
    assert_eq!(project.running(), ["shop_stock_1"]);
    project.compose("start web");
    project.compose("restart -t 5");
    assert!(within(LIMIT, greets), "{}", greeting(&daemon));
    project.compose("pause");
    project.compose("unpause");
    // This ends with the container.
    daemon.run(Cli::Sampan, &["exec", "shop_web_1", "kill", "-TERM", "1"]);
    eventually("its policy restarts it", || {
        daemon.sampan(&["inspect", "-f", "{{.RestartCount}} {{.State.Running}}", "shop_web_1"]) == "1 true"
    });
    project.compose("up -d --scale stock=2");
    assert_eq!(project.running(), ["shop_stock_1", "shop_stock_2", "shop_web_1"]);
    let before = daemon.sampan(&["inspect", "-f", "{{.Id}}", "shop_web_1"]);
    project.compose("up -d");
    assert_eq!(project.running(), ["shop_stock_1", "shop_web_1"]);
    assert_eq!(daemon.sampan(&["inspect", "-f", "{{.Id}}", "shop_web_1"]), before, "nothing has changed");
    project.compose("up -d --force-recreate");
    assert_ne!(daemon.sampan(&["inspect", "-f", "{{.Id}}", "shop_web_1"]), before);

    project.compose("down -v");
    assert_eq!(daemon.sampan(&["ps", "-aq"]), "");
    // The one without a name went on to the container that was made again, which had it by its name.
    let volumes = daemon.sampan(&["volume", "ls", "-q"]);
    assert!(!volumes.contains("shop_stock") && volumes.lines().count() == 1, "{volumes}");
    daemon.nothing_is_left();
}
