//! A network name space of a test's own, so that no test touches the host's links and firewall.

use crate::process::eventually;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

/// The link to the outside, where there is one.
pub(crate) const OUT: &str = "out0";

/// A network name space with `lo` up. It goes away with this value and the last process in it.
pub struct Network {
    holder: Child,
    /// What carries its packets to the outside, if it has a way there.
    carrier: Option<Child>,
}

impl Network {
    /// Makes one.
    pub fn new() -> Self {
        let script = "ip link set lo up && echo ready && exec sleep infinity";
        let mut holder = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", "unshare", "--net", "--", "sh", "-c", script])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("setpriv and unshare of util-linux");
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "no network name space: are the tests run as root?");
        Self { holder, carrier: None }
    }

    /// Gives it a way to the outside that needs nothing of the host's links and firewall: slirp4netns(1) speaks for it there.
    pub fn reach_out(&mut self) {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", "slirp4netns", "--configure", "--disable-host-loopback"]);
        command.arg(self.holder.id().to_string()).arg(OUT);
        let quiet = Stdio::null;
        let carrier = command.stdin(quiet()).stdout(quiet()).stderr(quiet()).spawn();
        self.carrier = Some(carrier.expect("slirp4netns: cargo xtask setup installs it"));
        eventually("there is a way out", || self.output(&["ip", "route"]).contains("default"));
    }

    /// The name space as a file.
    pub fn path(&self) -> PathBuf {
        format!("/proc/{}/ns/net", self.holder.id()).into()
    }

    /// A command that runs in it.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.path().display())).arg("--").arg(program);
        command
    }

    /// Runs a command in it and returns its output.
    pub fn output(&self, words: &[&str]) -> String {
        let done = self.command(words[0]).args(&words[1..]).output().expect("nsenter");
        let complaint = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{words:?}: {complaint}");
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    /// Runs a function on a thread in it: its sockets are opened there.
    pub fn inside<T: Send>(&self, f: impl FnOnce() -> T + Send) -> T {
        in_network(&self.path(), f)
    }
}

/// Runs a function on a thread in the network name space of this file.
pub(crate) fn in_network<T: Send>(path: &Path, f: impl FnOnce() -> T + Send) -> T {
    let namespace = File::open(path).unwrap();
    let enter = move || {
        let kind = rustix::thread::LinkNameSpaceType::Network;
        rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(kind)).unwrap();
        f()
    };
    thread::scope(|scope| scope.spawn(enter).join().unwrap())
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Some(carrier) = &mut self.carrier {
            drop(carrier.kill().and_then(|()| carrier.wait()));
        }
        drop(self.holder.kill().and_then(|()| self.holder.wait()));
    }
}
