//! A client that goes on while the test does something else.

use crate::client::{Output, code};
use crate::process::{PATIENCE, soon, within};
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A running client. It is killed with this value.
pub struct Session {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Collected,
    stderr: Collected,
}

/// What one of its streams has brought so far.
struct Collected {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Session {
    /// Starts a command.
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let stdout = Collected::of(child.stdout.take().unwrap());
        let stderr = Collected::of(child.stderr.take().unwrap());
        Self { stdin: child.stdin.take(), stdout, stderr, child }
    }

    /// Writes to its standard input.
    #[track_caller]
    pub fn write(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("its input is closed");
        if let Err(error) = stdin.write_all(bytes) {
            panic!("cannot write to the client: {error}: {}", self.shown());
        }
    }

    /// Writes all this to its standard input and ends that, while the test goes on. A client need not read it.
    pub fn feed(&mut self, bytes: Vec<u8>) {
        let mut stdin = self.stdin.take().expect("its input is closed");
        thread::spawn(move || drop(stdin.write_all(&bytes)));
    }

    /// Ends its standard input.
    pub fn close_input(&mut self) {
        self.stdin = None;
    }

    /// What it has printed so far.
    pub fn printed(&self) -> Vec<u8> {
        self.stdout.bytes.lock().unwrap().clone()
    }

    /// Waits until it has printed this many bytes in all.
    #[track_caller]
    pub fn wait_for_bytes(&self, count: usize) {
        let enough = || self.stdout.bytes.lock().unwrap().len() >= count;
        assert!(soon(enough), "{count} bytes were to come: {}", self.shown());
    }

    /// Waits until it has printed this.
    #[track_caller]
    pub fn wait_for_text(&self, text: &str) {
        let there = || String::from_utf8_lossy(&self.stdout.bytes.lock().unwrap()).contains(text);
        assert!(soon(there), "{text:?} was to come: {}", self.shown());
    }

    /// Ends its input, waits for its end, and returns what came of it.
    #[track_caller]
    pub fn finish(self) -> Output {
        self.finish_within(PATIENCE)
    }

    /// The same of one that takes longer.
    #[track_caller]
    pub fn finish_within(mut self, limit: Duration) -> Output {
        self.close_input();
        let mut ended = None;
        let done = within(limit, || {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        });
        assert!(done, "the client does not end: {}", self.shown());
        let stdout = self.stdout.all();
        let stderr = String::from_utf8_lossy(&self.stderr.all()).into_owned();
        Output { code: ended.map_or(-1, code), stdout, stderr }
    }

    fn shown(&self) -> String {
        let (out, err) = (self.printed(), self.stderr.bytes.lock().unwrap().clone());
        let start = String::from_utf8_lossy(&out[..out.len().min(200)]).into_owned();
        format!("{} bytes on stdout: {start:?}..., stderr: {:?}", out.len(), String::from_utf8_lossy(&err))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.child.kill().and_then(|()| self.child.wait()));
    }
}

impl Collected {
    fn of(mut stream: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&bytes);
        let reader = thread::spawn(move || {
            let mut piece = vec![0; 1 << 16];
            while let Ok(count @ 1..) = stream.read(&mut piece) {
                shared.lock().unwrap().extend_from_slice(&piece[..count]);
            }
        });
        Self { bytes, reader: Some(reader) }
    }

    /// Everything up to the stream's end.
    fn all(&mut self) -> Vec<u8> {
        if let Some(reader) = self.reader.take() {
            drop(reader.join());
        }
        self.bytes.lock().unwrap().clone()
    }
}
