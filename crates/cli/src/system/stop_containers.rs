//! `sampan system stop-containers`: stops every container through its monitor, with its own signal and time-out. It is
//! what systemd runs at shutdown, and needs no daemon. It does not count as the user's stop: what has a restart policy
//! comes back at the next boot.

use sampan_spec::bundle;
use sampan_spec::monitor::{Call, FRAME_HEADER, Message, Refusal, Request, encode_frame, parse_header};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// A container could not be stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StopError {
    #[error("cannot read {path}: {source}")]
    List { path: PathBuf, source: io::Error },
    #[error("cannot stop container {id}: {source}")]
    Talk { id: String, source: io::Error },
    #[error("cannot stop container {id}: its monitor refuses: {refusal:?}")]
    Refused { id: String, refusal: Box<Refusal> },
}

/// Stops all containers below `exec_root` at once, and waits until they have ended. Gives what went wrong.
pub(crate) fn stop_all(exec_root: &Path) -> Vec<StopError> {
    let folder = exec_root.join("containers");
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(source) => return vec![StopError::List { path: folder, source }],
    };
    let bundles: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    std::thread::scope(|scope| {
        let stops: Vec<_> = bundles.iter().map(|bundle| scope.spawn(move || stop(bundle))).collect();
        stops.into_iter().filter_map(|stop| stop.join().ok()?.err()).collect()
    })
}

/// Stops one container. Where no monitor listens there is nothing to stop.
fn stop(bundle: &Path) -> Result<(), StopError> {
    let id = bundle.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match connect(bundle).and_then(|socket| socket.map_or(Ok(Ok(())), |socket| ask(&socket))) {
        Ok(Ok(()) | Err(Refusal::NotRunning)) => Ok(()),
        Ok(Err(refusal)) => Err(StopError::Refused { id, refusal: Box::new(refusal) }),
        Err(source) => Err(StopError::Talk { id, source }),
    }
}

/// Goes through a descriptor of the folder: a socket's address has room for 107 bytes only.
fn connect(bundle: &Path) -> io::Result<Option<UnixStream>> {
    use io::ErrorKind::{ConnectionRefused, NotADirectory, NotFound};
    let connected = File::open(bundle).and_then(|folder| {
        UnixStream::connect(format!("/proc/self/fd/{}/{}", folder.as_raw_fd(), bundle::SOCKET))
    });
    match connected {
        Ok(socket) => Ok(Some(socket)),
        Err(error) if matches!(error.kind(), NotFound | NotADirectory | ConnectionRefused) => Ok(None),
        Err(error) => Err(error),
    }
}

const CALL: u64 = 1;

fn ask(mut socket: &UnixStream) -> io::Result<Result<(), Refusal>> {
    let call = Call { call: CALL, request: Request::Shutdown };
    let json = serde_json::to_vec(&call)?;
    socket.write_all(&encode_frame(&json, &[]).map_err(io::Error::other)?)?;
    loop {
        match serde_json::from_slice(&read_frame(socket)?)? {
            Message::Answer { call: CALL, result } => return Ok(result.map(drop)),
            Message::Answer { .. } | Message::Entry(_) => {}
        }
    }
}

/// A frame's document; its raw bytes are skipped.
fn read_frame(mut socket: &UnixStream) -> io::Result<Vec<u8>> {
    let mut header = [0; FRAME_HEADER];
    socket.read_exact(&mut header)?;
    let (json, bytes) = parse_header(header).map_err(io::Error::other)?;
    let mut document = vec![0; json];
    socket.read_exact(&mut document)?;
    io::copy(&mut socket.take(bytes as u64), &mut io::sink())?;
    Ok(document)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sampan_spec::monitor::Answer;
    use std::os::unix::net::UnixListener;

    fn answer(listener: &UnixListener, result: Result<Answer, Refusal>) -> Call {
        let (socket, _) = listener.accept().unwrap();
        let call: Call = serde_json::from_slice(&read_frame(&socket).unwrap()).unwrap();
        let json = serde_json::to_vec(&Message::Answer { call: call.call, result }).unwrap();
        (&socket).write_all(&encode_frame(&json, &[]).unwrap()).unwrap();
        call
    }

    #[test]
    fn every_monitor_is_asked() {
        let root = tempfile::tempdir().unwrap();
        let bundle = |name: &str| {
            let folder = root.path().join("containers").join(name.repeat(64));
            fs::create_dir_all(&folder).unwrap();
            folder
        };
        let listen = |folder: &Path| {
            let folder = File::open(folder).unwrap();
            UnixListener::bind(format!("/proc/self/fd/{}/{}", folder.as_raw_fd(), bundle::SOCKET)).unwrap()
        };
        let [good, bad] = ["a", "b"].map(|name| listen(&bundle(name)));
        bundle("c");
        drop(listen(&bundle("d")));
        let errors = std::thread::scope(|scope| {
            let asked = scope.spawn(|| answer(&good, Ok(Answer::Done)).request);
            scope.spawn(|| answer(&bad, Err(Refusal::System { message: "x".into() })));
            let errors = stop_all(root.path());
            assert_eq!(asked.join().unwrap(), Request::Shutdown);
            errors
        });
        assert_eq!(errors.len(), 1);
        assert!(errors[0].to_string().starts_with("cannot stop container bbb"));
        assert!(stop_all(Path::new("/nonexistent")).is_empty());
    }
}
