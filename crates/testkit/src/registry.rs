//! A registry under test: a small server that a test fills, and that misbehaves as it is told.
//!
//! It speaks as much of the distribution protocol as a client needs to pull. A request is answered by a thread, and each
//! answer ends its connection.

mod content;
mod debian;
mod serve;

pub use content::{Image, LayerBlob, manifest_of, push};
pub use debian::{DEBIANS, debians};

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

/// A running registry. It ends with this value.
pub struct Registry {
    address: SocketAddr,
    listener: OwnedFd,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Told when [`Faults::hold`] changes.
    released: Condvar,
}

#[derive(Default)]
struct State {
    blobs: HashMap<String, Vec<u8>>,
    /// Media type and bytes, by `name/reference`.
    manifests: HashMap<String, (String, Vec<u8>)>,
    faults: Faults,
    requests: Vec<Request>,
    sent: HashMap<String, u64>,
}

/// What a client asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET`, ...
    pub method: String,
    /// With the query.
    pub path: String,
    /// Names in small letters.
    pub headers: HashMap<String, String>,
    /// As text.
    pub body: String,
}

/// How it misbehaves. Blobs are named by their digests.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Whoever does not say who he is is refused.
    pub login: Option<Login>,
    /// Other bytes of the same length are sent instead.
    pub instead: HashMap<String, Vec<u8>>,
    /// The connection breaks after so many bytes, so many times.
    pub cut: HashMap<String, (usize, u32)>,
    /// Nothing more is sent after so many bytes.
    pub hold: Option<(String, usize)>,
    /// All of a blob is sent, whatever was asked for.
    pub ignores_ranges: bool,
    /// Blobs are elsewhere: the address of another registry.
    pub redirect: Option<String>,
    /// `Docker-Content-Digest` says this.
    pub digest_header: Option<String>,
    /// Everything is answered with this status and body.
    pub broken: Option<(u16, String)>,
}

/// Whom it believes.
#[derive(Clone, Debug)]
pub struct Login {
    /// The header `WWW-Authenticate`.
    pub challenge: String,
    /// The header `Authorization` that it wants to see.
    pub wanted: String,
    /// The same for `/token`; empty: anybody gets a token. What it gives out is `t0ken`,
    /// and at a login `id3ntity` too.
    pub at_token: String,
}

impl Registry {
    /// Starts one on a free port of 127.0.0.1, in the network name space of the calling thread.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let end = OwnedFd::from(listener.try_clone().unwrap());
        let serving = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = serving.clone();
                thread::spawn(move || serve::answer(&stream, &shared));
            }
        });
        Self { address, listener: end, shared }
    }

    /// `127.0.0.1:port`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Sets how it misbehaves from now on.
    pub fn misbehave(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.state().faults);
        self.shared.released.notify_all();
    }

    /// Keeps a blob and returns its digest.
    pub fn put_blob(&self, bytes: &[u8]) -> String {
        let digest = content::digest(bytes);
        self.state().blobs.insert(digest.clone(), bytes.to_vec());
        digest
    }

    /// Keeps a manifest or index under a tag and its digest, which is returned.
    pub fn put_manifest(&self, name: &str, tag: &str, kind: &str, bytes: &[u8]) -> String {
        let digest = content::digest(bytes);
        let mut state = self.state();
        for reference in [tag, &digest] {
            state.manifests.insert(format!("{name}/{reference}"), (kind.to_owned(), bytes.to_vec()));
        }
        digest
    }

    /// Keeps an image; the digest of its manifest is returned.
    pub fn put_image(&self, name: &str, tag: &str, image: &Image) -> String {
        for blob in image.blobs() {
            self.put_blob(blob);
        }
        self.put_manifest(name, tag, content::MANIFEST, &image.manifest())
    }

    /// What was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    /// How many bytes of a blob were sent so far.
    pub fn sent(&self, digest: &str) -> u64 {
        self.state().sent.get(digest).copied().unwrap_or(0)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.misbehave(|faults| faults.hold = None);
        // The thread that accepts sees an error, and ends.
        let _ = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
    }
}
