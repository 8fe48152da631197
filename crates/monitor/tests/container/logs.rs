//! The log, as clients follow it.

use crate::Test;
use crate::bed::{Bed, Plan, demultiplex};
use crate::daemon::{MULTIPLEXED, Peer, RAW};
use sampan_spec::bundle::{Log, LogFormat, Restart, Stdin};
use sampan_spec::monitor::{LogQuery, Refusal, Request};
use sampan_spec::stream::Stream;

pub(crate) const TESTS: &[Test] = &[
    ("a_log_is_followed_to_the_end", a_log_is_followed_to_the_end),
    ("following_ends_with_each_run", following_ends_with_each_run),
    ("an_attached_client_sees_what_was", an_attached_client_sees_what_was),
    ("a_container_without_a_log", a_container_without_a_log),
    ("older_files_are_compressed_under_a_reader", older_files_are_compressed_under_a_reader),
];

fn query(tail: Option<u64>) -> LogQuery {
    LogQuery {
        stdout: true,
        stderr: true,
        since: None,
        until: None,
        tail,
        timestamps: false,
        details: false,
        follow: true,
    }
}

fn follow(bed: &mut Bed, tail: Option<u64>) -> Result<Peer, Refusal> {
    bed.daemon.hand(MULTIPLEXED, b"", |client| Request::Logs { client, query: query(tail) })
}

fn a_log_is_followed_to_the_end() {
    let script = "echo 1; echo 2; echo 3; read x; yes 12345678 | head -n 100000; echo -n end";
    let mut bed = Plan::sh(script).stdin(Stdin::Open).launch();
    bed.start();
    let mut all = follow(&mut bed, None).unwrap();
    all.read_until("3\n");
    let mut last = follow(&mut bed, Some(1)).unwrap();
    last.read_until("3\n");
    let mut attached = bed.attach(RAW, b"\n", b"");
    let reader = std::thread::spawn(move || attached.read_all().len());
    let mut rest = Vec::new();
    std::io::Read::read_to_end(&mut last.0, &mut rest).unwrap();
    let text = String::from_utf8(demultiplex(&rest).0).unwrap();
    assert_eq!(text, "12345678\n".repeat(100_000) + "end");
    assert_eq!(bed.daemon.until_exit(), 0);
    reader.join().unwrap();
    drop((all, last));
    bed.quit();
}

fn following_ends_with_each_run() {
    let mut bed = Plan::sh("echo run; read x; exit 1")
        .stdin(Stdin::Open)
        .restart(Restart::OnFailure { max_retries: 1 })
        .launch();
    bed.start();
    let mut first = follow(&mut bed, None).unwrap();
    first.read_until("run\n");
    drop(bed.attach(RAW, b"\n", b""));
    let mut rest = Vec::new();
    std::io::Read::read_to_end(&mut first.0, &mut rest).unwrap();
    bed.daemon.until(|event| matches!(event, sampan_spec::journal::Event::Restarting { .. }));
    drop(first);
    bed.daemon.call(Request::Stop { signal: None, timeout: Some(0) }).unwrap();
    bed.daemon.until_exit();
    bed.quit();
}

fn an_attached_client_sees_what_was() {
    let mut bed = Plan::sh("echo was; echo -n half; read x; echo and whole").stdin(Stdin::Open).launch();
    let mut before = bed.attach(RAW, b"", b"");
    bed.start();
    before.read_until("half");
    let streams = vec![Stream::Stdout, Stream::Stdin];
    let attach = |follow| {
        let streams = streams.clone();
        move |client| Request::Attach { client, streams, logs: true, follow, detach_keys: vec![] }
    };
    assert_eq!(bed.daemon.hand(RAW, b"", attach(false)).unwrap().text(), "was\n");
    let mut peer = bed.daemon.hand(RAW, b"", attach(true)).unwrap();
    peer.read_until("was\nhalf");
    peer.write(b"\n");
    peer.read_until("and whole\n");
    assert_eq!(bed.daemon.until_exit(), 0);
    drop((before, peer));
    bed.quit();
}

fn a_container_without_a_log() {
    let mut plan = Plan::sh("exit 0");
    plan.supervise.log = None;
    let mut bed = plan.launch();
    bed.start();
    assert!(matches!(follow(&mut bed, None), Err(Refusal::BadRequest { .. })));
    bed.daemon.until_exit();
    bed.quit();
}

/// Each of the formats; the follower begins before the first rotation and is there for all of them.
fn older_files_are_compressed_under_a_reader() {
    for format in [LogFormat::JsonFile, LogFormat::Local] {
        let script = "echo first; read x; i=0; while [ $i -lt 40 ]; do yes $i-7890 | head -n 500; i=$((i+1)); sleep 0.01; done; read y";
        let mut plan = Plan::sh(script).stdin(Stdin::Open);
        let log = plan.supervise.log.take().unwrap();
        let path = log.path.clone();
        let (max_size, max_files) = (Some(100_000), 50);
        plan.supervise.log = Some(Log { format, max_size, max_files, compress: true, ..log });
        let mut bed = plan.launch();
        bed.start();
        let mut reader = follow(&mut bed, None).unwrap();
        reader.read_until("first\n");
        let mut attached = bed.attach(RAW, b"\n", b"");
        attached.read_until("39-7890\n");
        let packed = |number: u32| path.with_extension(format!("{number}.gz")).exists();
        while !(packed(1) && packed(2)) {
            std::thread::yield_now();
        }
        attached.write(b"\n");
        let mut rest = Vec::new();
        std::io::Read::read_to_end(&mut reader.0, &mut rest).unwrap();
        let want: String = (0..40).map(|i| format!("{i}-7890\n").repeat(500)).collect();
        let got = String::from_utf8(demultiplex(&rest).0).unwrap();
        let differs = got.lines().zip(want.lines()).position(|(got, want)| got != want);
        assert_eq!((differs, got.len()), (None, want.len()), "{format:?}");
        bed.daemon.until_exit();
        drop((reader, attached));
        bed.quit();
    }
}
