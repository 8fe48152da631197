//! `cp`: a container's files as a tar, and a tar into them.
//!
//! A container that runs is looked at beneath `/proc/PID/root`, so that its volumes are there, too; of one that does not
//! the monitor builds the root file system. Either way paths are resolved by the kernel below a descriptor of the root.

use super::driver::{Command, Handle};
use super::{Phase, bundle};
use crate::blocking::blocking;
use crate::engine::Engine;
use crate::event::{self, Attributes};
use crate::{Error, Result};
use sampan_archive::{Owner, Unpacking};
use sampan_image::compression::Decoder;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use tokio::sync::watch;

pub use sampan_archive::PathStat;

/// A root file system that nothing else may mount as long as this is here.
#[derive(Debug)]
pub(crate) struct Lent {
    root: OwnedFd,
    returned: watch::Sender<()>,
}

impl Lent {
    pub(super) fn new(root: OwnedFd) -> Self {
        Self { root, returned: watch::Sender::new(()) }
    }

    /// Tells when it is not lent any more.
    pub(super) fn returned(&self) -> Returned {
        Returned(self.returned.subscribe())
    }
}

/// The end of a loan.
#[derive(Clone, Debug)]
pub struct Returned(watch::Receiver<()>);

impl Returned {
    /// Waits for it.
    pub(super) async fn wait(&mut self) {
        while self.0.changed().await.is_ok() {}
    }
}

/// A container's root folder.
enum Root {
    OfProcess(OwnedFd),
    Lent(Arc<Lent>),
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::OfProcess(root) => root.as_fd(),
            Self::Lent(lent) => lent.root.as_fd(),
        }
    }
}

async fn root(handle: &Handle, name: &str) -> Result<Root> {
    loop {
        let phase = handle.current().await.state.phase;
        if let Some(pid) = phase.pid() {
            match of_process(pid) {
                Ok(root) if handle.snapshot().state.phase.pid() == Some(pid) => {
                    return Ok(Root::OfProcess(root));
                }
                Err(source) if handle.snapshot().state.phase.pid() == Some(pid) => {
                    return Err(Error::Host { what: "open the container's root".into(), source });
                }
                // It has ended meanwhile.
                _ => continue,
            }
        }
        if phase == Phase::Restarting {
            return Err(Error::Restarting(handle.id().to_string()));
        }
        match handle.ask(Command::Root).await? {
            Ok(lent) => return Ok(Root::Lent(lent)),
            // It was started meanwhile.
            Err(Error::AlreadyStarted(_)) => {}
            Err(Error::Removing(_)) => return Err(Error::Removing(name.to_owned())),
            Err(other) => return Err(other),
        }
    }
}

fn of_process(pid: i32) -> std::io::Result<OwnedFd> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(format!("/proc/{pid}/root"), flags, Mode::empty())?)
}

/// What is at a path in a container.
///
/// # Errors
/// When there is no such container or path.
pub async fn path_stat(engine: &Engine, name: &str, path: &str) -> Result<PathStat> {
    let root = root(&engine.containers().resolve(name)?, name).await?;
    let (name, path) = (name.to_owned(), path.to_owned());
    blocking(move || sampan_archive::stat(root.as_fd(), &path).map_err(|e| about(e, &name, &path))).await
}

/// A part of a container's files, ready to be written as a tar.
pub struct Packed {
    root: Root,
    found: sampan_archive::Found,
}

impl Packed {
    /// Writes the tar. It blocks, as long as `to` takes nothing.
    ///
    /// # Errors
    /// When a file cannot be read, or `to` takes no more.
    pub fn write(self, to: &mut impl Write) -> Result<()> {
        let written = sampan_archive::pack(&self.found, &self.found.name, to);
        drop(self.root);
        Ok(written?)
    }
}

/// Finds what is at a path in a container, to be copied out.
///
/// # Errors
/// As [`path_stat`].
pub async fn copy_out(engine: &Engine, name: &str, path: &str) -> Result<(PathStat, Packed)> {
    let handle = engine.containers().resolve(name)?;
    let root = root(&handle, name).await?;
    let (name, path) = (name.to_owned(), path.to_owned());
    let packed = blocking(move || {
        let found = sampan_archive::find(root.as_fd(), &path);
        let described = found.and_then(|found| Ok((found.describe(root.as_fd())?, found)));
        let (stat, found) = described.map_err(|e| about(e, &name, &path))?;
        Ok::<_, Error>((stat, Packed { root, found }))
    });
    let packed = packed.await?;
    event::container(engine, &handle.container(), "archive-path", Attributes::new());
    Ok(packed)
}

/// How a tar is copied in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CopyIn {
    /// A folder does not replace anything else, nor the other way round.
    pub keep_kinds: bool,
    /// All belongs to the container's user; otherwise to whom the tar says.
    pub for_user: bool,
}

/// Unpacks a tar, which may be compressed, in a folder of a container.
///
/// # Errors
/// When there is no such container or folder, it cannot be written to, or the tar is not right: what was unpacked before
/// that stays.
pub async fn copy_in(
    engine: &Engine,
    name: &str,
    path: &str,
    tar: impl Read + Send + 'static,
    how: CopyIn,
) -> Result<()> {
    let handle = engine.containers().resolve(name)?;
    let container = handle.container();
    let owner = owner(engine, &container, how.for_user).await?;
    let root = root(&handle, name).await?;
    if container.config.host.read_only && matches!(root, Root::Lent(_)) {
        return Err(Error::ReadOnlyRoot);
    }
    let (name, path) = (name.to_owned(), path.to_owned());
    let unpacked = blocking(move || {
        // It must be a folder, whatever it is called.
        let folder = format!("{path}/.");
        sampan_archive::find(root.as_fd(), &folder).map_err(|e| match e {
            sampan_archive::Error::NotFolder { .. } => Error::NoExtractionPoint,
            other => about(other, &name, &path),
        })?;
        let plain =
            Decoder::new(tar).map_err(|source| Error::Host { what: "read the archive".into(), source })?;
        let unpacking = Unpacking {
            root: root.as_fd(),
            folder: &path,
            is_whole: true,
            keep_kinds: how.keep_kinds,
            owner,
            rename: None,
        };
        sampan_archive::unpack(plain, &unpacking)
            .map_err(|e| if is_read_only(&e) { Error::ReadOnlyRoot } else { e.into() })
    });
    unpacked.await?;
    event::container(engine, &container, "extract-to-dir", Attributes::new());
    Ok(())
}

async fn owner(engine: &Engine, container: &super::Container, for_user: bool) -> Result<Owner> {
    let typed = &container.config.user;
    if !for_user || typed.is_empty() {
        return Ok(Owner::OfTar);
    }
    let user = bundle::resolve_user(&bundle::rootfs(engine, container).await?, typed).await?;
    Ok(Owner::Of(user.uid, user.gid))
}

fn is_read_only(error: &sampan_archive::Error) -> bool {
    matches!(error, sampan_archive::Error::Write { source, .. } if source.kind() == std::io::ErrorKind::ReadOnlyFilesystem)
}

fn about(error: sampan_archive::Error, name: &str, path: &str) -> Error {
    match error {
        sampan_archive::Error::NotFound { .. } => {
            Error::NoSuchPath { path: path.to_owned(), name: name.to_owned() }
        }
        other => other.into(),
    }
}
