//! Debian's own registry, docker-registry(1), to see that a real one is understood.

use crate::{Daemon, Session, eventually};
use std::fs;
use std::net::TcpStream;

/// Where it listens, in the network of the daemon.
pub const DEBIANS: &str = "127.0.0.1:5000";

/// Starts it in a daemon's network and waits until it answers. It ends with the value.
pub fn debians(daemon: &Daemon) -> Session {
    let folder = daemon.scratch().join("registry");
    fs::create_dir(&folder).unwrap();
    let config = format!(
        "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: {DEBIANS}}}\nlog: {{level: error}}\n",
        folder.display()
    );
    fs::write(folder.join("config.yml"), config).unwrap();
    let mut command = daemon.network().command("docker-registry");
    command.arg("serve").arg(folder.join("config.yml"));
    let session = Session::start(command);
    eventually("the registry answers", || daemon.network().inside(|| TcpStream::connect(DEBIANS).is_ok()));
    session
}
