//! The daemon is killed ten times while clients are busy: every byte arrives once, every exit code is right, and each new
//! daemon knows all that happened before it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use sampan_testkit::{Cli, Daemon, Session, eventually, programs};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

const KILLS: usize = 10;
/// What is sent in each direction, before and after each kill.
const PIECE: usize = 200_000;
/// A monitor's sockets without its clients': the one it listens on, and the daemon's connection.
const OWN_SOCKETS: usize = 2;

/// Bytes that differ from piece to piece, so that a lost or doubled one shows.
fn piece(number: usize) -> Vec<u8> {
    let mut state = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // Marsaglia's xorshift.
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        Some(state)
    };
    std::iter::from_fn(next).flat_map(u64::to_le_bytes).take(PIECE).collect()
}

/// A client whose container sends back what it gets.
struct Echo {
    session: Session,
    sent: Vec<u8>,
}

impl Echo {
    fn start(daemon: &Daemon, cli: Cli, arguments: &[&str]) -> Self {
        Self { session: Session::start(daemon.client(cli, arguments)), sent: Vec::new() }
    }

    /// Sends a piece and waits until it has come back.
    fn round(&mut self, number: usize) {
        let piece = piece(number);
        self.session.write(&piece);
        self.sent.extend(piece);
        self.session.wait_for_bytes(self.sent.len());
    }

    fn finish(self, code: i32) {
        let output = self.session.finish();
        assert_eq!(output.code, code, "{}", output.stderr);
        assert!(output.stdout == self.sent, "{} bytes of {}", output.stdout.len(), self.sent.len());
    }
}

#[test]
fn busy_clients_do_not_notice_ten_kills() {
    let mut daemon = Daemon::start(programs!());
    daemon.import_busybox();
    let scratch = daemon.scratch().display().to_string();
    let bind = format!("{scratch}:/scratch");
    let counting = "i=0; while read x && test $x = more; do i=$((i+1)); echo line $i; done; exit 5";
    daemon.sampan(&[
        "run", "-d", "--name", "busy", "-p", "18080:80", "-v", &bind, "bb", "nc", "-ll", "-p", "80", "-e",
        "cat",
    ]);
    let counter = daemon.sampan(&["run", "-d", "-i", "--name", "counter", "bb", "sh", "-c", counting]);
    let mut echoes: Vec<Echo> = [Cli::Sampan, Cli::Docker]
        .into_iter()
        .flat_map(|cli| {
            [
                Echo::start(&daemon, cli, &["exec", "-i", "busy", "sh", "-c", "cat; exit 3"]),
                Echo::start(&daemon, cli, &["run", "--rm", "-i", "bb", "sh", "-c", "cat; exit 7"]),
            ]
        })
        .collect();
    let waits =
        [Cli::Sampan, Cli::Docker].map(|cli| Session::start(daemon.client(cli, &["wait", "counter"])));
    let logs =
        [Cli::Sampan, Cli::Docker].map(|cli| Session::start(daemon.client(cli, &["logs", "-f", "counter"])));
    let mut attached = Session::start(daemon.client(Cli::Sampan, &["attach", "counter"]));
    let mut port = connect(&daemon);
    // `attach` waits on a connection of its own.
    eventually("all clients were handed over", || daemon.sockets_of(&counter) == OWN_SOCKETS + 6);

    for kill in 0..KILLS {
        echoes.iter_mut().for_each(|echo| echo.round(2 * kill));
        attached.write(b"more\n");
        logs.iter().for_each(|log| log.wait_for_text(&format!("line {}\n", kill + 1)));
        daemon.kill9();
        // Nobody is there now, and all goes on.
        echoes.iter_mut().for_each(|echo| echo.round(2 * kill + 1));
        talk(&mut port, kill);
        daemon.start_again();
        let running = daemon.sampan(&["ps"]);
        assert!(running.contains("busy") && running.contains("counter"), "{running}");
        talk(&mut connect(&daemon), kill);
    }

    echoes.drain(..).zip([3, 7, 3, 7]).for_each(|(echo, code)| echo.finish(code));
    let lines: String = (1..=KILLS).map(|i| format!("line {i}\n")).collect();
    attached.write(b"end\n");
    assert_eq!(attached.finish().code, 5);
    waits.into_iter().for_each(|wait| assert_eq!(wait.finish().ok(), "5"));
    logs.into_iter().for_each(|log| assert_eq!(log.finish().ok(), lines.trim_end()));
    daemon.sampan(&["rm", "-f", "busy", "counter"]);
    daemon.nothing_is_left();
}

#[test]
fn what_ended_without_a_daemon_is_known() {
    let mut daemon = Daemon::start(programs!());
    daemon.import_busybox();
    let bind = format!("{}:/scratch", daemon.scratch().display());
    let script = "until test -e /scratch/go; do sleep 0.02; done; echo went; exit 9";
    let run = |options: &[&str]| {
        daemon.sampan(&[&["run", "-d", "-v", &bind], options, &["bb", "sh", "-c", script]].concat())
    };
    let kept = run(&["--name", "kept"]);
    let removed = run(&["--name", "removed", "--rm"]);
    let waiting = Session::start(daemon.client(Cli::Docker, &["wait", "removed"]));
    eventually("the client waits", || daemon.sockets_of(&removed) == OWN_SOCKETS + 1);
    daemon.kill9();
    fs::write(daemon.scratch().join("go"), "").unwrap();
    let journal = daemon.data_root().join("containers").join(&kept).join("journal");
    eventually("the container has ended", || {
        fs::read_to_string(&journal).unwrap().contains("\"event\":\"exited\"")
    });
    daemon.start_again();
    let listed = daemon.sampan(&["ps", "-a"]);
    assert!(listed.contains("Exited (9)") && !listed.contains("removed"), "{listed}\n{removed}");
    assert_eq!(daemon.sampan(&["wait", "kept"]), "9");
    assert_eq!(daemon.sampan(&["logs", "kept"]), "went");
    assert_eq!(waiting.finish().ok(), "9");
    daemon.sampan(&["rm", "kept"]);
    daemon.nothing_is_left();
}

fn connect(daemon: &Daemon) -> TcpStream {
    let mut stream = None;
    eventually("the published port answers", || {
        stream = daemon.network().inside(|| TcpStream::connect(("10.213.0.1", 18080)).ok());
        stream.is_some()
    });
    stream.unwrap()
}

fn talk(stream: &mut TcpStream, number: usize) {
    let (sent, mut got) = (piece(number), vec![0; PIECE]);
    let mut writer = stream.try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| writer.write_all(&sent).unwrap());
        stream.read_exact(&mut got).unwrap();
    });
    assert!(sent == got);
}
