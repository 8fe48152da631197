//! `sampan-runtime keep`: holds the engine's listening sockets where no systemd does, and starts the daemon again when it
//! dies, so that a client that connects in between waits instead of failing.
//!
//! ```text
//! sampan-runtime keep --listen unix:PATH[:GROUP] ... -- PROGRAM [ARGUMENT ...]
//! ```
//! The program gets the sockets as sd_listen_fds(3) describes. The keeper ends when the program ends with code 0, and
//! passes SIGTERM and SIGINT on.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal as Number, getpid};
use sampan_sys::process::{Ended, signal, spawn_detached, wait};
use sampan_sys::{signals, socket};
use std::ffi::{CString, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

/// The first inherited socket (sd_listen_fds(3)).
const FIRST_FD: i32 = 3;
/// A pause before the program is started again: doubled each time, up to the longest.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// A program that lived so long has not failed at its start: the pauses begin anew.
const SETTLED: Duration = Duration::from_secs(10);
/// Access to the socket for its owner and its group.
const SOCKET_MODE: u32 = 0o660;

/// Why the keeper cannot keep.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line is not as it should be.
    #[error("usage: sampan-runtime keep --listen unix:PATH[:GROUP] ... -- PROGRAM [ARGUMENT ...]")]
    Usage,
    /// A socket could not be made.
    #[error("cannot listen on {path}: {source}")]
    Listen {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The socket's group does not exist.
    #[error("the group {group} does not exist: make it with `groupadd {group}`")]
    Group {
        /// Its name.
        group: String,
    },
    /// The program could not be started.
    #[error("cannot start {program}: {source}")]
    Start {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// Waiting failed.
    #[error("cannot wait: {0}")]
    Wait(#[source] io::Error),
}

/// Keeps until the program ends well. `args` are those behind `keep`.
///
/// # Errors
/// See [`Error`].
pub fn keep(args: &[OsString]) -> Result<ExitCode, Error> {
    let at = args.iter().position(|arg| arg == "--").ok_or(Error::Usage)?;
    let (options, program) = (&args[..at], &args[at + 1..]);
    if program.is_empty() {
        return Err(Error::Usage);
    }
    let sockets = options.chunks(2).map(listen).collect::<Result<Vec<OwnedFd>, Error>>()?;
    let stop = signals::descriptor(&[Number::TERM.as_raw(), Number::INT.as_raw()]).map_err(Error::Wait)?;
    let mut pause = SHORTEST_PAUSE;
    loop {
        let started = Instant::now();
        let child = start(program, &sockets)?;
        let (ended, told_to_stop) = watch(&child, &stop).map_err(Error::Wait)?;
        if told_to_stop || ended == Ended::Code(0) {
            return Ok(ExitCode::SUCCESS);
        }
        pause = if started.elapsed() >= SETTLED { SHORTEST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
        if readable(&[&stop], Some(pause)).map_err(Error::Wait)?[0] {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

/// The second half of a start, in the new process: only now is the pid known that the program must find in its
/// environment. `args` are those behind `keep-exec`. Returns only if it fails.
pub fn execute(args: &[OsString]) -> Error {
    let Some((program, rest)) = args.split_first() else { return Error::Usage };
    let pid = getpid().as_raw_nonzero().to_string();
    let source = Command::new(program).args(rest).env("LISTEN_PID", pid).exec();
    Error::Start { program: program.to_string_lossy().into_owned(), source }
}

fn listen(option: &[OsString]) -> Result<OwnedFd, Error> {
    let [name, value] = option else { return Err(Error::Usage) };
    let address = value.to_str().filter(|_| name == "--listen").and_then(|v| v.strip_prefix("unix:"));
    let (path, group) = match address.ok_or(Error::Usage)?.split_once(':') {
        Some((path, group)) => (path, Some(group)),
        None => (address.unwrap_or_default(), None),
    };
    let path = Path::new(path);
    let gid = group.map(find_group).transpose()?;
    let failed = |source| Error::Listen { path: path.to_owned(), source };
    let socket = bind(path).map_err(failed)?;
    std::fs::set_permissions(path, PermissionsExt::from_mode(SOCKET_MODE)).map_err(failed)?;
    if gid.is_some() {
        chown(path, None, gid).map_err(failed)?;
    }
    Ok(socket)
}

/// Takes the place of a socket that nobody listens on any more.
fn bind(path: &Path) -> io::Result<OwnedFd> {
    match socket::bind_unix(path) {
        Err(e) if e.kind() == io::ErrorKind::AddrInUse && socket::connect_unix(path).is_err() => {
            std::fs::remove_file(path)?;
            socket::bind_unix(path)
        }
        other => other,
    }
}

/// A static program must not ask the C library: group(5) is read here.
fn find_group(group: &str) -> Result<u32, Error> {
    let text = std::fs::read_to_string("/etc/group").unwrap_or_default();
    let fields = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let found = fields.into_iter().find(|fields| fields.first() == Some(&group));
    let gid = found.and_then(|fields| fields.get(2)?.parse().ok());
    gid.ok_or_else(|| Error::Group { group: group.to_owned() })
}

fn start(program: &[OsString], sockets: &[OwnedFd]) -> Result<OwnedFd, Error> {
    let failed =
        |source: io::Error| Error::Start { program: program[0].to_string_lossy().into_owned(), source };
    let own = File::open("/proc/self/exe").map_err(failed)?;
    let words = [OsString::from("sampan-runtime"), OsString::from("keep-exec")];
    let argv = c_strings(words.into_iter().chain(program.iter().cloned())).map_err(failed)?;
    let kept = std::env::vars_os().filter(|(name, _)| name != "LISTEN_FDS" && name != "LISTEN_PID");
    let listen_fds = (OsString::from("LISTEN_FDS"), OsString::from(sockets.len().to_string()));
    let join = |(mut name, value): (OsString, OsString)| {
        name.push("=");
        name.push(value);
        name
    };
    let env = c_strings(kept.chain([listen_fds]).map(join)).map_err(failed)?;
    let copies = sockets.iter().map(OwnedFd::try_clone).collect::<io::Result<Vec<_>>>().map_err(failed)?;
    let fds: Vec<(OwnedFd, i32)> = copies.into_iter().zip(FIRST_FD..).collect();
    Ok(spawn_detached(own.as_fd(), &argv, &env, &fds, None).map_err(failed)?.1)
}

fn c_strings(words: impl Iterator<Item = OsString>) -> io::Result<Vec<CString>> {
    words.map(|word| CString::new(word.into_vec()).map_err(Into::into)).collect()
}

/// Waits for the program's end, passing signals on. The second value says whether one came.
fn watch(child: &OwnedFd, stop: &OwnedFd) -> io::Result<(Ended, bool)> {
    let mut told_to_stop = false;
    loop {
        let ready = readable(&[child, stop], None)?;
        while let Some(number) = signals::next(stop)? {
            told_to_stop = true;
            // It may have ended in this moment.
            let _ = signal(child, number);
        }
        if ready[0] {
            return Ok((wait(child)?, told_to_stop));
        }
    }
}

/// Which of the descriptors can be read; none after the time-out.
fn readable(fds: &[&OwnedFd], timeout: Option<Duration>) -> io::Result<Vec<bool>> {
    let mut polled: Vec<PollFd<'_>> = fds.iter().map(|fd| PollFd::new(*fd, PollFlags::IN)).collect();
    let timeout = timeout.and_then(|t| Timespec::try_from(t).ok());
    match poll(&mut polled, timeout.as_ref()) {
        Err(rustix::io::Errno::INTR) => {}
        other => drop(other?),
    }
    Ok(polled.iter().map(|fd| !fd.revents().is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_lines_that_are_refused() {
        let check = |words: &[&str]| keep(&words.iter().map(OsString::from).collect::<Vec<_>>());
        for words in
            [&[][..], &["--"], &["--listen", "--", "x"], &["--listen", "tcp:1", "--", "x"], &["x", "--", "y"]]
        {
            assert!(matches!(check(words), Err(Error::Usage)), "{words:?}");
        }
        assert!(matches!(
            check(&["--listen", "unix:/tmp/x:no such group", "--", "x"]),
            Err(Error::Group { .. })
        ));
        assert!(matches!(check(&["--listen", "unix:/no/such/folder", "--", "x"]), Err(Error::Listen { .. })));
    }

    #[test]
    fn a_socket_that_nobody_listens_on_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        drop(bind(&path).unwrap());
        let _listener = bind(&path).unwrap();
        assert_eq!(bind(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
