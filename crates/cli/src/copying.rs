//! What `cp` does on this side: what a destination means, and local files as a tar and back.

use crate::error::{CODE_PIPE, Error, os_text};
use bytes::{Buf, Bytes};
use sampan_api::ByteStream;
use sampan_archive::{Owner, Unpacking};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use tokio::net::unix::pipe;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

/// How many pieces may wait for the disk.
const AHEAD: usize = 8;
/// Bytes that a pipe may hold.
const PIPE: usize = 1 << 20;
const LINKS_MAX: usize = 40;

/// What is copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// Its name in the archive.
    pub base: String,
    pub is_folder: bool,
}

/// Where it is copied to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    pub path: String,
    pub exists: bool,
    pub is_folder: bool,
}

/// Where an archive is unpacked, and what its first part is called there if not as before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub folder: String,
    pub base: Option<String>,
}

/// Docker's rules: into a folder that is there, beside one that is not, over a file.
pub(crate) fn plan(source: &Source, destination: &Destination) -> Result<Plan, Error> {
    let path = &destination.path;
    let renamed = || Plan { folder: parent_name(path), base: Some(base_name(path)) };
    match (destination.exists, destination.is_folder, source.is_folder) {
        (true, true, _) => Ok(Plan { folder: path.clone(), base: None }),
        (true, false, true) => Err(Error::Refused("cannot copy directory")),
        (false, _, false) if path.ends_with('/') || path.ends_with("/.") => {
            Err(Error::Refused("no such directory"))
        }
        _ => Ok(renamed()),
    }
}

/// A path's last part, by its words alone.
pub(crate) fn base_name(path: &str) -> String {
    let last = path.trim_end_matches("/.").trim_end_matches('/').rsplit('/').next();
    last.filter(|last| !last.is_empty()).unwrap_or("/").to_owned()
}

/// A path without its last part.
pub(crate) fn parent_name(path: &str) -> String {
    let path = path.trim_end_matches("/.").trim_end_matches('/');
    match path.rsplit_once('/') {
        Some(("", _)) => "/".to_owned(),
        Some((parent, _)) => parent.to_owned(),
        None => ".".to_owned(),
    }
}

/// Something of ours that is copied.
pub(crate) struct Local {
    pub source: Source,
    found: sampan_archive::Found,
}

/// Finds what is to be copied. A link is copied as such, unless it is to be followed.
pub(crate) fn local(path: &str, follow: bool) -> Result<Local, Error> {
    let given = std::env::current_dir()?.join(path);
    let mut shown = given.display().to_string();
    let failed = |path: &str, reason: String| Error::Invalid(format!("lstat {path}: {reason}"));
    let slash = ["/.", "/"].into_iter().find(|end| path.ends_with(end)).unwrap_or("");
    if path == "." {
        shown = format!("{}/.", given.display());
    }
    let mut target = shown.clone();
    if follow {
        let real = std::fs::canonicalize(&given).map_err(|e| failed(&shown, os_text(&e)))?;
        target = format!("{}{slash}", real.display());
    }
    let root = File::open("/")?;
    let found = sampan_archive::find(root.as_fd(), &target).map_err(|error| match error {
        sampan_archive::Error::NotFound { .. } => failed(&shown, "no such file or directory".to_owned()),
        sampan_archive::Error::NotFolder { .. } => failed(&shown, "not a directory".to_owned()),
        other => Error::Archive(other),
    })?;
    let stat = found.describe(root.as_fd())?;
    let base = if follow && slash != "/." { base_name(&shown) } else { stat.name };
    Ok(Local { source: Source { base, is_folder: stat.mode & 0o170_000 == 0o040_000 }, found })
}

/// A tar that is being made, and how large it came to be.
pub(crate) struct Packing {
    pub tar: pipe::Receiver,
    pub count: JoinHandle<Result<u64, Error>>,
}

/// Makes a tar of local files, whose names begin with `base`.
pub(crate) fn pack(local: Local, base: String) -> Result<Packing, Error> {
    let (reader, writer) = io::pipe()?;
    // The usual size will do where more is not allowed.
    let _ = rustix::pipe::fcntl_setpipe_size(&writer, PIPE);
    let tar = pipe::Receiver::from_owned_fd(reader.into())?;
    let count = spawn_blocking(move || {
        let mut counted = Counted { to: writer, count: 0 };
        match sampan_archive::pack(&local.found, base.as_bytes(), &mut counted) {
            // The daemon did not want the rest, and says why.
            Ok(()) | Err(sampan_archive::Error::Stream(_)) => Ok(counted.count),
            Err(error) => Err(Error::Archive(error)),
        }
    });
    Ok(Packing { tar, count })
}

struct Counted<W> {
    to: W,
    count: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.to.write(bytes)?;
        self.count += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// A local path as a destination; a link is followed, also to what is not there.
pub(crate) fn local_destination(path: &str) -> Result<Destination, Error> {
    let mut at = std::env::current_dir()?.join(path);
    for _ in 0..LINKS_MAX {
        match std::fs::read_link(&at) {
            Ok(target) => at = at.parent().unwrap_or(Path::new("")).join(target),
            Err(_) => break,
        }
    }
    let slash = if path.ends_with('/') { "/" } else { "" };
    let status = std::fs::metadata(&at).ok();
    let parent = parent_name(&at.to_string_lossy());
    if status.is_none() && !path.ends_with('/') && !Path::new(&parent).is_dir() {
        let text = format!("invalid output path: directory {parent:?} does not exist");
        return Err(Error::Invalid(text));
    }
    let at = at.to_string_lossy();
    let path = if at.ends_with('/') { at.into_owned() } else { format!("{at}{slash}") };
    Ok(Destination { path, exists: status.is_some(), is_folder: status.is_some_and(|s| s.is_dir()) })
}

/// Unpacks a tar in a local folder, with its first part renamed. Gives its size.
pub(crate) async fn unpack(
    mut tar: ByteStream,
    folder: String,
    (from, to): (String, String),
) -> Result<u64, Error> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    let unpacking = spawn_blocking(move || {
        let root = File::open(&folder)?;
        let how = Unpacking {
            root: root.as_fd(),
            folder: "",
            is_whole: false,
            keep_kinds: true,
            owner: Owner::Self_,
            rename: (from != to).then(|| (from.into_bytes(), to.into_bytes())),
        };
        sampan_archive::unpack(Pieces { receiver, current: Bytes::new() }, &how).map_err(Error::Archive)
    });
    let mut count = 0;
    while let Some(piece) = tar.piece().await? {
        count += piece.len() as u64;
        if sender.send(piece).await.is_err() {
            break;
        }
    }
    drop(sender);
    unpacking.await.map_err(io::Error::from)??;
    Ok(count)
}

/// Writes a tar to standard output. Gives its size.
pub(crate) async fn print(mut tar: ByteStream) -> Result<u64, Error> {
    let mut count = 0;
    while let Some(piece) = tar.piece().await? {
        count += piece.len() as u64;
        match io::stdout().lock().write_all(&piece) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Err(Error::Silent(CODE_PIPE)),
            written => written?,
        }
    }
    Ok(count)
}

struct Pieces {
    receiver: mpsc::Receiver<Bytes>,
    current: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.current.is_empty() {
            self.current = self.receiver.blocking_recv().unwrap_or_default();
        }
        let count = self.current.len().min(buffer.len());
        self.current.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_mean_what_docker_takes_them_for() {
        let check = |is_folder: bool,
                     path: &str,
                     there: Option<bool>,
                     want: Result<(&str, Option<&str>), &str>| {
            let source = Source { base: "s".into(), is_folder };
            let destination =
                Destination { path: path.into(), exists: there.is_some(), is_folder: there == Some(true) };
            let got = plan(&source, &destination).map_err(|e| e.to_string());
            let want =
                want.map(|(folder, base)| Plan { folder: folder.into(), base: base.map(str::to_owned) });
            assert_eq!(got, want.map_err(str::to_owned), "{path}");
        };
        check(false, "/tmp", Some(true), Ok(("/tmp", None)));
        check(true, "/tmp/", Some(true), Ok(("/tmp/", None)));
        check(false, "/tmp/file", Some(false), Ok(("/tmp", Some("file"))));
        check(true, "/tmp/file", Some(false), Err("cannot copy directory"));
        check(true, "/tmp/new", None, Ok(("/tmp", Some("new"))));
        check(true, "/new/", None, Ok(("/", Some("new"))));
        check(false, "new", None, Ok((".", Some("new"))));
        check(false, "/tmp/new/", None, Err("no such directory"));
    }

    #[test]
    fn names() {
        for (path, base, parent) in
            [("/a/b", "b", "/a"), ("/a/b/", "b", "/a"), ("/a/.", "a", "/"), ("a", "a", "."), ("/", "/", ".")]
        {
            assert_eq!((base_name(path).as_str(), parent_name(path).as_str()), (base, parent), "{path}");
        }
    }
}
